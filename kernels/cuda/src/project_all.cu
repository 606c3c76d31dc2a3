// project_topk with K = 0, all rows of the bank, and its gradient; no similarity is stored but for a block of weights.
//
// project_all_flash_f32, for few queries: one pass with a running softmax, the bank is read once a query; a block has one query and a share of the rows,
// a warp every fourth group of four rows. Limit: bank bytes · queries / bandwidth. project_stats_f32 and the rest, for many: tiles by FFMA, the largest
// and Σ exp of every query first, then blocks of at most 4096×4096 weights for a GEMM (gemm_tiled_f32). Limit: FFMA, 6·N·M·D FLOP, backward 8.
// float32 sums, operands of any float format. Measured: not yet, emulated only.
#include "tile.cuh"

enum { kGroup = 4, kMaxD = 768 };

// One pair of (largest, Σ) and its blend is one share: parts [shares, N, 2 + D].
KERNEL(project_all_flash_f32, 128, 0, const void *query, int dtype_q, const void *mem, int dtype_m, const int *exclude, float *parts, i64 n, i64 m, int d, i64 share, float inv_tau) {
  SHARED(float, merged, [4][2]);
  SHARED(float, blend, [4][kMaxD]);
  const i64 q = block_x() % n, part = block_x() / n, end = (part + 1) * share < m ? (part + 1) * share : m, out = exclude ? exclude[q] : -1;
  const int lane = lane_id(), w = warp_id();
  float top = -INF_, sum = 0, acc[kMaxD / 32] = {};
  for (i64 j0 = part * share + w * kGroup; j0 < end; j0 += 4 * kGroup) {
    float s[kGroup] = {};
#pragma unroll
    for (int i = 0; i < kMaxD / 32; ++i) {
      const int c = i * 32 + lane;
      if (i * 32 >= d) break;
      const float x = c < d ? load_any(query, dtype_q, q * d + c) : 0.f;
#pragma unroll
      for (int g = 0; g < kGroup; ++g)
        if (c < d && j0 + g < end) s[g] = fma_(x, load_any(mem, dtype_m, (j0 + g) * d + c), s[g]);
    }
    float next = top;
#pragma unroll
    for (int g = 0; g < kGroup; ++g) {
      s[g] = warp_sum(s[g]) * inv_tau;
      if (j0 + g >= end || j0 + g == out) s[g] = -INF_;
      next = fmax_(next, s[g]);
    }
    if (next == -INF_) continue;
    const float keep = exp_(top - next);
    sum *= keep, top = next;
#pragma unroll
    for (int g = 0; g < kGroup; ++g) s[g] = exp_(s[g] - next), sum += s[g];
#pragma unroll
    for (int i = 0; i < kMaxD / 32; ++i) {
      const int c = i * 32 + lane;
      if (c >= d) break;
      float a = acc[i] * keep;
#pragma unroll
      for (int g = 0; g < kGroup; ++g)
        if (j0 + g < end) a = fma_(s[g], load_any(mem, dtype_m, (j0 + g) * d + c), a);
      acc[i] = a;
    }
  }
  if (lane == 0) merged[w][0] = top, merged[w][1] = sum;
#pragma unroll
  for (int i = 0; i < kMaxD / 32; ++i)
    if (i * 32 + lane < d) blend[w][i * 32 + lane] = acc[i];
  sync_block();
  float *to = parts + (part * n + q) * (2 + d);
  top = -INF_, sum = 0;
  for (int i = 0; i < 4; ++i) top = fmax_(top, merged[i][0]);
  for (int i = 0; i < 4; ++i) sum += merged[i][1] > 0 ? merged[i][1] * exp_(merged[i][0] - top) : 0.f;
  for (int c = thread_x(); c < d; c += 128) {
    float o = 0;
    for (int i = 0; i < 4; ++i) o += merged[i][1] > 0 ? blend[i][c] * exp_(merged[i][0] - top) : 0.f;
    to[2 + c] = o;
  }
  if (thread_x() == 0) to[0] = top, to[1] = sum;
}
KERNEL(project_all_merge, 128, 0, const float *parts, float *out, i64 n, int d, int shares) {
  const i64 q = block_x(), step = n * (2 + d);
  const float *from = parts + q * (2 + d);
  float top = -INF_, sum = 0;
  for (int i = 0; i < shares; ++i) top = fmax_(top, from[i * step]);
  for (int i = 0; i < shares; ++i) sum += from[i * step + 1] > 0 ? from[i * step + 1] * exp_(from[i * step] - top) : 0.f;
  for (int c = thread_x(); c < d; c += 128) {
    float o = 0;
    for (int i = 0; i < shares; ++i) o += from[i * step + 1] > 0 ? from[i * step + 2 + c] * exp_(from[i * step] - top) : 0.f;
    out[q * d + c] = sum > 0 ? o / sum : 0.f;
  }
}

// A tile of this block's dot products of queries row0.. with rows col0.. of the bank.
struct Block {
  const void *mem;
  int dtype;
  const int *exclude;
  i64 row0, col0;
  int rows, cols, d;
};
DEV int across(const Block &b) { return (b.cols + kSmall - 1) / kSmall; }
DEV void tile_of(float (&s)[kSmall][kSmall + 1], const void *query, int dtype, const Block &b) {
  const int r = block_x() / across(b) * kSmall, c = block_x() % across(b) * kSmall;
  tile_f32(s, query, dtype, b.row0 + r, b.rows - r, b.mem, b.dtype, b.col0 + c, b.cols - c, b.d);
}

// the largest score and Σ exp(score − largest) of each query within each tile: [tile columns, rows]
KERNEL(project_stats_f32, 256, 0, const void *query, int dtype_q, const void *mem, int dtype_m, const int *exclude, i64 row0, i64 col0, int rows, int cols, int d, float inv_tau, float *top,
       float *sum) {
  SHARED(float, s, [kSmall][kSmall + 1]);
  const Block b = {mem, dtype_m, exclude, row0, col0, rows, cols, d};
  const int r = block_x() / across(b) * kSmall, tc = block_x() % across(b);
  tile_of(s, query, dtype_q, b);
  const int left = cols - tc * kSmall < kSmall ? cols - tc * kSmall : kSmall;
  tile_exclude<kSmall>(s, rows - r, left, exclude ? exclude + row0 + r : nullptr, col0 + tc * kSmall);
  tile_stats<kSmall, false>(s, rows - r, left, inv_tau, top + (i64)tc * rows + r, sum + (i64)tc * rows + r, nullptr, nullptr);
}

// w [rows, cols]: softmax weights, or with dout those times (⟨dout, row⟩ − mean)/τ
KERNEL(project_weights_f32, 256, 0, const void *query, int dtype_q, const void *mem, int dtype_m, const int *exclude, i64 row0, i64 col0, int rows, int cols, int d, float inv_tau, const float *top,
       const float *sum, const float *dout, const float *mean, float *w) {
  SHARED(float, s, [kSmall][kSmall + 1]);
  const Block b = {mem, dtype_m, exclude, row0, col0, rows, cols, d};
  const int r0 = block_x() / across(b) * kSmall, c0 = block_x() % across(b) * kSmall, c = c0 + thread_x() % kSmall;
  tile_of(s, query, dtype_q, b);
  tile_exclude<kSmall>(s, rows - r0, cols - c0, exclude ? exclude + row0 + r0 : nullptr, col0 + c0);
  for (int r = thread_x() / kSmall; r < kSmall && r0 + r < rows && c < cols; r += 4) {
    const float x = s[r][thread_x() % kSmall] * inv_tau;
    w[(i64)(r0 + r) * cols + c] = x == -INF_ ? 0.f : exp_(x - top[row0 + r0 + r]) / sum[row0 + r0 + r];
  }
  if (!dout) return;
  sync_block();
  tile_of(s, dout, kF32, b);
  for (int r = thread_x() / kSmall; r < kSmall && r0 + r < rows && c < cols; r += 4) w[(i64)(r0 + r) * cols + c] *= (s[r][thread_x() % kSmall] - mean[row0 + r0 + r]) * inv_tau;
}

// mean[n] = ⟨dout[n], out[n]⟩ in the order of the tiles, so that a bank of one row leaves exactly 0
KERNEL(project_mean, 256, 0, const float *dout, const float *out, float *mean, i64 n, int d) {
  const i64 i = global_thread();
  if (i < n) mean[i] = dot_f32(dout, kF32, i, out, kF32, i, d);
}
