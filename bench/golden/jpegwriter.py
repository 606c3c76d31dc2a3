"""A small JPEG writer for what Pillow cannot write: any sampling factors, separate scans, spectral selection, component names,
Adobe and JFIF markers at will, 16-bit quantisation tables, restart intervals. ITU-T T.81; tables of its Annex K.

    write(planes, factors, ...) -> bytes
"""
import numpy as np

ZIGZAG = sorted(range(64), key=lambda i: (i // 8 + i % 8, i % 8 if (i // 8 + i % 8) % 2 == 0 else i // 8))
_C = np.array([[np.sqrt((1 if u == 0 else 2) / 8) * np.cos((2 * x + 1) * u * np.pi / 16) for x in range(8)] for u in range(8)])



def huffman(symbols):
    """A complete enough code for the symbols, the frequent first: lengths by rank, no code of ones alone. -> (bits[16], symbols)"""
    n, bits = len(symbols), [0] * 16
    left, free = n, 1
    for length in range(1, 17):
        free *= 2
        if length == 16:
            take = left
        else:
            take = max(0, min(left, (free - 1) // 3 if length > 1 else 0))
            while take and (free - take) * 2 ** (16 - length) - 1 < (left - take):
                take -= 1
        bits[length - 1] = take
        left -= take
        free -= take
    return bits, list(symbols)


def codes(bits, symbols):
    out, code, k = {}, 0, 0
    for length in range(1, 17):
        for _ in range(bits[length - 1]):
            out[symbols[k]] = (code, length)
            code, k = code + 1, k + 1
        code <<= 1
    return out


class Bits:
    def __init__(self):
        self.out, self.acc, self.n = bytearray(), 0, 0

    def put(self, value, length):
        self.acc, self.n = self.acc << length | value, self.n + length
        while self.n >= 8:
            b = self.acc >> (self.n - 8) & 255
            self.out.append(b)
            if b == 255:
                self.out.append(0)
            self.n -= 8
            self.acc &= (1 << self.n) - 1

    def flush(self):
        if self.n:
            self.put((1 << (8 - self.n)) - 1, 8 - self.n)


def magnitude(v):
    size = int(abs(v)).bit_length()
    return size, (v if v >= 0 else v + (1 << size) - 1)


def blocks_of(plane, q, wide, high):
    """Quantised coefficients [high, wide, 64] in zigzag order; edges repeat."""
    h, w = plane.shape
    p = np.pad(plane.astype(np.float64), ((0, high * 8 - h), (0, wide * 8 - w)), mode="edge") - 128
    b = p.reshape(high, 8, wide, 8).transpose(0, 2, 1, 3)
    f = _C @ b @ _C.T
    return np.rint(f.reshape(high, wide, 64)[..., ZIGZAG] / np.asarray(q)).astype(int)


def shrink(plane, dx, dy):
    """Mean over dx × dy pixels."""
    h, w = plane.shape
    p = np.pad(plane.astype(np.float64), ((0, -h % dy), (0, -w % dx)), mode="edge")
    return p.reshape(p.shape[0] // dy, dy, p.shape[1] // dx, dx).mean((1, 3))


def write(planes, factors, quant, ids=None, adobe=None, jfif=False, restart=0, scans="one", sof=None, wide_tables=False, quants=None):
    """planes: arrays [H, W] of one size; factors: (h, v) each; quant: 64 steps in zigzag order; scans: "one" interleaved,
    "each" a sequential scan a component, "bands" progressive by spectral selection; adobe: transform or None."""
    H, W = planes[0].shape
    n = len(planes)
    ids = ids or list(range(1, n + 1))
    hmax, vmax = max(h for h, _ in factors), max(v for _, v in factors)
    mx, my = -(-W // (8 * hmax)), -(-H // (8 * vmax))
    coef, size = [], []
    for p, (h, v) in zip(planes, factors):
        cw, ch = -(-W * h // hmax), -(-H * v // vmax)
        if hmax % h == 0 and vmax % v == 0:
            s = shrink(p, hmax // h, vmax // v)
        else:
            s = p[np.linspace(0, H - 1, ch).astype(int)][:, np.linspace(0, W - 1, cw).astype(int)]
        coef.append(blocks_of(s[:ch, :cw], quant, mx * h, my * v))
        size.append((-(-cw // 8), -(-ch // 8)))
    out = bytearray(b"\xff\xd8")

    def segment(marker, body):
        out.extend(bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + bytes(body))

    if jfif:
        segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    if adobe is not None:
        segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([adobe]))
    q = b"".join(int(x).to_bytes(2 if wide_tables else 1, "big") for x in quant)
    segment(0xDB, bytes([0x10 if wide_tables else 0]) + q)
    if sof is None:
        sof = 0xC2 if scans == "bands" else 0xC1 if wide_tables else 0xC0
    segment(sof, bytes([8]) + H.to_bytes(2, "big") + W.to_bytes(2, "big") + bytes([n]) +
            b"".join(bytes([i, h << 4 | v, 0]) for i, (h, v) in zip(ids, factors)))
    dc = huffman(list(range(12)))
    ac = huffman([0, 1, 2, 0x11, 3, 4, 0x21, 0x12, 5, 0x31, 0x41] +
                 [s for s in range(256) if s & 15 in range(1, 11) and s not in (1, 2, 0x11, 3, 4, 0x21, 0x12, 5, 0x31, 0x41)] + [0xF0])
    for kind, (bits, symbols) in ((0, dc), (0x10, ac)):
        segment(0xC4, bytes([kind]) + bytes(bits) + bytes(symbols))
    if restart:
        segment(0xDD, restart.to_bytes(2, "big"))
    dcodes, acodes = codes(*dc), codes(*ac)

    def block(w, z, lo, hi, pred):
        if lo == 0:
            s, bits = magnitude(int(z[0]) - pred)
            w.put(*dcodes[s])
            w.put(bits, s)
        run = 0
        last = max((k for k in range(max(lo, 1), hi + 1) if z[k]), default=0)
        for k in range(max(lo, 1), last + 1):
            if z[k] == 0:
                run += 1
                continue
            while run > 15:
                w.put(*acodes[0xF0])
                run -= 16
            s, bits = magnitude(int(z[k]))
            w.put(*acodes[run << 4 | s])
            w.put(bits, s)
            run = 0
        if last < hi:
            w.put(*acodes[0])

    def scan(comps, lo, hi):
        segment(0xDA, bytes([len(comps)]) + b"".join(bytes([ids[c], 0]) for c in comps) + bytes([lo, hi, 0]))
        if len(comps) == 1:
            c = comps[0]
            wide, high = size[c]
            units = [[(c, y, x)] for y in range(high) for x in range(wide)]
        else:
            units = [[(c, y * factors[c][1] + j, x * factors[c][0] + i) for c in comps for j in range(factors[c][1]) for i in range(factors[c][0])]
                     for y in range(my) for x in range(mx)]
        w, pred = Bits(), [0] * n
        for k, unit in enumerate(units):
            if restart and k and k % restart == 0:
                w.flush()
                w.out.extend(bytes([0xFF, 0xD0 + (k // restart - 1) % 8]))
                pred = [0] * n
            for c, y, x in unit:
                block(w, coef[c][y, x], lo, hi, pred[c])
                pred[c] = int(coef[c][y, x][0])
        w.flush()
        out.extend(w.out)

    every = list(range(n))
    if scans == "one":
        scan(every, 0, 63)
    elif scans == "each":
        for c in every:
            scan([c], 0, 63)
    else:
        scan(every, 0, 0)
        for lo, hi in ((1, 5), (6, 63)):
            for c in every:
                scan([c], lo, hi)
    return bytes(out + b"\xff\xd9")
