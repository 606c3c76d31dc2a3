"""PNG, BMP, GIF and WebP files of every kind, and what Pillow makes of them: python make_others.py OUT [--count 400] [--seed 1] [--largest 70]

writes OUT/<kind>_<number>_<W>x<H>.<ext> and OUT/hashes.txt (see pillow_hashes.py). The committed subset: --count 47 --seed 2 --largest 18 --small. PNG and most BMP kinds are written here, byte by byte, since
Pillow cannot write them. Needs Pillow and numpy.
"""
import argparse
import io
import os
import struct
import zlib

import numpy as np
from PIL import Image

from make_jpegs import Maker
from pillow_hashes import write_hashes

PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def packed(rows, depth):
    """Rows of samples [h, n] as bytes."""
    if depth == 16:
        return [r.astype(">u2").tobytes() for r in rows]
    if depth == 8:
        return [r.astype(np.uint8).tobytes() for r in rows]
    bits = (rows[..., None] >> np.arange(depth - 1, -1, -1) & 1).reshape(rows.shape[0], -1).astype(np.uint8)
    return [np.packbits(b).tobytes() for b in bits]


def filtered(r, rows, step):
    """PNG's filters, one at random a row."""
    out, above = bytearray(), bytes(len(rows[0]) if rows else 0)
    for row in rows:
        kind = int(r.integers(5))
        left, corner = bytes(step) + row[:-step] if len(row) > step else bytes(len(row)), bytes(step) + above[:-step] if len(row) > step else bytes(len(row))
        a, b, c, x = (np.frombuffer(v, np.uint8).astype(int) for v in (left, above, corner, row))
        p = a + b - c
        pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
        paeth = np.where((pa <= pb) & (pa <= pc), a, np.where(pb <= pc, b, c))
        out += bytes([kind]) + ((x - [0, a, b, (a + b) // 2, paeth][kind]) & 255).astype(np.uint8).tobytes()
        above = row
    return bytes(out)


def png(r, w, h, kind, depth, interlaced, trns):
    n = SAMPLES[kind]
    top = 1 << depth
    colours = int(r.integers(1, min(top, 256) + 1)) if kind == 3 else 0
    v = r.integers(0, colours or top, (h, w * n)) if r.random() < 0.5 else (np.add.outer(np.arange(h), np.arange(w * n)) * int(r.integers(1, 9))) % (colours or top)
    step = max(1, n * depth // 8)
    if interlaced:
        data = b""
        for x0, y0, dx, dy in PASSES:
            part = v.reshape(h, w, n)[y0::dy, x0::dx]
            if part.size:
                data += filtered(r, packed(part.reshape(part.shape[0], -1), depth), step)
    else:
        data = filtered(r, packed(v, depth), step)
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, kind, 0, 0, int(interlaced)))
    if kind == 3:
        out += chunk(b"PLTE", r.integers(0, 256, colours * 3, dtype=np.uint8).tobytes())
    if trns and kind == 3:
        out += chunk(b"tRNS", r.integers(0, 256, int(r.integers(1, colours + 1)), dtype=np.uint8).tobytes())
    elif trns and kind in (0, 2):
        key = v.reshape(h, w, n)[h // 2, w // 2]
        out += chunk(b"tRNS", b"".join(struct.pack(">H", int(x)) for x in key))
    z = zlib.compress(data)
    cut = int(r.integers(0, len(z)))
    return out + chunk(b"IDAT", z[:cut]) + chunk(b"IDAT", z[cut:]) + chunk(b"IEND", b"")


def bmp_rle(r, index, four):
    out = bytearray()
    h, w = index.shape
    for row in index:
        x = 0
        while x < w:
            n = 1
            while x + n < w and n < 255 and row[x + n] == row[x]:
                n += 1
            literal = min(w - x, int(r.integers(3, 20)))
            if n < 3 and literal >= 3 and r.random() < 0.7:
                part = row[x:x + literal]
                if four:
                    b = bytes((int(part[i]) << 4 | (int(part[i + 1]) if i + 1 < literal else 0)) for i in range(0, literal, 2))
                else:
                    b = bytes(int(v) for v in part)
                out += bytes([0, literal]) + b + b"\0" * (len(b) % 2)
                x += literal
            else:
                v = int(row[x])
                out += bytes([n, v << 4 | v if four else v])
                x += n
        out += b"\0\0"
    return bytes(out + b"\0\1")


def bmp(r, w, h, bits, compression=0, masks=(), header=40, top_down=False, grey=False):
    stride = (w * bits + 31) // 32 * 4
    palette, rows = b"", b""
    if bits <= 8:
        n = 1 << bits
        c = r.integers(0, 256, (n, 4), dtype=np.uint8)
        if grey:
            c[:] = (np.arange(n) * (255 if n == 2 else 1))[:, None]
        palette = c[:, :3].tobytes() if header == 12 else c.tobytes()
        index = np.repeat(r.integers(0, n, (h, w)), int(r.integers(1, 6)), 1)[:, :w]
        rows = b"".join(b.ljust(stride, b"\0") for b in packed(index, bits))
        if compression in (1, 2):
            rows = bmp_rle(r, index, compression == 2)
    else:
        rows = r.integers(0, 256, stride * h, dtype=np.uint8).tobytes()
    if header == 12:
        head = struct.pack("<IHHHH", 12, w, h, 1, bits)
    else:
        head = struct.pack("<IiiHHIIiiII", header, w, -h if top_down else h, 1, bits, compression, len(rows), 2835, 2835, 0, 0)
        m = b"".join(struct.pack("<I", x) for x in masks)
        head += m if header == 40 else m.ljust(header - 40, b"\0")
    start = 14 + len(head) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + head + palette + rows


LAYOUTS = [(32, (0xFF0000, 0xFF00, 0xFF, 0)), (32, (0xFF000000, 0xFF0000, 0xFF00, 0)), (32, (0xFF000000, 0xFF00, 0xFF, 0)),
           (32, (0xFF000000, 0xFF0000, 0xFF00, 0xFF)), (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)), (32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
           (32, (0xFF000000, 0xFF00, 0xFF, 0xFF0000)), (32, (0, 0, 0, 0)), (24, (0xFF0000, 0xFF00, 0xFF)), (16, (0xF800, 0x7E0, 0x1F)),
           (16, (0x7C00, 0x3E0, 0x1F))]


class Others(Maker):
    def flip(self):
        return bool(self.r.integers(2))

    def pngs(self):
        depths = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
        return {f"png_{k}_{d}{'_trns' if t else ''}": (lambda k=k, d=d, t=t: png(self.r, *self.size(), k, d, self.flip(), t))
                for k in depths for d in depths[k] for t in ((False, True) if k in (0, 2, 3) else (False,))}

    def bmps(self):
        k = {f"bmp_{b}": (lambda b=b: bmp(self.r, *self.size(), b, top_down=self.flip(), grey=b in (1, 8) and self.flip())) for b in (1, 4, 8, 16, 24, 32)}
        k["bmp_old"] = lambda: bmp(self.r, *self.size(), self.pick(1, 4, 8, 24), header=12)
        k["bmp_rle8"] = lambda: bmp(self.r, *self.size(), 8, compression=1)
        k["bmp_rle4"] = lambda: bmp(self.r, *self.size(), 4, compression=2)

        def fields():
            bits, masks = LAYOUTS[int(self.r.integers(len(LAYOUTS)))]
            header = self.pick(56, 108, 124) if len(masks) == 4 and masks[3] or not any(masks) else self.pick(40, 52, 56, 124)
            return bmp(self.r, *self.size(), bits, 3, masks[:3] if header == 40 else masks, header, self.flip())
        k["bmp_fields"] = fields
        return k

    def saved(self, fmt, mode="RGB", **options):
        p = self.picture(4 if mode == "RGBA" else 3)
        if mode == "RGBA":
            p = np.concatenate([p[..., :3], self.r.choice([0, 128, 255], p.shape[:2] + (1,))], -1).astype(np.uint8)
        im = Image.fromarray(p)
        if mode in ("P", "L"):
            im = im.convert("L") if mode == "L" else im.quantize(int(self.r.integers(2, 257)))
        b = io.BytesIO()
        if options.pop("moving", False):
            options.update(save_all=True, append_images=[im.rotate(180)], duration=100)
        im.save(b, fmt, **options)
        return b.getvalue()

    def part_gif(self):
        """A picture smaller than its canvas, or beyond it."""
        b = bytearray(self.saved("GIF", "P", **({"transparency": 1} if self.flip() else {})))
        w, h = struct.unpack("<HH", b[6:10])
        struct.pack_into("<HH", b, 6, max(1, w + int(self.r.integers(-3, 9))), max(1, h + int(self.r.integers(-3, 9))))
        return bytes(b)

    def rest(self):
        quality = lambda: int(self.r.integers(0, 101))
        return {"gif": lambda: self.saved("GIF", "P", interlace=int(self.flip())), "gif_grey": lambda: self.saved("GIF", "L"),
                "gif_trns": lambda: self.saved("GIF", "P", transparency=int(self.r.integers(2))), "gif_moving": lambda: self.saved("GIF", "P", moving=True),
                "gif_part": self.part_gif,
                "webp_lossless": lambda: self.saved("WEBP", lossless=True, quality=quality()),
                "webp_lossless_alpha": lambda: self.saved("WEBP", "RGBA", lossless=True, exact=self.flip()),
                "webp_lossless_palette": lambda: self.saved("WEBP", "P", lossless=True),
                "webp_lossy": lambda: self.saved("WEBP", quality=quality(), method=int(self.r.integers(7))),
                "webp_lossy_alpha": lambda: self.saved("WEBP", "RGBA", quality=quality(), alpha_quality=quality()),
                "webp_moving": lambda: self.saved("WEBP", self.pick("RGB", "RGBA"), moving=True, lossless=self.flip())}


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("out")
    a.add_argument("--count", type=int, default=400)
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--largest", type=int, default=70)
    a.add_argument("--small", action="store_true", help="sides of 5 to --largest only")
    a.add_argument("--photos", default=os.path.dirname(os.path.abspath(__file__)) + "/../../clip/pixels/testdata/images")
    o = a.parse_args()
    os.makedirs(o.out, exist_ok=True)
    m = Others(o.seed, o.largest, o.photos, o.small)
    kinds = {**m.pngs(), **m.bmps(), **m.rest()}
    for i in range(o.count):
        name = list(kinds)[i % len(kinds)]
        b = kinds[name]()
        w, h = Image.open(io.BytesIO(b)).size
        with open(f"{o.out}/{name}_{i:04d}_{w}x{h}.{name.split('_')[0]}", "wb") as f:
            f.write(b)
    write_hashes(o.out)


if __name__ == "__main__":
    main()
