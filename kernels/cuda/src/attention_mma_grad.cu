// Attention backward, third rung: mma.sync with bfloat16 or float16 operands, tiles exact for D = 40, 64, 80, 128 and 160, nothing but the gradients
// leaves the block. Two passes: a block owns queries and sums their DQ over all keys, then a block owns keys and sums their DK and DV over all queries.
// Seven products instead of the five that one pass needs, but no atomics and no partial sums in memory: the same bits every time. Both passes are one
// template: own rows (Q and DOut, or K and V) stay in shared memory, the others come by cp.async, 32 at a time and one tile ahead. P and DS go from the
// sums of one product to an operand of the next in registers. Scores are in units of log2 e; the scale is multiplied in last, so that DS keeps the size
// of DOut: in float16 what lies below 6e-8 is lost, so scale the loss.
// Limit: shared memory reads, 6 ldmatrix for 8 mma at 16 own rows a warp (32 rows at D = 40). No spills. Measured: not yet, emulated only.
#include "attention_mma.cuh"

enum { kOther = 32 };  // other rows at a time
template <int M> struct Own { enum { rows = kWarps * 16 * M }; };  // of a block
// own tiles of both operands, two stages of the others', and the statistics of the other rows
template <int D, int M> constexpr int bytes() { return 2 * (Own<M>::rows + 2 * kOther) * Tile<D>::pitch * 2 + 2 * 2 * kOther * 4; }

// δ = ⟨dout, out⟩ with the rounded dout that the products see
template <class T> DEV void delta_of(const void *out, int dtype, const T *dout, float *delta, int n, int h, int d, i64 rows) {
  const i64 i = global_thread();
  if (i >= rows) return;
  const i64 at = ((i / n / h * n + i % n) * h + i / n % h) * d;
  float s = 0;
  for (int c = 0; c < d; ++c) s = fma_(to_f32(dout[at + c]), load_any(out, dtype, at + c), s);
  delta[i] = s;
}
KERNEL(attention_mma_delta_bf16, 256, 0, const void *out, int dtype, const bf16 *dout, float *delta, int n, int h, int d, i64 rows) { delta_of(out, dtype, dout, delta, n, h, d, rows); }
KERNEL(attention_mma_delta_f16, 256, 0, const void *out, int dtype, const f16 *dout, float *delta, int n, int h, int d, i64 rows) { delta_of(out, dtype, dout, delta, n, h, d, rows); }

// Stats are −lse·log2 e and −δ of a query. One that does not exist or sees nothing has −∞, which makes its weights 0.
struct Stats { float lse, delta; };
DEV Stats stats_of(const float *lse, const float *delta, int row, int n) {
  const float l = row < n ? lse[row] : -INF_;
  return {l == -INF_ ? -INF_ : l * -1.4426950408889634f, row < n ? -delta[row] : 0.f};
}

// One block has 64·M rows of its own side of one batch item and head: keys (Keys), or queries. dx is DK or DQ, dv is DV.
template <class T, int D, int M, bool Keys>
DEV void attend_back(const T *q, const T *k, const T *v, const T *dout, const int *mask, const float *bias, const float *lse, const float *delta, float *dx, float *dv, ATTENTION) {
  constexpr int cols = Tile<D>::cols, pitch = Tile<D>::pitch, rows = Own<M>::rows, stage = 2 * kOther * pitch;
  constexpr int unroll = D > 128 ? 1 : 2;  // steps of D: more would make the code large, and at D = 160 spill
  constexpr float log2e = 1.4426950408889634f;
  SHARED_DYNAMIC(T, smem);
  T *own0 = smem, *own1 = own0 + rows * pitch, *others = own1 + rows * pitch;
  Stats *stats = (Stats *)(others + 2 * stage);  // of both stages, Keys alone
  const int count = Keys ? m : n, tiles = (count + rows - 1) / rows, row0 = block_x() % tiles * rows;
  const Head c = HEAD(block_x() / tiles / h, block_x() / tiles % h);
  const int l = lane_id(), w = warp_id(), g = l / 4, t = l % 4 * 2;
  q += c.q, k += c.k, v += c.k, dout += c.out, lse += c.stat, delta += c.stat;

  // the other rows that any own row meets: keys up to the last that a query here sees, queries from the first that sees a key here
  const int seen = row0 + rows + causal_from, from = Keys && row0 - causal_from > 0 ? (row0 - causal_from) / kOther * kOther : 0, to = Keys ? n : seen < m ? seen : m;
  auto load = [&](int at, int s) {
    if (Keys)
      fetch<D, kOther>(others + s * stage, q, at, n, step), fetch<D, kOther>(others + s * stage + kOther * pitch, dout, at, n, c.row);
    else
      fetch<D, kOther>(others + s * stage, k, at, m, step), fetch<D, kOther>(others + s * stage + kOther * pitch, v, at, m, step);
    if (Keys && thread_x() < kOther) stats[s * kOther + thread_x()] = stats_of(lse, delta, at + thread_x(), n);
    cp_async_commit();
  };
  fetch<D, rows>(own0, Keys ? k : q, row0, count, step), fetch<D, rows>(own1, Keys ? v : dout, row0, count, Keys ? step : c.row);
  cp_async_commit();
  if (from < to) load(from, 0);
  Stats mine[M][2];
#pragma unroll
  for (int i = 0; i < M; ++i)
#pragma unroll
    for (int r = 0; r < 2; ++r) mine[i][r] = Keys ? Stats{} : stats_of(lse, delta, row0 + i * 64 + w * 16 + g + 8 * r, n);

  float sum_x[M][cols][4] = {}, sum_v[M][Keys ? cols : 1][4] = {};
  for (int at = from, s = 0; at < to; at += kOther, s ^= 1) {
    cp_async_wait<0>();
    sync_block();  // this tile is there for all, and all are done with the tile before
    if (at + kOther < to) load(at + kOther, s ^ 1);
    const T *first = others + s * stage, *second = first + kOther * pitch;
    float p[M][kOther / 8][4] = {}, ds[M][kOther / 8][4] = {};
    product_rows<D, M, kOther, unroll>([&](int x, int i, u32 (&a)[4]) { ldmatrix_x4(a, own0 + (x * 64 + w * 16 + l % 16) * pitch + i * 16 + l / 16 * 8); }, first, p);
    product_rows<D, M, kOther, unroll>([&](int x, int i, u32 (&a)[4]) { ldmatrix_x4(a, own1 + (x * 64 + w * 16 + l % 16) * pitch + i * 16 + l / 16 * 8); }, second, ds);
    const bool edge = mask || bias || (Keys ? row0 + rows - 1 > at + causal_from : at + kOther > m || at + kOther - 1 > row0 + causal_from);
#pragma unroll
    for (int i = 0; i < M; ++i)
#pragma unroll
      for (int j = 0; j < kOther / 8; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          const int row = row0 + i * 64 + w * 16 + g + e / 2 * 8, other = at + j * 8 + t + e % 2;
          const Stats stat = Keys ? stats[s * kOther + j * 8 + t + e % 2] : mine[i][e / 2];
          float x = p[i][j][e] * (scale * log2e);
          if (edge) {
            const int key = Keys ? row : other, query = Keys ? other : row;
            if (key >= m || key > query + causal_from || (c.mask && !c.mask[key]))
              x = -INF_;
            else if (c.bias && query < n)
              x += c.bias[(i64)query * m + key] * log2e;
          }
          x = exp2_fast(x + stat.lse);
          p[i][j][e] = x, ds[i][j][e] = x * (ds[i][j][e] + stat.delta);
        }
    product_columns<D, M, kOther>(ds, first, sum_x);
    if constexpr (Keys) product_columns<D, M, kOther>(p, second, sum_v);
  }
  cp_async_wait<0>();
#pragma unroll
  for (int i = 0; i < M; ++i)
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int row = row0 + i * 64 + w * 16 + g + 8 * r;
      if (row >= count) continue;
#pragma unroll
      for (int x = 0; x < cols; ++x) {
        const i64 to_x = (Keys ? c.k : c.q) + row * step + x * 8 + t;
        dx[to_x] = sum_x[i][x][2 * r] * scale, dx[to_x + 1] = sum_x[i][x][2 * r + 1] * scale;
        if (Keys) dv[to_x] = sum_v[i][Keys ? x : 0][2 * r], dv[to_x + 1] = sum_v[i][Keys ? x : 0][2 * r + 1];
      }
    }
}

// Both kernels take the same arguments.
#define GRADIENT(T)                                                                                                                                  \
  const T *q, const T *k, const T *v, const T *dout, const int *mask, const float *bias, const float *lse, const float *delta, float *dq, float *dk, \
      float *dv, ATTENTION
#define BACKWARD(T, D, M)                                                                               \
  KERNEL(attention_mma_grad_q_##T##_##D, kWarps * 32, (bytes<D, M>()), GRADIENT(T)) {                   \
    attend_back<T, D, M, false>(q, k, v, dout, mask, bias, lse, delta, dq, nullptr, PASS);   \
  }                                                                                                     \
  KERNEL(attention_mma_grad_kv_##T##_##D, kWarps * 32, (bytes<D, M>()), GRADIENT(T)) {                  \
    attend_back<T, D, M, true>(q, k, v, dout, mask, bias, lse, delta, dk, dv, PASS);         \
  }
BACKWARD(bf16, 40, 2)
BACKWARD(bf16, 64, 1)
BACKWARD(bf16, 80, 1)
BACKWARD(bf16, 128, 1)
BACKWARD(bf16, 160, 1)
BACKWARD(f16, 40, 2)
BACKWARD(f16, 64, 1)
BACKWARD(f16, 80, 1)
BACKWARD(f16, 128, 1)
BACKWARD(f16, 160, 1)
