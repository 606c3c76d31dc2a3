"""Writes dtypes.safetensors and dtypes.json: one tensor per element type. Needs numpy and safetensors."""
import json
import numpy as np
from safetensors import TensorSpec, serialize_file

r = np.random.default_rng(5)
v = {}
for name, t in (("F64", "f8"), ("F32", "f4"), ("F16", "f2")):
    a = np.concatenate([r.standard_normal(9), [0.0, -0.0, 1e-7, 6e-8, 65504, -2.0**-14]]).astype("<" + t)
    v[name] = (a.reshape(3, 5), a.astype("<f4").astype("f8"))
b = np.array([0x0000, 0x8000, 0x3f80, 0xc049, 0x0001, 0x7f7f, 0x4228, 0xbeaa], "<u2")
v["BF16"] = (b.reshape(2, 2, 2), (b.astype("<u4") << 16).view("<f4").astype("f8"))
for name, t in (("I64", "i8"), ("I32", "i4"), ("I16", "i2"), ("I8", "i1"), ("U8", "u1"), ("U16", "u2"), ("U32", "u4")):
    i = np.iinfo(t)
    a = np.concatenate([[i.min, i.max], r.integers(max(i.min, -10**6), min(i.max, 10**6), 5)]).astype("<" + t)
    v[name] = (a, a)
v["BOOL"] = (np.array([True, False, True]), np.array([1, 0, 1]))
T = dict(F64="float64", F32="float32", F16="float16", BF16="bfloat16", I64="int64", I32="int32", I16="int16", I8="int8", U8="uint8", U16="uint16", U32="uint32", BOOL="bool")
t = {"all." + k: (T[k], a) for k, (a, _) in v.items()}
t["scalar <&>"] = ("float32", np.array(1.5, "<f4"))
t["empty \u00e9"] = ("float32", np.zeros((0, 4), "<f4"))
spec = {k: TensorSpec(dtype=n, shape=list(a.shape), data_ptr=a.ctypes.data, data_len=a.nbytes) for k, (n, a) in t.items()}
serialize_file(spec, "dtypes.safetensors", {"format": "np"})
json.dump({k: [int(x) if "int" in str(w.dtype) else float(x) for x in w.ravel()] for k, (_, w) in v.items()}, open("dtypes.json", "w"))
