// Top-k search, second rung (topk.cu tells how): 64×64 tiles of dot products by FFMA leave the maxima of chunks of 32 rows; the bank is read once for
// 64 queries. float32 sums, operands of any float format. Limit: FFMA, 2·N·M·D FLOP; few queries leave most of a tile idle.
// Measured: not yet, emulated only.
#include "tile.cuh"

KERNEL(topk_max_f32, 256, 0, const void *query, int dtype_q, const void *mem, int dtype_m, const int *exclude, i64 q0, int rows, i64 m, int d, float *maxima, i64 chunks) {
  SHARED(float, s, [kSmall][kSmall + 1]);
  const int across = (int)((m + kSmall - 1) / kSmall), r0 = block_x() / across * kSmall;
  const i64 c0 = (i64)(block_x() % across) * kSmall;
  const int cols = m - c0 < kSmall ? (int)(m - c0) : kSmall;
  tile_f32(s, query, dtype_q, q0 + r0, rows - r0, mem, dtype_m, c0, cols, d);
  tile_exclude<kSmall>(s, rows - r0, cols, exclude ? exclude + q0 + r0 : nullptr, c0);
  tile_chunks<kSmall>(s, rows - r0, cols, maxima + r0 * chunks + c0 / kChunk, chunks);
}

// scores of the rows of the c chosen chunks, −∞ beyond the bank and for the excluded row: one block a query, one thread a row
KERNEL(topk_score_f32, 256, 0, const void *query, int dtype_q, const void *mem, int dtype_m, const int *exclude, i64 q0, i64 m, int d, const int *chosen, int c, float *candidates) {
  const i64 q = q0 + block_x(), out = exclude ? exclude[q] : -1;
  for (int e = thread_x(); e < c * kChunk; e += 256) {
    const i64 j = (i64)chosen[(i64)block_x() * c + e / kChunk] * kChunk + e % kChunk;
    candidates[(i64)block_x() * c * kChunk + e] = j < m && j != out ? dot_f32(query, dtype_q, q, mem, dtype_m, j, d) : -INF_;
  }
}
