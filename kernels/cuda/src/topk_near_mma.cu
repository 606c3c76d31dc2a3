// Exact search by a bank in bfloat16 beside its float32 rows (topk_near.cuh tells how), for many queries: 128×128 tiles of scores of rounded queries by
// mma.sync leave the bounds of chunks; and what both near rungs share. The bank in bfloat16 is read once for 128 queries. Limit: mma.sync, then the
// float32 rows of chunks that may count, some twice k for unit rows. D a multiple of 8. At most 128 registers, no spills. Measured: not yet, emulated only.
#include "tile.cuh"
#include "topk_near.cuh"

// sizes [n, 2] of each query: A and B for sums that lose γ; and, where rounded is not null, the query in bfloat16, ld apart, 0 from d on. A warp a query.
KERNEL(topk_near_queries, 256, 0, const void *query, int dtype, bf16 *rounded, float *sizes, i64 n, int d, int ld, float gamma) {
  const i64 q = (i64)block_x() * 8 + warp_id();
  if (q >= n) return;
  float squares = 0, changes = 0;
  for (int c = lane_id(); c < ld; c += 32) {
    const float x = c < d ? load_any(query, dtype, q * d + c) : 0.f;
    squares = fma_(x, x, squares);
    if (!rounded) continue;
    bf16 h;
    store(&h, x);
    if ((h.bits & 0x7f80) == 0) h.bits = 0;  // so small that products may take it for 0
    rounded[q * ld + c] = h;
    changes = fma_(x - to_f32(h), x - to_f32(h), changes);
  }
  // sums of squares are off by less than a part in 10⁴, and by what is too small for float32
  const float x = sqrt_(warp_sum(squares)) * 1.0001f + 1e-17f, e = rounded ? sqrt_(warp_sum(changes)) * 1.0001f + 1e-17f : 0.f;
  if (lane_id() == 0) sizes[2 * q] = (x + e) * (1 + gamma), sizes[2 * q + 1] = e + gamma * (2 * x + e);
}

// floors[row] is the k-th largest of the chunks' lower bounds; −∞ where there are no more than k chunks, for then all of them count. One block a query.
KERNEL(topk_near_floor, 256, 0, const float *lower, i64 chunks, int k, float *floors) {
  SHARED(float, scratch, [32]);
  const float *v = lower + block_x() * chunks;
  if (chunks <= k) {
    if (thread_x() == 0) floors[block_x()] = -INF_;
    return;
  }
  float least = INF_;
  select_best(v, chunks, k, [&](int, i64 i) { least = fmin_(least, v[i]); });
  least = -block_max(-least, scratch);
  if (thread_x() == 0) floors[block_x()] = least;
}

KERNEL(topk_near_bf16, 256, tile_bytes(3), const bf16 *query, i64 ld, const bf16 *near, const float *bounds, const float *sizes, float tiny, const int *exclude, i64 q0, int rows, i64 m, int d,
       float *upper, float *lower, i64 chunks) {
  SHARED_DYNAMIC(unsigned char, smem);
  const int across = (int)((m + kTile - 1) / kTile), r0 = block_x() / across * kTile;
  const i64 c0 = (i64)(block_x() % across) * kTile;
  const int cols = m - c0 < kTile ? (int)(m - c0) : kTile;
  scores_mma<3>(smem, query + (q0 + r0) * ld, ld, rows - r0, near + c0 * d, d, cols, d);
  float(*s)[kTile + 1] = (float(*)[kTile + 1])smem;
  tile_exclude<kTile>(s, rows - r0, cols, exclude ? exclude + q0 + r0 : nullptr, c0);
  for (int e = thread_x(); e < kTile * (kTile / kChunk); e += 256) {
    const int r = e % kTile, c = e / kTile * kChunk;
    if (r0 + r >= rows || c >= cols) continue;
    const float a = sizes[2 * (q0 + r0 + r)], b = sizes[2 * (q0 + r0 + r) + 1];
    const int end = cols - c < kChunk ? cols : c + kChunk;
    float most = -INF_, least = -INF_;
    for (int i = c; i < end; ++i) within(s[r][i], a, b, bounds[m + c0 + i], bounds[2 * m + c0 + i], tiny, most, least);
    const i64 at = (r0 + r) * chunks + c0 / kChunk + c / kChunk;
    upper[at] = most, lower[at] = least;
  }
}
