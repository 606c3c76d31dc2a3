// Attention forward, third rung: mma.sync with bfloat16 or float16 operands, scores and their softmax in registers, tiles exact for D = 40, 64, 80, 128
// and 160 (K of QKᵀ rounded up to 16, N of PV to 8: 10 % waste at D = 40, where padding to 64 wastes 60 %). K and V tiles of 64 keys come by cp.async:
// the next K arrives under softmax and PV, the next V under QKᵀ. A warp has 16 queries, 32 at D = 40, where reading K and V from shared memory for 16
// would cost more than their products. Limit: at D = 40 the exp unit (16 a clock and SM), above mma.sync. No spills. Measured: not yet, emulated only.
#include "attention_mma.cuh"

enum { kKeys = 64 };
template <int D> constexpr int bytes() { return 2 * kKeys * Tile<D>::pitch * 2; }  // of a tile of K and one of V

// One block has kWarps·16·M queries of one batch and head. Scores are in units of log2 e.
template <class T, int D, int M>
DEV void attend(const T *q, const T *k, const T *v, const int *mask, const float *bias, void *out, int dtype_out, float *lse, ATTENTION) {
  constexpr int steps = Tile<D>::steps, cols = Tile<D>::cols, pitch = Tile<D>::pitch, queries = kWarps * 16 * M;
  constexpr float log2e = 1.4426950408889634f;
  SHARED_DYNAMIC(T, smem);
  T *sk = smem, *sv = smem + kKeys * pitch;
  const int tiles = (n + queries - 1) / queries, row0 = block_x() % tiles * queries;
  const Head a = HEAD(block_x() / tiles / h, block_x() / tiles % h);
  const int l = lane_id(), w = warp_id(), g = l / 4, t = l % 4 * 2;
  q += a.q, k += a.k, v += a.k;

  u32 qf[M][steps][4];
#pragma unroll
  for (int s = 0; s < M; ++s) {  // slice s of warp w: queries row0 + s·64 + w·16..
    fetch<D, kKeys>(sk, q, row0 + s * kKeys, n, step);
    cp_async_commit();
    cp_async_wait<0>();
    sync_block();
#pragma unroll
    for (int i = 0; i < steps; ++i) ldmatrix_x4(qf[s][i], sk + (w * 16 + l % 16) * pitch + i * 16 + l / 16 * 8);
    sync_block();
  }
  float o[M][cols][4] = {}, top[M][2], sum[M][2] = {};
#pragma unroll
  for (int s = 0; s < M; ++s) top[s][0] = top[s][1] = -INF_;

  const int last = row0 + queries - 1 + causal_from < m - 1 ? row0 + queries - 1 + causal_from : m - 1;  // the last key that any query here sees
  fetch<D, kKeys>(sk, k, 0, m, step);
  cp_async_commit();
  fetch<D, kKeys>(sv, v, 0, m, step);
  cp_async_commit();
  for (int m0 = 0; m0 <= last; m0 += kKeys) {
    float p[M][kKeys / 8][4] = {};
    cp_async_wait<1>();
    sync_block();
    product_rows<D, M, kKeys, steps>([&](int s, int i, u32 (&x)[4]) {
#pragma unroll
      for (int r = 0; r < 4; ++r) x[r] = qf[s][i][r];
    }, sk, p);
    sync_block();
    if (m0 + kKeys <= last) fetch<D, kKeys>(sk, k, m0 + kKeys, m, step);
    cp_async_commit();
    const bool edge = mask || bias || m0 + kKeys > m || m0 + kKeys - 1 > row0 + causal_from;
#pragma unroll
    for (int s = 0; s < M; ++s)
#pragma unroll
      for (int r = 0; r < 2; ++r) {  // rows g and g + 8
        const int row = row0 + s * kKeys + w * 16 + g + 8 * r;
        float next = top[s][r];
#pragma unroll
        for (int j = 0; j < kKeys / 8; ++j)
#pragma unroll
          for (int e = 0; e < 2; ++e) {
            float x = p[s][j][2 * r + e] * (scale * log2e);
            if (edge) {
              const int key = m0 + j * 8 + t + e;
              if (row >= n || key >= m || key > row + causal_from || (a.mask && !a.mask[key]))
                x = -INF_;
              else if (bias)
                x += a.bias[(i64)row * m + key] * log2e;
            }
            p[s][j][2 * r + e] = x, next = fmax_(next, x);
          }
        next = fmax_(next, shfl_xor(next, 1));
        next = fmax_(next, shfl_xor(next, 2));
        const float base = next == -INF_ ? 0.f : next, keep = exp2_fast(top[s][r] - base);
        float add = 0;
#pragma unroll
        for (int j = 0; j < kKeys / 8; ++j)
#pragma unroll
          for (int e = 0; e < 2; ++e) add += p[s][j][2 * r + e] = exp2_fast(p[s][j][2 * r + e] - base);
        sum[s][r] = sum[s][r] * keep + add, top[s][r] = next;
#pragma unroll
        for (int c = 0; c < cols; ++c) o[s][c][2 * r] *= keep, o[s][c][2 * r + 1] *= keep;
      }
    cp_async_wait<1>();
    sync_block();
    product_columns<D, M, kKeys>(p, sv, o);
    sync_block();
    if (m0 + kKeys <= last) fetch<D, kKeys>(sv, v, m0 + kKeys, m, step);
    cp_async_commit();
  }
  cp_async_wait<0>();
#pragma unroll
  for (int s = 0; s < M; ++s)
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int row = row0 + s * kKeys + w * 16 + g + 8 * r;
      float total = sum[s][r] + shfl_xor(sum[s][r], 1);
      total += shfl_xor(total, 2);
      if (row >= n) continue;
      const float inv = total > 0 ? 1.f / total : 0.f;
      if (lse && t == 0) lse[a.stat + row] = total > 0 ? top[s][r] * 0.6931471805599453f + log_(total) : -INF_;
#pragma unroll
      for (int c = 0; c < cols; ++c) write<T>(out, dtype_out, a.out + row * a.row + c * 8 + t, o[s][c][2 * r] * inv, o[s][c][2 * r + 1] * inv);
    }
}

#define FORWARD(T, D, M)                                                                                                                                          \
  KERNEL(attention_mma_##T##_##D, kWarps * 32, bytes<D>(), const T *q, const T *k, const T *v, const int *mask, const float *bias, void *out, int dtype_out,      \
         float *lse, ATTENTION) {                                                                                                                                 \
    attend<T, D, M>(q, k, v, mask, bias, out, dtype_out, lse, PASS);                                                                                              \
  }
FORWARD(bf16, 40, 2)
FORWARD(bf16, 64, 1)
FORWARD(bf16, 80, 1)
FORWARD(bf16, 128, 1)
FORWARD(bf16, 160, 1)
FORWARD(f16, 40, 2)
FORWARD(f16, 64, 1)
FORWARD(f16, 80, 1)
FORWARD(f16, 128, 1)
FORWARD(f16, 160, 1)
