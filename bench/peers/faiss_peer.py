"""faiss: exact inner products with a flat index.  Its product is OpenBLAS's; OPENBLAS_CORETYPE as for blas_peer."""
import os

import numpy as np

from peer import Unknown


def load(case, setting):
    import faiss
    if case.name != "topk" or case.half:
        raise Unknown("faiss is measured on exact float32 search")
    faiss.omp_set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "0")) or faiss.omp_get_max_threads())
    rng = np.random.default_rng(1)
    unit = lambda n: (lambda x: x / np.linalg.norm(x, axis=1, keepdims=True))(rng.standard_normal((n, 512), dtype=np.float32))
    index, m = faiss.IndexFlatIP(512), case.size("m", 567000)
    for a in range(0, m, 100000):
        index.add(unit(min(100000, m - a)))
    query = unit(case.size("q"))
    return lambda: index.search(query, 64), faiss.__version__, "IndexFlatIP, OPENBLAS_CORETYPE " + os.environ.get("OPENBLAS_CORETYPE", "not set")
