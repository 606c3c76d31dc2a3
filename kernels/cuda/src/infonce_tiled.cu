// InfoNCE, second rung: 64×64 tiles of similarities by FFMA in shared memory, each looked at twice: once for log-sum-exp of rows and columns together,
// once more for its gradient, of which a block of at most 4096×4096 is kept for two GEMMs (gemm_tiled_f32). O(N + M) numbers and that block.
// Limit: FFMA, 8·N·M·D FLOP. float32. Measured: not yet, emulated only.
#include "infonce.cuh"

// hit[n] = scale · ⟨x[n], y[target n]⟩, the bits of the tiles
KERNEL(infonce_hit_f32, 256, 0, const void *x, int dtype_x, const void *y, int dtype_y, const float *scale, const int *target, float *hit, i64 n, int d) {
  const i64 i = global_thread();
  if (i < n) hit[i] = dot_f32(x, dtype_x, i, y, dtype_y, target ? target[i] : i, d) * *scale;
}

KERNEL(infonce_stats_f32, 256, 0, const void *x, int dtype_x, const void *y, int dtype_y, int d, const float *scale, const float *hit, const int *target, i64 row0, i64 col0, int rows, int cols,
       float *row_top, float *row_sum, int *rank, float *col_top, float *col_sum) {
  SHARED(float, s, [kSmall][kSmall + 1]);
  const int across = (cols + kSmall - 1) / kSmall, tr = block_x() / across, tc = block_x() % across;
  const Pass p = {scale, hit, target, row0, col0, rows, cols};
  tile_f32(s, x, dtype_x, row0 + tr * kSmall, rows - tr * kSmall, y, dtype_y, col0 + tc * kSmall, cols - tc * kSmall, d);
  nce_stats<kSmall, false>(s, p, tr, tc, row_top, row_sum, rank, col_top, col_sum);
}

KERNEL(infonce_grad_f32, 256, 0, const void *x, int dtype_x, const void *y, int dtype_y, int d, const float *scale, const int *target, i64 row0, i64 col0, int rows, int cols, const float *row_top,
       const float *row_own, const float *col_top, const float *col_own, float both, float *g, i64 pitch, double *slots, int first) {
  SHARED(float, s, [kSmall][kSmall + 1]);
  const int across = (cols + kSmall - 1) / kSmall, tr = block_x() / across, tc = block_x() % across;
  const Pass p = {scale, nullptr, target, row0, col0, rows, cols};
  tile_f32(s, x, dtype_x, row0 + tr * kSmall, rows - tr * kSmall, y, dtype_y, col0 + tc * kSmall, cols - tc * kSmall, d);
  nce_gradient<kSmall, false>(s, p, Own{row_top, row_own, col_top, col_own, both}, tr, tc, g, pitch, slots + block_x(), first);
}
