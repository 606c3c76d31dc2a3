"""PyTorch on the workloads: eager, channels-last, compiled with frozen weights, and operands that oneDNN has prepacked.

load(case, setting) gives a function that does the work once, the version and a note on the setting.
"""
import math
import os

import torch
import torch.nn.functional as F

import torch_models
from peer import Unknown

torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "0")) or torch.get_num_threads())
torch.manual_seed(1)
BANK, FEATURES, TOPK, TAU = 567000, 512, 64, 0.01
ATTENTION = {  # B, H, N, M, D, causal
    "sd64": (2, 8, 4096, 4096, 40, False), "sd32": (2, 8, 1024, 1024, 80, False), "sd16": (2, 8, 256, 256, 160, False),
    "cross64": (2, 8, 4096, 77, 40, False), "vae": (1, 1, 4096, 4096, 512, False), "detr": (1, 8, 850, 850, 32, False),
    "clip-image": (32, 12, 50, 50, 64, False), "clip-text": (64, 8, 77, 77, 64, True), "decoder": (80, 4, 40, 40, 128, True),
}


def load(case, setting):
    makers = {**torch_models.MAKERS, "gemm": gemm, "attention": attention, "attention-train": attention_train, "infonce": infonce,
              "project": project, "topk": topk, "vocabulary-head": vocabulary_head}
    if case.name not in makers:
        raise Unknown("not measured with torch")
    call = makers[case.name](case, setting)
    if setting == "compile":
        call()  # compiles
    note = {"eager": "eager", "channels_last": "eager, channels-last", "compile": "torch.compile, frozen weights",
            "chunk": "eager, the bank or the pairs by pieces", "sdpa": "scaled_dot_product_attention", "prepacked": "weights prepacked by oneDNN"}[setting]
    return call, torch.__version__, note


def only(setting, *allowed):
    if setting not in allowed:
        raise Unknown(f"not measured with {setting}")


def dtype(case):
    return torch.bfloat16 if case.half else torch.float32


def units(*shape):
    return F.normalize(torch.randn(*shape), dim=-1)


def quiet(fn):
    """fn without gradients."""
    def call():
        with torch.inference_mode():
            fn()
    return call


def gemm(case, setting):
    only(setting, "eager", "prepacked")
    m, n, k = map(int, case.shape.split("x"))
    x, w = torch.randn(m, k, dtype=dtype(case)), torch.randn(n, k, dtype=dtype(case))
    if setting == "eager":
        return quiet(lambda: F.linear(x, w))
    packed = torch.ops.mkldnn._reorder_linear_weight(w, m)
    linear = torch.ops.mkldnn._linear_pointwise
    error = (linear(x, packed, None, "none", [], "").float() - F.linear(x.float(), w.float())).abs().max().item()
    assert error < (1 if case.half else 1e-2) * math.sqrt(k) / 10, f"prepacked product off by {error}"
    return quiet(lambda: linear(x, packed, None, "none", [], ""))


def operands(case, grad):
    b, h, n, m, d, causal = ATTENTION[case.shape]
    q, k, v = (torch.randn(b, h, rows, d, dtype=dtype(case), requires_grad=grad) for rows in (n, m, m))
    return q, k, v, causal


def attention(case, setting):
    only(setting, "eager")
    q, k, v, causal = operands(case, False)
    return quiet(lambda: F.scaled_dot_product_attention(q, k, v, is_causal=causal))


def attention_train(case, setting):
    only(setting, "eager")
    q, k, v, causal = operands(case, True)
    weight = torch.randn_like(q)
    return lambda: torch.autograd.grad(F.scaled_dot_product_attention(q, k, v, is_causal=causal), (q, k, v), weight)


def infonce(case, setting):
    only(setting, "eager", "chunk", "compile")
    n = case.size("n")
    x, y = units(n, FEATURES).requires_grad_(), units(n, FEATURES).requires_grad_()
    at = torch.arange(n)

    def loss(x, y):
        logits = 50 * x @ y.T
        return (F.cross_entropy(logits, at) + F.cross_entropy(logits.T, at)) / 2

    if setting == "chunk":
        return lambda: infonce_chunked(x, y, 1024)
    if setting == "compile":
        loss = torch.compile(loss)

    def call():
        with torch.autocast("cpu", torch.bfloat16, enabled=case.half):
            value = loss(x, y)
        torch.autograd.grad(value, (x, y))
    return call


@torch.no_grad()
def infonce_chunked(x, y, size):
    """Loss and gradients in two passes over pieces of the similarities; none is stored whole."""
    n, s = len(x), 50.0
    rows, columns = torch.empty(n), torch.full((n,), -math.inf)
    for a in range(0, n, size):
        part = s * x[a:a + size] @ y.T
        rows[a:a + size] = part.logsumexp(1)
        columns = torch.logaddexp(columns, part.logsumexp(0))
    dx, dy = torch.empty_like(x), torch.zeros_like(y)
    for a in range(0, n, size):
        part = s * x[a:a + size] @ y.T
        g = ((part - rows[a:a + size, None]).exp() + (part - columns).exp()) * (0.5 / n)
        at = torch.arange(len(part))
        g[at, a + at] -= 1 / n
        dx[a:a + size] = s * g @ y
        dy += s * g.T @ x[a:a + size]
    return dx, dy


def bank(case):
    m = case.size("m", BANK)
    return torch.cat([units(min(100000, m - a), FEATURES).to(dtype(case)) for a in range(0, m, 100000)])


def project(case, setting):
    only(setting, "eager", "chunk", "sdpa")
    memory, query = bank(case), units(case.size("q"), FEATURES).to(dtype(case))
    if setting == "eager":
        return quiet(lambda: torch.softmax(query @ memory.T / TAU, 1) @ memory)
    if setting == "sdpa":
        q, m = query[None, None], memory[None, None]
        return quiet(lambda: F.scaled_dot_product_attention(q, m, m, scale=1 / TAU))

    def call():
        top = torch.full((len(query), 1), -math.inf)
        total, out = torch.zeros(len(query), 1), torch.zeros(len(query), FEATURES)
        for a in range(0, len(memory), 16384):
            part = memory[a:a + 16384]
            score = (query @ part.T).float() / TAU
            new = torch.maximum(top, score.amax(1, keepdim=True))
            w, keep = (score - new).exp_(), (top - new).exp()
            total = total * keep + w.sum(1, keepdim=True)
            out = out * keep + (w.to(part.dtype) @ part).float()
            top = new
        return out / total
    return quiet(call)


def topk(case, setting):
    only(setting, "eager", "chunk")
    memory, query = bank(case), units(case.size("q"), FEATURES).to(dtype(case))
    if setting == "eager":
        return quiet(lambda: torch.topk(query @ memory.T, TOPK))

    def call():
        best = at = None
        for a in range(0, len(memory), 16384):
            score, index = torch.topk(query @ memory[a:a + 16384].T, TOPK)
            index += a
            if best is not None:
                score, index = torch.cat([best, score], 1), torch.cat([at, index], 1)
                score, i = torch.topk(score, TOPK)
                index = index.gather(1, i)
            best, at = score, index
    return quiet(call)


def vocabulary_head(case, setting):
    only(setting, "eager", "compile")
    n = case.size("t")
    h, table = torch.randn(n, 512, requires_grad=True), (torch.randn(49408, 512) * 0.05).requires_grad_()
    target = torch.arange(n) * 104729 % 49408
    loss = lambda h, table: F.cross_entropy(F.linear(h, table), target)
    if setting == "compile":
        loss = torch.compile(loss)

    def call():
        with torch.autocast("cpu", torch.bfloat16, enabled=case.half):
            value = loss(h, table)
        torch.autograd.grad(value, (h, table))
    return call
