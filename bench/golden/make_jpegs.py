"""JPEGs of every kind the decoder knows, and what Pillow makes of them.

    python make_jpegs.py OUT [--count 1000] [--seed 1] [--largest 70] [--photos ../../clip/pixels/testdata/images]

writes OUT/<kind>_<number>_<W>x<H>.jpg and OUT/hashes.txt (see pillow_hashes.py). Of the images one in ten is up to six times as large as
--largest. Needs Pillow and numpy. The committed subset: --count 102 --seed 2 --largest 27 --small, packed by pack.py.
"""
import argparse
import glob
import io
import os

import numpy as np
from PIL import Image, ImageFile

import jpegwriter
from pillow_hashes import write_hashes

FACTORS = {"440": [(1, 2), (1, 1), (1, 1)], "411": [(4, 1), (1, 1), (1, 1)], "410": [(4, 2), (1, 1), (1, 1)], "441": [(1, 4), (1, 1), (1, 1)],
           "444": [(1, 1)] * 3, "422": [(2, 1), (1, 1), (1, 1)], "420": [(2, 2), (1, 1), (1, 1)], "h3": [(3, 1), (1, 1), (1, 1)],
           "v3": [(1, 3), (1, 1), (1, 1)], "mixed": [(2, 2), (1, 2), (2, 1)], "chroma": [(1, 1), (2, 2), (2, 1)], "v4by2": [(1, 4), (1, 2), (1, 1)],
           "444by2": [(2, 1)] * 3, "h4by2": [(4, 1), (2, 1), (1, 1)]}


ImageFile.MAXBLOCK = 1 << 22  # the buffer of Pillow's JPEG encoder, too small by default for noise


class Maker:
    def __init__(self, seed, largest, photos, small):
        self.r, self.largest, self.small = np.random.default_rng(seed), largest, small
        self.photos = [Image.open(f).convert("RGB") for f in sorted(glob.glob(photos + "/*.png"))]

    def pick(self, *of):
        return of[int(self.r.integers(len(of)))]

    def size(self):
        top = self.largest if self.small or self.r.random() < 0.9 else 6 * self.largest
        low = 5 if self.small else 1
        return tuple(int(x) for x in self.r.integers(low, top + 1, 2))

    def picture(self, bands=3):
        """[H, W, bands] bytes: noise, a gradient, or a part of a photo."""
        w, h = self.size()
        y, x = np.mgrid[0:h, 0:w]
        kind = self.pick("noise", "gradient", "photo", "photo")
        if kind == "noise":
            return self.r.integers(0, 256, (h, w, bands), dtype=np.uint8)
        if kind == "gradient":
            k = self.r.uniform(-6, 6, (bands, 2))
            return np.stack([(a * x + b * y + 128) % 256 for a, b in k], -1).astype(np.uint8)
        im = self.photos[int(self.r.integers(len(self.photos)))]
        scale = max(w / im.width, h / im.height, self.r.uniform(0.3, 1.0))
        im = im.resize((max(w, round(im.width * scale)), max(h, round(im.height * scale))))
        a, b = int(self.r.integers(im.width - w + 1)), int(self.r.integers(im.height - h + 1))
        p = np.asarray(im.crop((a, b, a + w, b + h)))
        return p if bands <= 3 else np.concatenate([255 - p, p[..., :1] // 3], -1)

    def quality(self):
        return int(self.pick(1, 5, 10, 25, 50, 75, 75, 85, 90, 95, 100, int(self.r.integers(1, 101))))

    def pillow(self, **options):
        mode = options.pop("mode", "RGB")
        p = self.picture(4 if mode == "CMYK" else 3)
        im = Image.fromarray(p[..., :3]).convert("L") if mode == "L" else Image.fromarray(p, mode)
        b = io.BytesIO()
        im.save(b, "JPEG", **{"quality": self.quality(), **options})
        return b.getvalue()

    def steps(self):
        k = self.r.uniform(0.3, 12)
        return [int(np.clip((1 + (i // 8 + i % 8) * 1.5) * k, 1, 255)) for i in jpegwriter.ZIGZAG]

    def own(self, bands=3, factors=None, **options):
        p = self.picture(bands)
        if bands == 3 and options.get("adobe") != 0 and options.get("ids") is None:
            p = np.asarray(Image.fromarray(p).convert("YCbCr"))
        restart = self.pick(0, 0, 0, 1, 3)
        return jpegwriter.write([p[..., c] for c in range(bands)], factors or [(1, 1)] * bands, self.steps(), **{"restart": restart, **options})

    def kinds(self):
        k = {f"pillow_{name}": (lambda s=s: self.pillow(subsampling=s)) for name, s in (("444", 0), ("422", 1), ("420", 2))}
        k["optimize"] = lambda: self.pillow(subsampling=self.pick(0, 1, 2), optimize=True)
        k["progressive_444"] = lambda: self.pillow(subsampling=0, progressive=True)
        k["progressive_422"] = lambda: self.pillow(subsampling=1, progressive=True)
        k["progressive_420"] = lambda: self.pillow(subsampling=2, progressive=True)
        k["restart_blocks"] = lambda: self.pillow(subsampling=self.pick(0, 1, 2), restart_marker_blocks=int(self.r.integers(1, 9)),
                                                 progressive=self.pick(False, True))
        k["restart_rows"] = lambda: self.pillow(subsampling=self.pick(0, 1, 2), restart_marker_rows=int(self.r.integers(1, 3)))
        k["grey"] = lambda: self.pillow(mode="L", progressive=self.pick(False, False, True))
        k["cmyk"] = lambda: self.pillow(mode="CMYK", progressive=self.pick(False, False, True))
        k["rgb"] = lambda: self.pillow(keep_rgb=True, subsampling=0)
        for name, f in FACTORS.items():
            k["own_" + name] = lambda f=f: self.own(factors=f, jfif=self.pick(False, True))
        k["own_bands"] = lambda: self.own(factors=self.pick(*FACTORS.values()), scans="bands")
        k["own_each"] = lambda: self.own(factors=self.pick(*FACTORS.values()), scans="each")
        k["own_adobe"] = lambda: self.own(factors=self.pick(*FACTORS.values()), adobe=self.pick(0, 1))
        k["own_rgb_names"] = lambda: self.own(ids=[82, 71, 66])
        k["own_deep_tables"] = lambda: self.own(factors=self.pick(*FACTORS.values()), wide_tables=True)
        k["own_grey_factors"] = lambda: self.own(bands=1, factors=[self.pick((2, 2), (1, 2), (3, 1))])
        k["own_ycck"] = lambda: self.own(bands=4, factors=self.pick([(1, 1)] * 4, [(2, 2), (1, 1), (1, 1), (2, 2)], [(2, 1), (1, 1), (1, 1), (2, 1)]),
                                         adobe=2, scans=self.pick("one", "each", "bands"))
        k["own_cmyk_plain"] = lambda: self.own(bands=4, adobe=self.pick(None, 0))
        return k


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("out")
    a.add_argument("--count", type=int, default=1000)
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--largest", type=int, default=70)
    a.add_argument("--small", action="store_true", help="sides of 5 to --largest only")
    a.add_argument("--photos", default=os.path.dirname(os.path.abspath(__file__)) + "/../../clip/pixels/testdata/images")
    o = a.parse_args()
    os.makedirs(o.out, exist_ok=True)
    m = Maker(o.seed, o.largest, o.photos, o.small)
    kinds = m.kinds()
    for i in range(o.count):
        name = list(kinds)[i % len(kinds)]
        b = kinds[name]()
        w, h = Image.open(io.BytesIO(b)).size
        with open(f"{o.out}/{name}_{i:04d}_{w}x{h}.jpg", "wb") as f:
            f.write(b)
    write_hashes(o.out)


if __name__ == "__main__":
    main()
