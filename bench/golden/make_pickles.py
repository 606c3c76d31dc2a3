"""Writes tensor/pickle/testdata: small checkpoints in every form that torch.save and torch.jit.save give, and their tensors as safetensors.

Run: python bench/golden/make_pickles.py tensor/pickle/testdata   (torch, numpy, safetensors)
"""
import argparse
import collections
import gzip
import json
import sys
import types

import numpy as np
import torch
from safetensors.torch import save_file

out = sys.argv[1]
torch.manual_seed(3)


def tensors():
    """Every element type, views, shared storages, sizes 0 and no sizes at all."""
    base = torch.randn(4, 6)
    return collections.OrderedDict([
        ("f32", torch.randn(2, 3)), ("f64", torch.randn(3, dtype=torch.float64)), ("f16", torch.randn(5).half()), ("bf16", torch.randn(2, 2).bfloat16()),
        ("i64", torch.arange(-2, 3)), ("i32", torch.arange(4, dtype=torch.int32).reshape(2, 2)), ("i16", torch.tensor([-300, 300], dtype=torch.int16)),
        ("i8", torch.tensor([-128, 127], dtype=torch.int8)), ("u8", torch.tensor([0, 255], dtype=torch.uint8)), ("bool", torch.tensor([True, False, True])),
        ("base", base), ("transposed", base.t()), ("columns", base[:, 1:5:2]), ("rows", base[2:]), ("permuted", torch.arange(24.).reshape(2, 3, 4).permute(2, 0, 1)),
        ("expanded", torch.tensor([1.5, 2.5]).reshape(2, 1).expand(2, 3)), ("scalar", torch.tensor(2.5)), ("empty", torch.zeros(0, 3)),
        ("param", torch.nn.Parameter(torch.randn(3))), ("channels_last", torch.arange(24.).reshape(1, 2, 3, 4).to(memory_format=torch.channels_last)),
    ])


def write(name, tree, want, **kw):
    torch.save(tree, f"{out}/{name}", **kw)
    save_file({k: v.detach().clone().contiguous() for k, v in want.items()}, f"{out}/{name}.safetensors")


t = tensors()
write("types.pt", t, t)
write("types_legacy.pt", t, t, _use_new_zipfile_serialization=False)
write("types_protocol4.pt", t, t, pickle_protocol=4)

net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
write("module_state.bin", net.state_dict(), net.state_dict())
write("module_state_legacy.pth", net.state_dict(), net.state_dict(), _use_new_zipfile_serialization=False)

# What a training writes: the weights beside everything else. ModelCheckpoint stands for pytorch_lightning's, whose class is a key of its callbacks.
lightning = types.ModuleType("pytorch_lightning.callbacks.model_checkpoint")
ModelCheckpoint = type("ModelCheckpoint", (), {"__module__": lightning.__name__})
lightning.ModelCheckpoint = ModelCheckpoint
for n in ("pytorch_lightning", "pytorch_lightning.callbacks", lightning.__name__):
    sys.modules[n] = lightning
opt = torch.optim.AdamW(net.parameters(), lr=1e-3)
net(torch.randn(4, 3)).sum().backward()
opt.step()
ckpt = {"epoch": 3, "global_step": 470000, "pytorch-lightning_version": "1.4.2", "state_dict": net.state_dict(),
        "callbacks": {ModelCheckpoint: {"monitor": None, "best_model_score": np.float64(0.25), "current_score": np.float32(1.5), "count": np.int64(7)}},
        "optimizer_states": [opt.state_dict()], "lr_schedulers": [{"last_lr": [1e-3]}], "args": argparse.Namespace(lr=1e-4, name="x", flags=[1, None, True]),
        "numbers": {"big": 1 << 62, "negative": -5, "float": 0.1, "bytes": b"\x00\xff", "size": torch.Size([2, 3])}}
write("training.ckpt", ckpt, net.state_dict())
write("training_legacy.ckpt", ckpt, net.state_dict(), _use_new_zipfile_serialization=False)
write("list.pt", [torch.ones(2), {"a": torch.zeros(1)}], {"0": torch.ones(2), "1.a": torch.zeros(1)})
write("one.pt", torch.ones(2, 2), {"tensor": torch.ones(2, 2)})


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
        self.register_buffer("mask", torch.tril(torch.ones(2, 2)))
        self.scale = torch.nn.Parameter(torch.ones([]))
        self.width = 2
        self.sizes, self.table, self.flags = [1, 2], {"a": 1.5}, [True, False]

    def forward(self, x):
        return self.layers(x) * self.scale + self.mask + len(self.sizes) + self.table["a"] + len(self.flags)


block = Block()
torch.jit.save(torch.jit.script(block), f"{out}/script.pt")
save_file({k: v.clone() for k, v in block.state_dict().items()}, f"{out}/script.pt.safetensors")
