"""OpenBLAS on matrix products: the one inside NumPy as it is shipped, and the newest (package scipy-openblas32), which the caller makes take its
AVX-512 kernels by OPENBLAS_CORETYPE.  The note says which kernels it took.
"""
import ctypes
import glob
import os

import numpy as np

from peer import Unknown


def load(case, setting):
    if case.name != "gemm" or case.half:
        raise Unknown("OpenBLAS is measured on float32 products")
    m, n, k = map(int, case.shape.split("x"))
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((m, k), dtype=np.float32), rng.standard_normal((k, n), dtype=np.float32)
    c = np.zeros((m, n), dtype=np.float32)
    if setting == "numpy":
        blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return lambda: np.dot(a, b, out=c), np.__version__, f"{blas['name']} {blas['version']}, as shipped"
    import scipy_openblas32 as blas
    lib = ctypes.CDLL(glob.glob(os.path.join(blas.get_lib_dir(), "libscipy_openblas*.so*"))[0])
    pointer = lambda x: x.ctypes.data_as(ctypes.c_void_p)
    product = lib.scipy_cblas_sgemm
    args = (101, 111, 111, m, n, k, ctypes.c_float(1), pointer(a), k, pointer(b), n, ctypes.c_float(0), pointer(c), n)  # row major, no transposes
    product(*args)
    assert np.allclose(c[:4], a[:4] @ b, rtol=1e-3, atol=1e-2), "the product is wrong"
    lib.scipy_openblas_get_corename.restype = ctypes.c_char_p
    lib.scipy_openblas_get_config.restype = ctypes.c_char_p
    return lambda: product(*args), lib.scipy_openblas_get_config().decode().split()[1], "kernels for " + lib.scipy_openblas_get_corename().decode()
