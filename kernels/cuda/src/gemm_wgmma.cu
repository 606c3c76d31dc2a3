// out[b] = act(alpha · A[b] · B[b] + bias + residual[b]) (+ out[b]) by wgmma of 16-bit operands, sums in float32, epilogue on the registers.
// Fourth rung, after gemm_mma: Hopper's tensor cores are fed by the tensor memory accelerator through a ring of 192 KB (wgmma.cuh), tiles of 128×256 or
// 128×128, one block a multiprocessor goes through its share of them. Either operand may lie with K innermost or not (nt, nn, tn, tt: as A·B is
// written in BLAS), so the products of InfoNCE's gradient take these kernels too. Limit: L2, 48 bytes a cycle of wgmma for tiles of 128×256 without
// clusters, and an epilogue that does not overlap with products. Measured: not yet, emulated only.
#include "wgmma.cuh"

struct __attribute__((aligned(8))) vec2 { float x, y; };

// Epilogue is what becomes of a tile.
struct Epilogue {
  float *out;
  const float *bias, *residual;
  int m, n;
  float alpha;
  int accumulate, f;

  DEV_METHOD float finish(float v, i64 at, int col) const {
    v *= alpha;
    if (bias) v += bias[col];
    if (residual) v += residual[at];
    if (accumulate) v += out[at];
    return v;
  }

  template <int M> DEV_METHOD void operator()(float (&acc)[M], const Spot &t) const {
    const bool pairs = n % 2 == 0 && ((u64)out & 7) == 0;
#pragma unroll
    for (int i = 0; i < M; i += 2) {
      const int row = t.row + row_in(i), col = t.col + col_in(i);
      if (row >= m || col >= n) continue;
      const i64 at = ((i64)t.batch * m + row) * n + col;
      const float x = finish(acc[i], at, col);
      if (pairs) {
        *(vec2 *)(out + at) = vec2{x, finish(acc[i + 1], at + 1, col + 1)};
        continue;
      }
      out[at] = x;
      if (col + 1 < n) out[at + 1] = finish(acc[i + 1], at + 1, col + 1);
    }
    if (f == kActNone) return;
    // each thread reads back what it wrote: a loop that is not unrolled holds the activation once
#pragma unroll 1
    for (int i = 0; i < M; ++i) {
      const int row = t.row + row_in(i), col = t.col + col_in(i);
      if (row >= m || col >= n) continue;
      float *o = out + ((i64)t.batch * m + row) * n + col;
      *o = act(f, *o);
    }
  }
};

#define GEMM(name, T, TA, TB, N)                                                                                                                         \
  KERNEL(gemm_wgmma_##name, kThreads, kRingBytes, GRID_CONSTANT TensorMap a, GRID_CONSTANT TensorMap b, int step_a, int step_b, float *out,              \
         const float *bias, const float *residual, int batch, int m, int n, int k0, int k, float alpha, int accumulate, int f) {                          \
    wgmma_tiles<TA, TB, N, T>(a, b, Sweep{(m + kHigh - 1) / kHigh, (n + N - 1) / N, batch, k0, (k + kDeep - 1) / kDeep, step_a, step_b},                  \
                              Epilogue{out, bias, residual, m, n, alpha, accumulate, f});                                                                \
  }
#define GEMMS(T, N) GEMM(nt_##T##_##N, T, 0, 0, N) GEMM(nn_##T##_##N, T, 0, 1, N) GEMM(tn_##T##_##N, T, 1, 1, N) GEMM(tt_##T##_##N, T, 1, 0, N)
GEMMS(bf16, 256)
GEMMS(bf16, 128)
GEMMS(f16, 256)
GEMMS(f16, 128)
