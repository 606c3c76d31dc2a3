"""Hashes of what Pillow's resize makes of made-up images: python make_resizes.py OUT.txt [--count 3000] [--seed 1]

A line each: width height channels filter to-width to-height, the first 16 digits of the SHA-256 of the result. Byte i of the image is the upper byte
of i · 2654435761 modulo 2³², but 255 where i mod 97 < 20 and 0 where i mod 89 < 20. Four channels are RGBA.
"""
import argparse
import hashlib

import numpy as np
from PIL import Image

FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}


def image(w, h, c):
    i = np.arange(w * h * c, dtype=np.uint64)
    b = (i * 2654435761 % 2**32 >> 24).astype(np.uint8)
    b[i % 97 < 20] = 255
    b[i % 89 < 20] = 0
    return Image.fromarray(b.reshape(h, w, c))


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("out")
    a.add_argument("--count", type=int, default=3000)
    a.add_argument("--seed", type=int, default=1)
    o = a.parse_args()
    r = np.random.default_rng(o.seed)

    def side(top):
        return int(np.exp(r.uniform(0, np.log(top + 0.99))))

    with open(o.out, "w") as f:
        for k in range(o.count):
            w, h, tw, th = side(300), side(300), side(300), side(300)
            if k % 4 == 1:  # one axis as it is
                tw = w
            elif k % 4 == 2:
                tw, th = max(1, round(w * 0.37)), max(1, round(h * 0.37))
            elif k % 16 == 3:  # lines
                w, h = (side(4), side(2000)) if r.integers(2) else (side(2000), side(4))
            c = 3 if k % 3 else 4
            name = list(FILTERS)[int(r.integers(6))]
            b = image(w, h, c).resize((tw, th), FILTERS[name]).tobytes()
            f.write(f"{w} {h} {c} {name} {tw} {th} {hashlib.sha256(b).hexdigest()[:16]}\n")


if __name__ == "__main__":
    main()
