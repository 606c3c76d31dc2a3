"""What Pillow decodes: python pillow_hashes.py FOLDER [OUT]

writes OUT (FOLDER/hashes.txt), a line for each file of FOLDER that is an image, by name:
    sha256-of-RGB  W  H  name  sha256-of-RGBA        or        error  0  0  name  -
of Image.open(name).convert("RGB") and, where the image has transparency (else -), convert("RGBA").
"""
import hashlib
import os
import sys
import warnings

from PIL import Image, UnidentifiedImageError

FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP"]


def line(path, name):
    try:
        im = Image.open(path, formats=FORMATS)
    except UnidentifiedImageError:
        return None if name.endswith((".txt", ".json", ".tsv", ".svg")) else f"error 0 0 {name} -"
    except Exception:
        return f"error 0 0 {name} -"
    try:
        rgb = im.convert("RGB")
        clear = "A" in im.getbands() or im.info.get("transparency") is not None and not im.mode.startswith("I")
        alpha = digest(im.convert("RGBA")) if clear else "-"
    except Exception:
        return f"error 0 0 {name} -"
    return f"{digest(rgb)} {im.width} {im.height} {name} {alpha}"


def digest(im):
    return hashlib.sha256(im.tobytes()).hexdigest()


def write_hashes(folder, out=None):
    warnings.simplefilter("ignore")
    lines = [line(os.path.join(folder, n), n) for n in sorted(os.listdir(folder)) if os.path.isfile(os.path.join(folder, n))]
    with open(out or folder + "/hashes.txt", "w") as f:
        f.write("".join(l + "\n" for l in lines if l))


if __name__ == "__main__":
    write_hashes(*sys.argv[1:])
