// linear_crossentropy, first rung: 64×64 tiles of logits by FFMA in shared memory, each looked at twice: once for log-sum-exp and the logit of the target,
// once more for its gradient, of which a block of at most 4096×4096 is kept for two GEMMs (gemm_tiled_f32): against GEMM and crossentropy it stores
// O(N + V) numbers and that block instead of N·V, and computes one product more. Limit: FFMA, 2·N·V·C FLOP, with gradients 8. float32.
// Measured: not yet, emulated only.
#include "linear_crossentropy.cuh"

KERNEL(linear_crossentropy_stats_f32, 256, 0, const float *x, const float *w, int c, const float *bias, const int *target, i64 row0, i64 col0, int rows, int cols, float *tops, float *sums, float *totals,
       float *hit) {
  SHARED(float, s, [kSmall][kSmall + 1]);
  const int across = (cols + kSmall - 1) / kSmall, tr = block_x() / across, tc = block_x() % across;
  tile_f32(s, x, kF32, row0 + tr * kSmall, rows - tr * kSmall, w, kF32, col0 + tc * kSmall, cols - tc * kSmall, c);
  head_stats<kSmall, false>(s, Words{bias, target, row0, col0, rows, cols}, tr, tc, tops, sums, totals, hit);
}

KERNEL(linear_crossentropy_grad_f32, 256, 0, const float *x, const float *w, int c, const float *bias, const int *target, i64 row0, i64 col0, int rows, int cols, const Counts *counts, float *g, i64 pitch,
       float *dbias) {
  SHARED(float, s, [kSmall][kSmall + 1]);
  const int across = (cols + kSmall - 1) / kSmall, tr = block_x() / across, tc = block_x() % across;
  tile_f32(s, x, kF32, row0 + tr * kSmall, rows - tr * kSmall, w, kF32, col0 + tc * kSmall, cols - tc * kSmall, c);
  head_gradient<kSmall, false>(s, Words{bias, target, row0, col0, rows, cols}, tr, tc, counts, g, pitch, dbias);
}
