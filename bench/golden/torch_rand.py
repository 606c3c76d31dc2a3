"""Normal numbers of torch's CPU generator: python torch_rand.py OUT_FILE.json

For each seed and list of sizes, drawn in turn from one generator: the start of the SHA-256 of all numbers as little-endian float32, and the first
of them. Made with torch 2.15.0 on a machine with AVX2.
"""
import hashlib
import json
import sys

import torch

SEEDS = [0, 1, 42, 1234, 2**31 - 1, 2**32 - 1, 2**32 + 5, 2**40, 2**63 - 1]
RUNS = [[n] for n in (*range(1, 50), 63, 64, 65, 100, 127, 128, 129, 1000, 4095, 4 * 64 * 64, 4 * 96 * 61, 300007)]
RUNS += [[3, 16, 2, 5, 33, 1, 1, 20], [15, 15, 17, 15], [1] * 30, [256] * 21, [624, 312, 16, 1, 16, 1, 4]]


def draw(seed, sizes):
    g = torch.Generator("cpu").manual_seed(seed)
    return torch.cat([torch.randn(n, generator=g) for n in sizes])


lines = []
for seed in SEEDS:
    for sizes in RUNS:
        v = draw(seed, sizes)
        hash = hashlib.sha256(v.numpy().astype("<f4").tobytes()).hexdigest()[:16]
        lines.append(json.dumps(dict(seed=seed, sizes=sizes, hash=hash, first=[float(x) for x in v[:2]])))
with open(sys.argv[1], "w") as f:
    f.write("[\n" + ",\n".join(lines) + "\n]\n")
