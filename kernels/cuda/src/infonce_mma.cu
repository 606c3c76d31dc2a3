// InfoNCE, third and fourth rung: 128×128 tiles of similarities by mma.sync of bfloat16 operands. _mma fetches a slab, then multiplies it; _pipelined
// has the next two slabs under way by cp.async meanwhile. Statistics of rows and columns come from one pass; the gradient's block (bfloat16, at most
// 4096×4096, 32 MB) stays in L2 for the two products (product_mma.cu). Limit: mma.sync, about 63 % of wgmma on Hopper, and two exp a pair.
// At most 128 registers, no spills (two blocks an SM). Measured: not yet, emulated only.
#include "infonce.cuh"

// hit[n] = scale · ⟨x[n], y[target n]⟩, the bits of the tiles; eight a warp
KERNEL(infonce_hit_bf16, 256, 0, const bf16 *x, const bf16 *y, i64 ld, const float *scale, const int *target, float *hit, i64 n) {
  const i64 i = ((i64)block_x() * 8 + warp_id()) * 8 + lane_id() / 4, r = i < n ? i : n - 1;
  const float v = pair_mma(x + r * ld, y + (target ? target[r] : r) * ld, (int)ld);
  if (i < n && has_pair()) hit[i] = v * *scale;
}

template <int kStages>
DEV void stats(const bf16 *x, const bf16 *y, i64 ld, const Pass &p, float *row_top, float *row_sum, int *rank, float *col_top, float *col_sum) {
  SHARED_DYNAMIC(unsigned char, smem);
  const int across = (p.cols + kTile - 1) / kTile, tr = block_x() / across, tc = block_x() % across;
  scores_mma<kStages>(smem, x + (p.row0 + tr * kTile) * ld, ld, p.rows - tr * kTile, y + (p.col0 + tc * kTile) * ld, ld, p.cols - tc * kTile, (int)ld);
  nce_stats<kTile, true>((const float(*)[kTile + 1])smem, p, tr, tc, row_top, row_sum, rank, col_top, col_sum);
}
template <int kStages> DEV void grad(const bf16 *x, const bf16 *y, i64 ld, const Pass &p, const Own &o, bf16 *g, i64 pitch, double *slots, int first) {
  SHARED_DYNAMIC(unsigned char, smem);
  const int across = (p.cols + kTile - 1) / kTile, tr = block_x() / across, tc = block_x() % across;
  scores_mma<kStages>(smem, x + (p.row0 + tr * kTile) * ld, ld, p.rows - tr * kTile, y + (p.col0 + tc * kTile) * ld, ld, p.cols - tc * kTile, (int)ld);
  nce_gradient<kTile, true>((float(*)[kTile + 1])smem, p, o, tr, tc, g, pitch, slots + block_x(), first);
}

KERNEL(infonce_stats_mma, 256, tile_bytes(1), const bf16 *x, const bf16 *y, i64 ld, const float *scale, const float *hit, const int *target, i64 row0, i64 col0, int rows, int cols, float *row_top,
       float *row_sum, int *rank, float *col_top, float *col_sum) {
  stats<1>(x, y, ld, Pass{scale, hit, target, row0, col0, rows, cols}, row_top, row_sum, rank, col_top, col_sum);
}
KERNEL(infonce_stats_pipelined, 256, tile_bytes(3), const bf16 *x, const bf16 *y, i64 ld, const float *scale, const float *hit, const int *target, i64 row0, i64 col0, int rows, int cols,
       float *row_top, float *row_sum, int *rank, float *col_top, float *col_sum) {
  stats<3>(x, y, ld, Pass{scale, hit, target, row0, col0, rows, cols}, row_top, row_sum, rank, col_top, col_sum);
}
KERNEL(infonce_grad_mma, 256, tile_bytes(1), const bf16 *x, const bf16 *y, i64 ld, const float *scale, const int *target, i64 row0, i64 col0, int rows, int cols, const float *row_top,
       const float *row_own, const float *col_top, const float *col_own, float both, bf16 *g, i64 pitch, double *slots, int first) {
  grad<1>(x, y, ld, Pass{scale, nullptr, target, row0, col0, rows, cols}, Own{row_top, row_own, col_top, col_own, both}, g, pitch, slots, first);
}
KERNEL(infonce_grad_pipelined, 256, tile_bytes(3), const bf16 *x, const bf16 *y, i64 ld, const float *scale, const int *target, i64 row0, i64 col0, int rows, int cols, const float *row_top,
       const float *row_own, const float *col_top, const float *col_own, float both, bf16 *g, i64 pitch, double *slots, int first) {
  grad<3>(x, y, ld, Pass{scale, nullptr, target, row0, col0, rows, cols}, Own{row_top, row_own, col_top, col_own, both}, g, pitch, slots, first);
}
