// out[b] = act(alpha · A[b] · B[b]ᵀ + bias + residual[b]) (+ out[b]) by mma.sync of 16-bit or tf32 operands, sums in float32, one launch with its epilogue.
// Third rung, after gemm_tiled: 128×128 tiles, slabs of 64 bytes through three stages of cp.async. Both operands lie in rows along K, `ld` apart, a
// multiple of 16 bytes; round_* lay them so, transposed where they must be. Limit: mma.sync. Measured: not yet, emulated only.
#include "product.cuh"

// to[b][r][l] = x[b]'s element (r, l), rounded; x is [rows, depth], with trans [depth, rows], of any float format
template <class T> DEV void round_rows(const void *x, int dtype, T *to, i64 n, int rows, int depth, i64 ld, int trans) {
  const i64 i = global_thread();
  if (i >= n) return;
  const i64 l = i % ld, r = i / ld % rows, b = i / ld / rows;
  store(to + i, l < depth ? load_any(x, dtype, b * rows * depth + (trans ? l * rows + r : r * depth + l)) : 0.f);
}
KERNEL(round_rows_bf16, 256, 0, const void *x, int dtype, bf16 *to, i64 n, int rows, int depth, i64 ld, int trans) { round_rows(x, dtype, to, n, rows, depth, ld, trans); }
KERNEL(round_rows_f16, 256, 0, const void *x, int dtype, f16 *to, i64 n, int rows, int depth, i64 ld, int trans) { round_rows(x, dtype, to, n, rows, depth, ld, trans); }
KERNEL(round_rows_tf32, 256, 0, const void *x, int dtype, tf32 *to, i64 n, int rows, int depth, i64 ld, int trans) { round_rows(x, dtype, to, n, rows, depth, ld, trans); }

template <class T>
DEV void gemm_mma(const T *a, const T *b, i64 lda, i64 ldb, float *out, const float *bias, const float *residual, int m, int n, int k, i64 step_a, i64 step_b, float alpha, int accumulate, int f) {
  SHARED_DYNAMIC(unsigned char, smem);
  const int across = (n + kTile - 1) / kTile, down = (m + kTile - 1) / kTile;
  const int col0 = block_x() % across * kTile, row0 = block_x() / across % down * kTile;
  const i64 batch = block_x() / across / down, at = batch * m * n;
  float acc[4][4][4] = {};
  tile_mma<false, false, 3>(smem, a + batch * step_a + row0 * lda, lda, m - row0, b + batch * step_b + col0 * ldb, ldb, n - col0, k, acc);
  finish(smem, acc, {out + at, bias, residual ? residual + at : nullptr, alpha, accumulate, f}, row0, m, col0, n);
}
#define GEMM(T)                                                                                                                                                \
  KERNEL(gemm_mma_##T, 256, stage_bytes(3), const T *a, const T *b, i64 lda, i64 ldb, float *out, const float *bias, const float *residual, int m, int n, int k, \
         i64 step_a, i64 step_b, float alpha, int accumulate, int f) {                                                                                         \
    gemm_mma(a, b, lda, ldb, out, bias, residual, m, n, k, step_a, step_b, alpha, accumulate, f);                                                              \
  }
GEMM(bf16)
GEMM(f16)
GEMM(tf32)
