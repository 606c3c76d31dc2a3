// Top-k search and projection for few queries: a warp reads each row of the bank once for eight queries, which lie in shared memory as float32, four rows
// under way at a time; topk.cu tells what becomes of the maxima. It also takes banks of int8 with a scale a row, and adds up Σ exp(score/τ) by the way,
// for the share of the softmax that the rows taken have. Of a bank that lies beside its float32 rows in fewer bits it leaves bounds of the chunks' maxima
// instead (topk_near.cuh tells how), and finds the maxima of those that may count. Limit: the bank's bytes over bandwidth; with eight queries the shuffles that add up a row's dot
// products come near it. float32 sums; D at most kMaxWidth. Measured: not yet, emulated only.
#include "topk_near.cuh"

enum { kU8 = 4, kI8 = 5, kRowsAtOnce = 4, kQueries = 8, kChunkRows = 32, kMaxWidth = 768 };

// load4 is elements i..i+3, i a multiple of 4, or with One element i alone.
template <bool One> DEV vec4 load4(const void *p, int dtype, i64 i) {
  if (One) {
    const float x = dtype == kI8 ? (float)((const i8 *)p)[i] : dtype == kU8 ? (float)(((const u8 *)p)[i] - 128) : load_any(p, dtype, i);
    return {x, 0.f, 0.f, 0.f};
  }
  if (dtype == kF32) return *(const vec4 *)((const float *)p + i);
  if (dtype == kI8 || dtype == kU8) {  // those of U8 are whole numbers plus 128
    const u32 w = *(const u32 *)((const i8 *)p + i) ^ (dtype == kU8 ? 0x80808080u : 0u);
    return {(float)(signed char)(w & 255), (float)(signed char)(w >> 8 & 255), (float)(signed char)(w >> 16 & 255), (float)(signed char)(w >> 24)};
  }
  const u64 w = *(const u64 *)((const u16 *)p + i);
  const u16 h[4] = {(u16)w, (u16)(w >> 16), (u16)(w >> 32), (u16)(w >> 48)};
  if (dtype == kBF16) return {to_f32(bf16{h[0]}), to_f32(bf16{h[1]}), to_f32(bf16{h[2]}), to_f32(bf16{h[3]})};
  return {to_f32(f16{h[0]}), to_f32(f16{h[1]}), to_f32(f16{h[2]}), to_f32(f16{h[3]})};
}

// dots adds up, over the warp, the dot products of rows j.. of the bank with queries in shared memory, kMaxWidth apart: every lane gets all. The sum of a
// pair does not depend on how many rows and queries there are. Rows beyond m are taken for row j.
template <bool One, int kRows, int kQ> DEV void dots(const float *queries, const void *mem, int dtype, const float *scale, i64 j, i64 m, int d, float (&s)[kRows][kQ]) {
  const int step = One ? 1 : 4;
#pragma unroll
  for (int r = 0; r < kRows; ++r)
#pragma unroll
    for (int q = 0; q < kQ; ++q) s[r][q] = 0;
  for (int c = lane_id() * step; c < d; c += 32 * step) {
    vec4 x[kRows];
#pragma unroll
    for (int r = 0; r < kRows; ++r) x[r] = load4<One>(mem, dtype, (j + r < m ? j + r : j) * d + c);
#pragma unroll
    for (int q = 0; q < kQ; ++q) {
      const float *at = queries + q * kMaxWidth + c;
      const vec4 y = One ? vec4{at[0], 0.f, 0.f, 0.f} : *(const vec4 *)at;
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        s[r][q] = fma_(x[r].x, y.x, s[r][q]);
        if (!One) s[r][q] = fma_(x[r].w, y.w, fma_(x[r].z, y.z, fma_(x[r].y, y.y, s[r][q])));
      }
    }
  }
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    const float f = scale ? scale[j + r < m ? j + r : j] : 1.f;
#pragma unroll
    for (int q = 0; q < kQ; ++q) s[r][q] = warp_sum(s[r][q]) * f;
  }
}

DEV void stage_queries(float *to, const void *query, int dtype, i64 q0, int count, int most, int d) {
  for (int e = thread_x(); e < most * d; e += threads_x()) to[e / d * kMaxWidth + e % d] = e / d < count ? load_any(query, dtype, (q0 + e / d) * d + e % d) : 0.f;
  sync_block();
}

// One warp a chunk of 32 rows, whose maximum, and Σ exp((score − maximum)/τ) where sums is not nil, it leaves for each of up to eight queries.
template <bool One>
DEV void maxima_of(const float *queries, const void *mem, int dtype, const float *scale, const int *exclude, int count, i64 m, int d, float *maxima, float *sums, i64 chunks, i64 chunk, float inv_tau) {
  float mine[kQueries];  // of the row that is this lane's
  for (int r0 = 0; r0 < kChunkRows; r0 += kRowsAtOnce) {
    const i64 j = chunk * kChunkRows + r0;
    float s[kRowsAtOnce][kQueries];
    if (j < m) dots<One>(queries, mem, dtype, scale, j, m, d, s);
#pragma unroll
    for (int r = 0; r < kRowsAtOnce; ++r)
#pragma unroll
      for (int q = 0; q < kQueries; ++q)
        if (lane_id() == r0 + r) mine[q] = j + r < m && !(exclude && q < count && exclude[q] == j + r) ? s[r][q] : -INF_;
  }
#pragma unroll
  for (int q = 0; q < kQueries; ++q) {
    const float top = warp_max(mine[q]), sum = sums ? warp_sum(mine[q] == -INF_ ? 0.f : exp_((mine[q] - top) * inv_tau)) : 0.f;
    if (lane_id() == 0 && q < count) {
      maxima[q * chunks + chunk] = top;
      if (sums) sums[q * chunks + chunk] = sum;
    }
  }
}
KERNEL(topk_max_stream, 256, kQueries *kMaxWidth * 4, const void *query, int dtype_q, const void *mem, int dtype_m, const float *scale, const int *exclude, i64 q0, int rows, i64 m, int d, float *maxima,
       float *sums, i64 chunks, float inv_tau) {
  SHARED_DYNAMIC(float, queries);
  const int across = (int)((chunks + 7) / 8), first = block_x() / across * kQueries, count = rows - first < kQueries ? rows - first : kQueries;
  stage_queries(queries, query, dtype_q, q0 + first, count, kQueries, d);
  const i64 chunk = (i64)(block_x() % across) * 8 + warp_id();
  if (chunk >= chunks) return;
  const int *out = exclude ? exclude + q0 + first : nullptr;
  maxima += first * chunks, sums = sums ? sums + first * chunks : nullptr;
  if (d % 4)
    maxima_of<true>(queries, mem, dtype_m, scale, out, count, m, d, maxima, sums, chunks, chunk, inv_tau);
  else
    maxima_of<false>(queries, mem, dtype_m, scale, out, count, m, d, maxima, sums, chunks, chunk, inv_tau);
}

// scores of the rows of the c chosen chunks, with the same bits: one block a query, a warp a row
KERNEL(topk_score_stream, 256, kMaxWidth * 4, const void *query, int dtype_q, const void *mem, int dtype_m, const float *scale, const int *exclude, i64 q0, i64 m, int d, const int *chosen, int c,
       float *candidates) {
  SHARED_DYNAMIC(float, one);
  const i64 q = q0 + block_x(), out = exclude ? exclude[q] : -1;
  stage_queries(one, query, dtype_q, q, 1, 1, d);
  for (int e = warp_id(); e < c * kChunkRows; e += 8) {
    const i64 j = (i64)chosen[(i64)block_x() * c + e / kChunkRows] * kChunkRows + e % kChunkRows;
    float s[1][1] = {};
    if (j < m && d % 4) dots<true>(one, mem, dtype_m, scale, j, m, d, s);
    if (j < m && d % 4 == 0) dots<false>(one, mem, dtype_m, scale, j, m, d, s);
    if (lane_id() == 0) candidates[(i64)block_x() * c * kChunkRows + e] = j < m && j != out ? s[0][0] : -INF_;
  }
}

// the same of the bank in fewer bits: what the largest score of each chunk is at most, and at least
template <bool One>
DEV void near_of(const float *queries, const void *near, int dtype, const float *bounds, const float *sizes, float tiny, const int *exclude, int count, i64 m, int d, float *upper, float *lower, i64 chunks,
                 i64 chunk) {
  const i64 own = chunk * kChunkRows + lane_id();
  const float length = own < m ? bounds[m + own] : 0.f, change = own < m ? bounds[2 * m + own] : 0.f;
  float mine[kQueries];
  for (int r0 = 0; r0 < kChunkRows; r0 += kRowsAtOnce) {
    const i64 j = chunk * kChunkRows + r0;
    float s[kRowsAtOnce][kQueries];
    if (j < m) dots<One>(queries, near, dtype, dtype == kU8 ? bounds : nullptr, j, m, d, s);
#pragma unroll
    for (int r = 0; r < kRowsAtOnce; ++r)
#pragma unroll
      for (int q = 0; q < kQueries; ++q)
        if (lane_id() == r0 + r) mine[q] = s[r][q];
  }
#pragma unroll
  for (int q = 0; q < kQueries; ++q) {
    float most = -INF_, least = -INF_;
    if (q < count && own < m && !(exclude && exclude[q] == own)) within(mine[q], sizes[2 * q], sizes[2 * q + 1], length, change, tiny, most, least);
    most = warp_max(most), least = warp_max(least);
    if (lane_id() == 0 && q < count) upper[q * chunks + chunk] = most, lower[q * chunks + chunk] = least;
  }
}
KERNEL(topk_near_stream, 256, kQueries *kMaxWidth * 4, const void *query, int dtype_q, const void *near, int dtype_m, const float *bounds, const float *sizes, float tiny, const int *exclude, i64 q0,
       int rows, i64 m, int d, float *upper, float *lower, i64 chunks) {
  SHARED_DYNAMIC(float, queries);
  const int across = (int)((chunks + 7) / 8), first = block_x() / across * kQueries, count = rows - first < kQueries ? rows - first : kQueries;
  stage_queries(queries, query, dtype_q, q0 + first, count, kQueries, d);
  const i64 chunk = (i64)(block_x() % across) * 8 + warp_id();
  if (chunk >= chunks) return;
  const int *out = exclude ? exclude + q0 + first : nullptr;
  sizes += 2 * (q0 + first), upper += first * chunks, lower += first * chunks;
  if (d % 4)
    near_of<true>(queries, near, dtype_m, bounds, sizes, tiny, out, count, m, d, upper, lower, chunks, chunk);
  else
    near_of<false>(queries, near, dtype_m, bounds, sizes, tiny, out, count, m, d, upper, lower, chunks, chunk);
}

// maxima gets the largest score of the chunks whose upper bound reaches the query's floor, −∞ of all others; 256 chunks of one query a block
KERNEL(topk_near_refine, 256, kMaxWidth * 4, const void *query, int dtype_q, const void *mem, int dtype_m, const int *exclude, i64 q0, i64 m, int d, const float *upper, const float *floors, float *maxima,
       i64 chunks) {
  SHARED_DYNAMIC(float, one);
  const i64 across = (chunks + 255) / 256, row = block_x() / across, q = q0 + row, out = exclude ? exclude[q] : -1;
  const i64 first = block_x() % across * 256 + warp_id() * 32, own = first + lane_id();
  stage_queries(one, query, dtype_q, q, 1, 1, d);
  const bool counts = own < chunks && upper[row * chunks + own] >= floors[row];
  float mine = -INF_;
  for (u32 left = warp_ballot(counts); left; left &= left - 1) {
    const int c = ffs_(left) - 1;
    float top = -INF_;
    for (int r0 = 0; r0 < kChunkRows; r0 += kRowsAtOnce) {
      const i64 j = (first + c) * kChunkRows + r0;
      if (j >= m) break;
      float s[kRowsAtOnce][1];
      if (d % 4)
        dots<true>(one, mem, dtype_m, nullptr, j, m, d, s);
      else
        dots<false>(one, mem, dtype_m, nullptr, j, m, d, s);
#pragma unroll
      for (int r = 0; r < kRowsAtOnce; ++r)
        if (j + r < m && j + r != out) top = fmax_(top, s[r][0]);
    }
    if (lane_id() == c) mine = top;
  }
  if (own < chunks) maxima[row * chunks + own] = mine;
}

// out[q] = Σ softmax(score/τ)·row, score and index [rows, k], and what is wanted of kth[q], the least of the scores, and mass[q], Σ exp(score/τ) over that
// of all rows, of which maxima and sums [rows, chunks] tell; one block a query. score becomes the weights.
KERNEL(project_blend, 256, 0, float *score, const int *index, const void *mem, int dtype, const float *scale, float *out, i64 q0, int k, int d, float inv_tau, const float *maxima, const float *sums,
       i64 chunks, float *kth, float *mass) {
  SHARED(float, scratch, [32]);
  float *w = score + (i64)block_x() * k;
  const int *at = index + (i64)block_x() * k;
  float top = -INF_, low = -INF_, sum = 0;
  for (int j = thread_x(); j < k; j += 256) top = fmax_(top, w[j]), low = fmax_(low, -w[j]);
  top = block_max(top, scratch), low = -block_max(low, scratch);
  for (int j = thread_x(); j < k; j += 256) sum += w[j] = exp_((w[j] - top) * inv_tau);
  sum = block_sum(sum, scratch);
  if (kth && thread_x() == 0) kth[q0 + block_x()] = low;
  if (mass) {
    const float *m = maxima + block_x() * chunks, *s = sums + block_x() * chunks;
    float largest = -INF_, all = 0;
    for (i64 c = thread_x(); c < chunks; c += 256) largest = fmax_(largest, m[c]);
    largest = block_max(largest, scratch);
    for (i64 c = thread_x(); c < chunks; c += 256) all += m[c] == -INF_ ? 0.f : s[c] * exp_((m[c] - largest) * inv_tau);
    all = block_sum(all, scratch);
    if (thread_x() == 0) mass[q0 + block_x()] = fmin_(1.f, sum * exp_((top - largest) * inv_tau) / all);
  }
  for (int c = thread_x(); c < d; c += 256) {
    float o = 0;
    for (int j = 0; j < k; ++j) o = fma_(scale ? w[j] * scale[at[j]] : w[j], load4<true>(mem, dtype, (i64)at[j] * d + c).x, o);
    out[(q0 + block_x()) * d + c] = o / sum;
  }
}

// dot_row is ⟨x, row j of the bank⟩, by one thread.
DEV float dot_row(const float *x, const void *mem, int dtype, const float *scale, i64 j, int d) {
  float sum = 0;
  for (int c = 0; c < d; ++c) sum = fma_(x[c], load4<true>(mem, dtype, j * d + c).x, sum);
  return scale ? sum * scale[j] : sum;
}

// dquery[q] = 1/τ · Σ w·(⟨dout, row⟩ − mean)·row, w the softmax of score/τ, score and index [rows, k]; one block a query. score becomes the weights.
KERNEL(project_blend_grad, 256, 0, float *score, const int *index, const void *mem, int dtype, const float *scale, const float *dout, float *dquery, i64 q0, int k, int d, float inv_tau) {
  SHARED(float, scratch, [32]);
  float *w = score + (i64)block_x() * k;
  const int *at = index + (i64)block_x() * k;
  const i64 q = q0 + block_x();
  float top = -INF_, sum = 0, mean = 0;
  for (int j = thread_x(); j < k; j += 256) top = fmax_(top, w[j]);
  top = block_max(top, scratch);
  for (int j = thread_x(); j < k; j += 256) sum += w[j] = exp_((w[j] - top) * inv_tau);
  sum = block_sum(sum, scratch);
  for (int j = thread_x(); j < k; j += 256) mean += w[j] / sum * dot_row(dout + q * d, mem, dtype, scale, at[j], d);
  mean = block_sum(mean, scratch);
  for (int j = thread_x(); j < k; j += 256) {
    const float g = w[j] / sum * (dot_row(dout + q * d, mem, dtype, scale, at[j], d) - mean) * inv_tau;
    w[j] = scale ? g * scale[at[j]] : g;
  }
  sync_block();
  for (int c = thread_x(); c < d; c += 256) {
    float o = 0;
    for (int j = 0; j < k; ++j) o = fma_(w[j], load4<true>(mem, dtype, (i64)at[j] * d + c).x, o);
    dquery[q * d + c] = o;
  }
}
