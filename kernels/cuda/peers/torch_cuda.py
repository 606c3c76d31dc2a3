"""PyTorch on the GPU at the sizes that `syntic bench kernel --json` wrote to a file: torch_cuda.py FILE [--dry]. JSON lines {"peer", "op", "dims", …};
with --models, where diffusers and transformers are installed, also whole models of random weights: {"peer", "case", …}.

In bfloat16, float16 and float32 ("format"), the last without TF32; ours by the same format are what compares. Each is the fastest of the settings that torch has for it: eager, compile, a backend of scaled_dot_product_attention, for InfoNCE also tiles
that keep no similarities (as Inf-CL, arXiv 2410.17243, in plain torch). "all" has the others. What torch refuses is told on stderr. A
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
FORMATS = {"bf16": torch.bfloat16, "f32": torch.float32, "f16": torch.float16}
dtype = torch.float32  # of what rand makes


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


def report(op, dims, settings, form="f32"):
    """settings: name -> function; those that torch refuses are left out."""
    took = {}
    with torch.inference_mode():
        for name, fn in settings.items():
            try:
                took[name] = seconds(fn)
            except Exception as e:  # memory, a backend that does not take the sizes, a compiler that is not there
                print(f"{op} {dims} {name}: {type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}", file=sys.stderr)
    if took:
        best = min(took, key=took.get)
        row = {"peer": "torch", **({"case": dims} if op is None else {"op": op, "dims": dims}), "format": form, "setting": best, "seconds": took[best], "all": took, "version": torch.__version__}
        print(json.dumps(row), flush=True)


def rand(*shape):
    return torch.randn(*shape, device=DEVICE).to(dtype)


def gemm(b, m, n, k, ta, tb, e):
    x, y = rand(b, k, m).mT if ta else rand(b, m, k), rand(b, n, k).mT if tb else rand(b, k, n)
    return {"eager": lambda: x @ y}


def softmax(n, c, *_):
    x = rand(n, c)
    return {"eager": lambda: x.softmax(-1)}


def attention(b, n, m, h, d, flags):
    q, k, v = (t.transpose(1, 2) for t in (rand(b, n, 3, h, d).unbind(2) if flags & 64 else (rand(b, n, h, d), rand(b, m, h, d), rand(b, m, h, d))))  # 64: packed
    causal = bool(flags & 1)

    def by(backend):
        def call():
            with sdpa_kernel(backend):
                F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return call
    return {"default": lambda: F.scaled_dot_product_attention(q, k, v, is_causal=causal), **{b.name: by(b) for b in BACKENDS}}


BACKENDS = (SDPBackend.MATH, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION)


def attention_grad(b, n, m, h, d, flags):
    """The backward alone: the forward's graph is kept."""
    with torch.inference_mode(False), torch.enable_grad():
        q, k, v = (rand(b, x, h, d).transpose(1, 2).detach().requires_grad_(True) for x in (n, m, m))
        grad = rand(b, n, h, d).transpose(1, 2)
    causal = bool(flags & 1)

    def by(backends):
        out = []

        def call():
            with torch.inference_mode(False), torch.enable_grad():
                if not out:
                    with sdpa_kernel(backends):
                        out.append(F.scaled_dot_product_attention(q, k, v, is_causal=causal))
                torch.autograd.grad(out[0], (q, k, v), grad, retain_graph=True)
        return call
    return {"default": by(list(BACKENDS)), **{b.name: by(b) for b in BACKENDS}}


def conv(b, h, w, i, o, kh, kw, stride, top, left, *_):
    x = rand(b, i, h, w).to(memory_format=torch.channels_last)
    weight = rand(o, i, kh, kw).to(memory_format=torch.channels_last)
    return {"eager": lambda: F.conv2d(x, weight, stride=stride, padding=(top, left))}


def conv_grad(by_weight):
    """The gradient with respect to x alone, or to weight and, where ours makes it, bias."""
    def make(b, h, w, i, o, kh, kw, stride, top, left, *rest):
        x = rand(b, i, h, w).to(memory_format=torch.channels_last)
        weight = rand(o, i, kh, kw).to(memory_format=torch.channels_last)
        grad = torch.randn_like(F.conv2d(x, weight, stride=stride, padding=(top, left)))
        mask = [not by_weight, by_weight, by_weight and bool(rest[-1] & 1)]
        sizes = [o] if mask[2] else None
        return {"eager": lambda: torch.ops.aten.convolution_backward(grad, x, weight, sizes, [stride] * 2, [top, left], [1, 1], False, [0, 0], 1, mask)}
    return make


def compiled(fn):
    return torch.compile(fn)


def infonce(n, m, d, flags, *_):
    if n != m:
        return {}
    x, y = (F.normalize(rand(n, d)).requires_grad_(True) for _ in range(2))
    target, scale = torch.arange(n, device=DEVICE), 50.0

    def loss(x, y):
        s = scale * x @ y.T
        return (F.cross_entropy(s, target) + F.cross_entropy(s.T, target)) / 2

    def trained(loss):
        def call():
            with torch.inference_mode(False), torch.enable_grad():
                x.grad = y.grad = None
                loss(x, y).backward()
        return call

    def tiles(side=4096):
        with torch.no_grad():
            blocks = [slice(i, min(i + side, n)) for i in range(0, n, side)]
            rows, cols = (torch.full((n,), -torch.inf, device=DEVICE) for _ in range(2))
            for i in blocks:
                for j in blocks:
                    s = (scale * x[i] @ y[j].T).float()
                    rows[i], cols[j] = torch.logaddexp(rows[i], s.logsumexp(1)), torch.logaddexp(cols[j], s.logsumexp(0))
            dx, dy = -2 * scale * y.detach().float(), -2 * scale * x.detach().float()
            for i in blocks:
                for j in blocks:
                    s = (scale * x[i] @ y[j].T).float()
                    p = (scale * ((s - rows[i, None]).exp() + (s - cols[None, j]).exp())).to(x.dtype)
                    dx[i] += p @ y[j]
                    dy[j] += p.T @ x[i]
            return dx / (2 * n), dy / (2 * n)
    return {"eager": trained(loss), "compile": trained(compiled(loss)), "tiles": tiles}


def linear_crossentropy(n, v, c, flags):
    """With the gradients that ours makes; every fourth row does not count."""
    x, w = rand(n, c).requires_grad_(bool(flags & 2)), rand(v, c).requires_grad_(bool(flags & 4))
    bias = rand(v).requires_grad_(bool(flags & 32)) if flags & 224 else None
    weight = torch.rand(n, device=DEVICE) if flags & 1 else None
    target = torch.randint(v, (n,), device=DEVICE)
    target[3::4] = -100

    def loss(x, w, bias):
        rows = F.cross_entropy(F.linear(x, w, bias).float(), target, reduction="none" if flags & 1 else "mean", label_smoothing=0.1 if flags & 16 else 0.0)
        return rows if weight is None else (rows * weight).sum() / (weight * (target >= 0)).sum()

    def trained(loss):
        def call():
            with torch.inference_mode(False), torch.enable_grad():
                for t in (x, w, bias):
                    if t is not None:
                        t.grad = None
                value = loss(x, w, bias)
                if value.requires_grad:
                    value.backward()
        return call
    return {"eager": trained(loss), "compile": trained(compiled(loss))}


def topk(n, m, d, k, *_):
    q, mem = F.normalize(rand(n, d)), F.normalize(rand(m, d))
    call = lambda: (q @ mem.T).topk(k)  # noqa: E731
    return {"eager": call, "compile": compiled(call)}


def project(n, m, d, k, *_):
    q, mem = F.normalize(rand(n, d)), F.normalize(rand(m, d))

    def call():
        s = q @ mem.T
        if k == 0:
            return (s / 0.05).softmax(-1) @ mem
        v, i = s.topk(k)
        return ((v / 0.05).softmax(-1)[:, None] @ mem[i])[:, 0]
    return {"eager": call, "compile": compiled(call)}


def models():
    """Whole models at the sizes of `syntic bench model`, in float32 as ours there."""
    try:
        from diffusers import UNet2DConditionModel
        from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
    except ImportError as e:
        print(f"models left out: {e}", file=sys.stderr)
        return
    size = {"sample_size": 8, "block_out_channels": (32, 64), "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"), "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
            "layers_per_block": 1, "attention_head_dim": 8} if DRY else {"sample_size": 64, "attention_head_dim": 8}
    with torch.device(DEVICE):
        unet = UNet2DConditionModel(cross_attention_dim=768, **size).eval()
        clip = CLIPVisionModelWithProjection(CLIPVisionConfig(num_hidden_layers=1 if DRY else 12, patch_size=32, projection_dim=512)).eval()
    x, text, px = rand(1, 4, size["sample_size"], size["sample_size"]), rand(1, 77, 768), rand(2 if DRY else 32, 3, 224, 224)
    for case, net, args in [("sd-unet/512/f32", unet, (x, 801, text)), ("clip-image/b32/f32", clip, (px,))]:
        report(None, case, {"eager": lambda: net(*args), "compile": lambda fast=compiled(net): fast(*args)})


def main():
    global dtype
    makers = {"gemm": gemm, "softmax": softmax, "attention": attention, "attention_grad": attention_grad, "conv2d": conv, "conv2d_grad_x": conv_grad(False),
              "conv2d_grad_w": conv_grad(True), "linear_crossentropy": linear_crossentropy, "infonce": infonce, "topk": topk, "project_topk": project}
    done = set()
    for line in open(sys.argv[1]):
        row = json.loads(line)
        form = next((f for f in ("bf16", "f16") if row.get("variant", "").endswith(f)), "f32")
        at = row.get("op"), tuple(row.get("dims", ())), form
        if at[0] in makers and "variant" in row and at not in done:
            done.add(at)
            dtype = FORMATS[form]
            report(row["op"], row["dims"], makers[row["op"]](*row["dims"]), form)
    dtype = torch.float32
    if "--models" in sys.argv:
        models()


if __name__ == "__main__":
    main()
