// out[b] = act(alpha · A[b] · B[b] + bias + residual[b]) (+ out[b]) by wgmma of 16-bit operands, sums in float32, epilogue on the registers.
// Fourth rung, after gemm_mma: Hopper's tensor cores are fed by the tensor memory accelerator through a ring of 192 KB (wgmma.cuh), tiles of 128×256 or
// 128×128, one block a multiprocessor goes through its share of them. Either operand may lie with K innermost or not (nt, nn, tn: as A·B is
// written in BLAS), so the products of InfoNCE's gradient take these kernels too. Limit: L2, 48 bytes a cycle of wgmma for tiles of 128×256 without
// clusters, and an epilogue that does not overlap with products. Measured: not yet, emulated only.
#include "wgmma_out.cuh"

struct Rows {
  int m;
  DEV_METHOD i64 index(const Spot &t, int r) const { return t.row + r < m ? (i64)t.batch * m + t.row + r : -1; }
};

#define GEMM(name, T, TA, TB, N)                                                                                                            \
  KERNEL(gemm_wgmma_##name, kThreads, kRingBytes, GRID_CONSTANT TensorMap a, GRID_CONSTANT TensorMap b, int step_a, int step_b, float *out, \
         const float *bias, const float *residual, int batch, int m, int n, int first, int slabs, float alpha, int accumulate, int f) {     \
    wgmma_tiles<TA, TB, N, T>(Matrices<TA, TB>{a, b, step_a, step_b}, Sweep{(m + kHigh - 1) / kHigh, (n + N - 1) / N, batch, first, slabs}, \
                              Epilogue<Rows>{Rows{m}, out, bias, residual, n, alpha, accumulate, f});                                       \
  }
#define GEMMS(T, N) GEMM(nt_##T##_##N, T, 0, 0, N) GEMM(nn_##T##_##N, T, 0, 1, N) GEMM(tn_##T##_##N, T, 1, 1, N)
GEMMS(bf16, 256)
GEMMS(bf16, 128)
GEMMS(f16, 256)
GEMMS(f16, 128)
