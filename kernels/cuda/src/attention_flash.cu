// Attention, second rung: tiles of 64 queries by 64 keys by FFMA with a running softmax; K and V are read once for 64 queries, scores stay in shared
// memory. float32, any N, M and D: output columns are dealt out in pieces of 128, scores are computed again for each piece beyond the first. Backward:
// a block of queries sums its DQ over all keys, a block of keys its DK and DV over all queries: no atomics, the same bits every time.
// Limit: FFMA. The exact fallback for what attention_mma.cu does not take. Measured: not yet, emulated only.
#include "attention.cuh"
#include "tiled.cuh"

enum { kPiece = 128, kPer = kPiece / 16 };

// products fills s[r][c] with ⟨row a0 + r, row b0 + c⟩ of rows step_a and step_b apart; 0 beyond na and nb.
DEV void products(float (*s)[kSide + 1], const float *a, i64 step_a, int a0, int na, const float *b, i64 step_b, int b0, int nb, int d) {
  const Matrix x = {a, kF32, a0, na, d, 0, step_a, 1}, y = {b, kF32, b0, nb, d, 0, step_b, 1};
  tiled_product(x, y, 0, d, [&](int i, int j, float v) { s[i][j] = v; });
  sync_block();
}

// gather adds Σ_j w(i, j) · row (r0 + j) to acc[i][·], columns c0 + 16·x + tx of the piece, for this thread's four rows i. Transposed, w(i, j) is s[j][i].
template <bool Transposed> DEV void gather(float (&acc)[4][kPer], const float (*s)[kSide + 1], const float *rows, int r0, int count, int d, int c0, i64 step) {
  SHARED(float, tv, [kDepth][kPiece]);
  const int tx = thread_x() % 16, ty = thread_x() / 16;
  for (int j0 = 0; j0 < kSide && r0 + j0 < count; j0 += kDepth) {
    sync_block();
    for (int e = thread_x(); e < kDepth * kPiece; e += 256) {
      const int j = e / kPiece, c = c0 + e % kPiece;
      tv[j][e % kPiece] = r0 + j0 + j < count && c < d ? rows[(r0 + j0 + j) * step + c] : 0.f;
    }
    sync_block();
#pragma unroll
    for (int j = 0; j < kDepth; ++j) {
      float w[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) w[i] = Transposed ? s[j0 + j][ty * 4 + i] : s[ty * 4 + i][j0 + j];
#pragma unroll
      for (int x = 0; x < kPer; ++x) {
        const float v = tv[j][x * 16 + tx];
#pragma unroll
        for (int i = 0; i < 4; ++i) acc[i][x] = fma_(w[i], v, acc[i][x]);
      }
    }
  }
  sync_block();
}

DEV void put(float *out, const float (&acc)[4][kPer], int r0, int count, int d, int c0, i64 step) {
  const int tx = thread_x() % 16, ty = thread_x() / 16;
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int x = 0; x < kPer; ++x)
      if (r0 + ty * 4 + i < count && c0 + x * 16 + tx < d) out[(r0 + ty * 4 + i) * step + c0 + x * 16 + tx] = acc[i][x];
}

// Place is which tile of rows, piece of columns, head and batch item a block has.
struct Place { int row, col, head, b; };
DEV Place place(int rows, int d, int h) {
  const int tiles = (rows + kSide - 1) / kSide, pieces = (d + kPiece - 1) / kPiece, x = block_x() / pieces;
  return {x % tiles * kSide, block_x() % pieces * kPiece, x / tiles % h, x / tiles / h};
}

KERNEL(attention_flash_f32, 256, 0, const float *q, const float *k, const float *v, const int *mask, const float *bias, float *out, float *lse, ATTENTION) {
  SHARED(float, s, [kSide][kSide + 1]);
  SHARED(float, top, [kSide]);
  SHARED(float, sum, [kSide]);
  SHARED(float, keep, [kSide]);
  const Place p = place(n, d, h);
  const Head c = HEAD(p.b, p.head);
  const int t = thread_x(), ty = t / 16;
  if (t < kSide) top[t] = -INF_, sum[t] = 0;
  float acc[4][kPer] = {};
  for (int m0 = 0; m0 < m && m0 <= p.row + kSide - 1 + causal_from; m0 += kSide) {
    products(s, q + c.q, step, p.row, n, k + c.k, step, m0, m, d);
    if (t < kSide) {
      float next = top[t], add = 0;
      for (int j = 0; j < kSide; ++j) next = fmax_(next, s[t][j] = score(c, s[t][j], p.row + t, m0 + j));
      for (int j = 0; j < kSide; ++j) add += s[t][j] = next == -INF_ ? 0.f : exp_(s[t][j] - next);
      keep[t] = next == -INF_ ? 1.f : exp_(top[t] - next);
      sum[t] = sum[t] * keep[t] + add, top[t] = next;
    }
    sync_block();
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
      for (int x = 0; x < kPer; ++x) acc[i][x] *= keep[ty * 4 + i];
    gather<false>(acc, s, v + c.k, m0, m, d, p.col, step);
  }
  sync_block();
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int x = 0; x < kPer; ++x) acc[i][x] = sum[ty * 4 + i] > 0 ? acc[i][x] / sum[ty * 4 + i] : 0.f;
  put(out + c.out, acc, p.row, n, d, p.col, c.row);
  if (lse && p.col == 0 && t < kSide && p.row + t < n) lse[c.stat + p.row + t] = sum[t] > 0 ? top[t] + log_(sum[t]) : -INF_;
}

// delta[b, h, n] = ⟨dout, out⟩ in the order of products, so that a single key leaves exactly 0
KERNEL(attention_flash_delta, 256, 0, const float *out, const float *dout, float *delta, int n, int h, int d, i64 rows) {
  const i64 i = global_thread();
  if (i >= rows) return;
  const i64 at = ((i / n / h * n + i % n) * h + i / n % h) * d;
  float sum = 0, part = 0;
  for (int c = 0; c < d; ++c) {
    part = fma_(dout[at + c], out[at + c], part);
    if ((c + 1) % 256 == 0) sum += part, part = 0;
  }
  delta[i] = sum + part;
}

// weights replaces dot products s of queries n0.. and keys m0.. by P, and dp = ⟨dout, v⟩ by P·(dp − δ)·scale; stat are lse and delta of the head.
DEV void weights(const Head &c, float (*s)[kSide + 1], float (*dp)[kSide + 1], int n0, int m0, const float *lse, const float *delta) {
  for (int e = thread_x(); e < kSide * kSide; e += 256) {
    const int r = e / kSide, j = e % kSide, row = n0 + r;
    const float l = row < c.n ? lse[row] : -INF_, x = score(c, s[r][j], row, m0 + j), pr = l == -INF_ || x == -INF_ ? 0.f : exp_(x - l);
    s[r][j] = pr, dp[r][j] = pr == 0.f ? 0.f : pr * (dp[r][j] - delta[row]) * c.scale;
  }
  sync_block();
}

// Both gradients take the same arguments. Dynamic shared memory holds the second tile.
enum { kSecond = kSide * (kSide + 1) * 4 };
#define GRADIENT                                                                                                                                                                                         \
  const float *q, const float *k, const float *v, const int *mask, const float *bias, const float *lse, const float *delta, const float *dout, float *dq, float *dk, float *dv, ATTENTION

// dq: one block for 64 queries
KERNEL(attention_flash_grad_q_f32, 256, kSecond, GRADIENT) {
  SHARED(float, s, [kSide][kSide + 1]);
  SHARED_DYNAMIC(float, second);
  float(*dp)[kSide + 1] = (float(*)[kSide + 1])second;
  const Place p = place(n, d, h);
  const Head c = HEAD(p.b, p.head);
  float acc[4][kPer] = {};
  for (int m0 = 0; m0 < m && m0 <= p.row + kSide - 1 + causal_from; m0 += kSide) {
    products(s, q + c.q, step, p.row, n, k + c.k, step, m0, m, d);
    products(dp, dout + c.out, c.row, p.row, n, v + c.k, step, m0, m, d);
    weights(c, s, dp, p.row, m0, lse + c.stat, delta + c.stat);
    gather<false>(acc, dp, k + c.k, m0, m, d, p.col, step);
  }
  put(dq + c.q, acc, p.row, n, d, p.col, step);
}

// dk, dv: one block for 64 keys
KERNEL(attention_flash_grad_kv_f32, 256, kSecond, GRADIENT) {
  SHARED(float, s, [kSide][kSide + 1]);
  SHARED_DYNAMIC(float, second);
  float(*dp)[kSide + 1] = (float(*)[kSide + 1])second;
  const Place p = place(m, d, h);
  const Head c = HEAD(p.b, p.head);
  float ak[4][kPer] = {}, av[4][kPer] = {};
  const int first = p.row - causal_from > 0 ? (p.row - causal_from) / kSide * kSide : 0;  // queries before see none of these keys
  for (int n0 = first; n0 < n; n0 += kSide) {
    products(s, q + c.q, step, n0, n, k + c.k, step, p.row, m, d);
    products(dp, dout + c.out, c.row, n0, n, v + c.k, step, p.row, m, d);
    weights(c, s, dp, n0, p.row, lse + c.stat, delta + c.stat);
    gather<true>(ak, dp, q + c.q, n0, n, d, p.col, step);
    gather<true>(av, s, dout + c.out, n0, n, d, p.col, c.row);
  }
  put(dk + c.k, ak, p.row, m, d, p.col, step);
  put(dv + c.k, av, p.row, m, d, p.col, step);
}
