"""PyTorch on the GPU at the sizes that `syntic bench kernel --json` wrote to a file: torch_cuda.py FILE [--dry]. JSON lines {"peer", "op", "dims", …}.

Float32 as ours, without TF32. Each is the fastest of the settings that torch has for it: eager, or a backend of scaled_dot_product_attention. A
convolution or product here has no epilogue. --dry runs on the CPU, to try the script: its times mean nothing.
"""
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

DRY = "--dry" in sys.argv
DEVICE = "cpu" if DRY else "cuda"
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
torch.backends.cudnn.benchmark = True


def sync():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def seconds(fn):
    for _ in range(3):
        fn()
    sync()
    n, samples = 1, []
    while True:  # so many together that waiting for the device does not count
        began = time.perf_counter()
        for _ in range(n):
            fn()
        sync()
        took = time.perf_counter() - began
        if took > 2e-3 or DRY:
            break
        n *= 2
    for _ in range(3 if DRY else 11):
        began = time.perf_counter()
        for _ in range(n):
            fn()
        sync()
        samples.append((time.perf_counter() - began) / n)
    return statistics.median(samples)


def report(op, dims, settings):
    """settings: name -> function; those that torch refuses are left out."""
    best = None
    with torch.inference_mode():
        for name, fn in settings.items():
            try:
                took = seconds(fn)
            except RuntimeError:
                continue
            if best is None or took < best[1]:
                best = name, took
    if best:
        print(json.dumps({"peer": "torch", "op": op, "dims": dims, "setting": best[0], "seconds": best[1], "version": torch.__version__}), flush=True)


def rand(*shape):
    return torch.randn(*shape, device=DEVICE)


def gemm(b, m, n, k, ta, tb, e):
    x, y = rand(b, k, m).mT if ta else rand(b, m, k), rand(b, n, k).mT if tb else rand(b, k, n)
    return {"eager": lambda: x @ y}


def softmax(n, c, *_):
    x = rand(n, c)
    return {"eager": lambda: x.softmax(-1)}


def attention(b, n, m, h, d, flags):
    q, k, v = rand(b, n, h, d).transpose(1, 2), rand(b, m, h, d).transpose(1, 2), rand(b, m, h, d).transpose(1, 2)
    causal = bool(flags & 1)

    def by(backend):
        def call():
            with sdpa_kernel(backend):
                F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return call
    return {"default": lambda: F.scaled_dot_product_attention(q, k, v, is_causal=causal), **{b.name: by(b) for b in (SDPBackend.MATH, SDPBackend.EFFICIENT_ATTENTION)}}


def conv(b, h, w, i, o, kh, kw, stride, top, left, *_):
    x = rand(b, i, h, w).to(memory_format=torch.channels_last)
    weight = rand(o, i, kh, kw).to(memory_format=torch.channels_last)
    return {"eager": lambda: F.conv2d(x, weight, stride=stride, padding=(top, left))}


def main():
    makers = {"gemm": gemm, "softmax": softmax, "attention": attention, "conv2d": conv}
    done = set()
    for line in open(sys.argv[1]):
        row = json.loads(line)
        at = row.get("op"), tuple(row.get("dims", ()))
        if at[0] in makers and "variant" in row and at not in done:
            done.add(at)
            report(row["op"], row["dims"], makers[row["op"]](*row["dims"]))


if __name__ == "__main__":
    main()
