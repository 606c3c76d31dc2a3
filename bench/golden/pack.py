"""Packs a folder of images with its hashes.txt, the same bytes every time: python pack.py FOLDER OUT.tar.gz"""
import gzip
import os
import sys
import tarfile


def main(folder, out):
    with open(out, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as z, tarfile.open(fileobj=z, mode="w", format=tarfile.USTAR_FORMAT) as t:
        names = ["hashes.txt"] + [l.split()[3] for l in open(folder + "/hashes.txt")]
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = os.path.getsize(f"{folder}/{name}")
            with open(f"{folder}/{name}", "rb") as f:
                t.addfile(info, f)


if __name__ == "__main__":
    main(*sys.argv[1:])
