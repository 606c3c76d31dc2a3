// Top-k search, third rung (topk.cu tells how): 128×128 tiles by mma.sync, three stages of cp.async, banks of bfloat16 or float16 read in place, once for
// 128 queries: with fewer the bank's bytes over bandwidth are the limit, the idle rows cost tensor time that is hidden behind them; with more,
// mma.sync. D a multiple of 8. At most 128 registers, no spills. Measured: not yet, emulated only.
#include "tile.cuh"

template <class T> DEV void maxima_of(const T *query, i64 ld, const T *mem, const int *exclude, i64 q0, int rows, i64 m, int d, float *maxima, i64 chunks) {
  SHARED_DYNAMIC(unsigned char, smem);
  const int across = (int)((m + kTile - 1) / kTile), r0 = block_x() / across * kTile;
  const i64 c0 = (i64)(block_x() % across) * kTile;
  const int cols = m - c0 < kTile ? (int)(m - c0) : kTile;
  scores_mma<3>(smem, query + (q0 + r0) * ld, ld, rows - r0, mem + c0 * d, d, cols, d);
  float(*s)[kTile + 1] = (float(*)[kTile + 1])smem;
  tile_exclude<kTile>(s, rows - r0, cols, exclude ? exclude + q0 + r0 : nullptr, c0);
  tile_chunks<kTile>(s, rows - r0, cols, maxima + r0 * chunks + c0 / kChunk, chunks);
}
KERNEL(topk_max_bf16, 256, tile_bytes(3), const bf16 *query, i64 ld, const bf16 *mem, const int *exclude, i64 q0, int rows, i64 m, int d, float *maxima, i64 chunks) {
  maxima_of(query, ld, mem, exclude, q0, rows, m, d, maxima, chunks);
}
KERNEL(topk_max_f16, 256, tile_bytes(3), const f16 *query, i64 ld, const f16 *mem, const int *exclude, i64 q0, int rows, i64 m, int d, float *maxima, i64 chunks) {
  maxima_of(query, ld, mem, exclude, q0, rows, m, d, maxima, chunks);
}

// scores of the rows of the c chosen chunks: one block a query, a warp eight rows
template <class T> DEV void score(const T *query, i64 ld, const T *mem, const int *exclude, i64 q0, i64 m, int d, const int *chosen, int c, float *candidates) {
  const i64 q = q0 + block_x(), out = exclude ? exclude[q] : -1;
  for (int e = warp_id() * 8; e < c * kChunk; e += 64) {
    const int i = e + lane_id() / 4;
    const i64 j = (i64)chosen[(i64)block_x() * c + i / kChunk] * kChunk + i % kChunk;
    const float s = pair_mma(query + q * ld, mem + (j < m ? j : 0) * d, d);
    if (has_pair()) candidates[(i64)block_x() * c * kChunk + i] = j < m && j != out ? s : -INF_;
  }
}
KERNEL(topk_score_bf16, 256, 0, const bf16 *query, i64 ld, const bf16 *mem, const int *exclude, i64 q0, i64 m, int d, const int *chosen, int c, float *candidates) {
  score(query, ld, mem, exclude, q0, m, d, chosen, c, candidates);
}
KERNEL(topk_score_f16, 256, 0, const f16 *query, i64 ld, const f16 *mem, const int *exclude, i64 q0, i64 m, int d, const int *chosen, int c, float *candidates) {
  score(query, ld, mem, exclude, q0, m, d, chosen, c, candidates);
}
