// linear_crossentropy, second rung: 128×128 tiles of logits by mma.sync of bfloat16 or tf32 operands through three stages of cp.async. The gradient's
// block is of that format too (in bfloat16 at most 32 MB, in L2), and both products read it as it lies (product_mma.cu). x and w lie in rows `ld` apart, a multiple of 16 bytes.
// Limit: mma.sync, 2·N·V·C FLOP, with gradients 8, and the tile's way through shared memory; a block's product with W leaves a device
// idle where N is small. At most 128 registers, no spills. Measured: not yet, emulated only.
#include "linear_crossentropy.cuh"

template <class T> DEV void stats(const T *x, const T *w, i64 ld, const Words &p, float *tops, float *sums, float *totals, float *hit) {
  SHARED_DYNAMIC(unsigned char, smem);
  const int across = (p.cols + kTile - 1) / kTile, tr = block_x() / across, tc = block_x() % across;
  scores_mma<3>(smem, x + (p.row0 + tr * kTile) * ld, ld, p.rows - tr * kTile, w + (p.col0 + tc * kTile) * ld, ld, p.cols - tc * kTile, (int)ld);
  head_stats<kTile, true>((float(*)[kTile + 1])smem, p, tr, tc, tops, sums, totals, hit);
}
template <class T> DEV void grad(const T *x, const T *w, i64 ld, const Words &p, const Counts *counts, T *g, i64 pitch, float *dbias) {
  SHARED_DYNAMIC(unsigned char, smem);
  const int across = (p.cols + kTile - 1) / kTile, tr = block_x() / across, tc = block_x() % across;
  scores_mma<3>(smem, x + (p.row0 + tr * kTile) * ld, ld, p.rows - tr * kTile, w + (p.col0 + tc * kTile) * ld, ld, p.cols - tc * kTile, (int)ld);
  head_gradient<kTile, true>((float(*)[kTile + 1])smem, p, tr, tc, counts, g, pitch, dbias);
}

#define HEAD(T)                                                                                                                                                    \
  KERNEL(linear_crossentropy_stats_##T, 256, tile_bytes(3), const T *x, const T *w, i64 ld, const float *bias, const int *target, i64 row0, i64 col0, int rows,   \
         int cols, float *tops, float *sums, float *totals, float *hit) {                                                                                         \
    stats(x, w, ld, Words{bias, target, row0, col0, rows, cols}, tops, sums, totals, hit);                                                                        \
  }                                                                                                                                                               \
  KERNEL(linear_crossentropy_grad_##T, 256, tile_bytes(3), const T *x, const T *w, i64 ld, const float *bias, const int *target, i64 row0, i64 col0, int rows,    \
         int cols, const Counts *counts, T *g, i64 pitch, float *dbias) {                                                            \
    grad(x, w, ld, Words{bias, target, row0, col0, rows, cols}, counts, g, pitch, dbias);                                                   \
  }
HEAD(bf16)
HEAD(tf32)
