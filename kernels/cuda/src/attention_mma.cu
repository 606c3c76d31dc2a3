// Attention forward, third rung: mma.sync with bfloat16 or float16 operands, scores and their softmax in registers, tiles exact for D = 40, 64, 80, 128
// and 160 (K of QKᵀ rounded up to 16, N of PV to 8: 10 % waste at D = 40, where padding to 64 wastes 60 %). K and V tiles of 64 keys come by cp.async:
// the next K arrives under softmax and PV, the next V under QKᵀ. A warp has 16 queries, 32 at D = 40, where reading K and V from shared memory for 16
// would cost more than their products. Limit: at D = 40 the exp unit (16 a clock and SM), above mma.sync. No spills. Measured: not yet, emulated only.
#include "dev.cuh"

enum { kKeys = 64, kWarps = 4 };
// Tile is a tile of K or V: its depth and pitch in elements (no bank conflicts for ldmatrix), and the bytes of both.
template <int D> struct Tile { enum { depth = (D + 15) / 16 * 16, pitch = depth + 8, bytes = 2 * kKeys * pitch * 2 }; };

DEV void mma16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2], bf16) { mma_m16n8k16_bf16(d, a, b); }
DEV void mma16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2], f16) { mma_m16n8k16_f16(d, a, b); }
DEV u32 pack(float lo, float hi, bf16) { return pack_bf16(lo, hi); }
DEV u32 pack(float lo, float hi, f16) { return pack_f16(lo, hi); }

// fetch starts the copy of rows r0..r0+63, step apart, of which `count` exist; the others and columns from D on become 0.
template <int D, class T> DEV void fetch(T *to, const T *rows, int r0, int count, i64 step) {
  constexpr int chunks = Tile<D>::depth / 8;
  for (int e = thread_x(); e < kKeys * chunks; e += kWarps * 32) {
    const int r = e / chunks, c = e % chunks * 8;
    const bool there = r0 + r < count && c < D;
    cp_async16_zfill(to + r * Tile<D>::pitch + c, there ? rows + (r0 + r) * step + c : rows, there ? 16 : 0);
  }
}

// One block has kWarps·16·M queries of one batch and head. Scores are in units of log2 e.
template <class T, int D, int M>
DEV void attend(const T *q, const T *k, const T *v, const int *mask, const float *bias, void *out, int dtype_out, float *lse, int n, int m, int h, i64 bias_b, i64 bias_h, float scale, int from) {
  constexpr int steps = Tile<D>::depth / 16, cols = D / 8, pitch = Tile<D>::pitch, queries = kWarps * 16 * M;
  constexpr float log2e = 1.4426950408889634f;
  SHARED_DYNAMIC(T, smem);
  T *sk = smem, *sv = smem + kKeys * pitch;
  const int tiles = (n + queries - 1) / queries, row0 = block_x() % tiles * queries, head = block_x() / tiles % h, b = block_x() / tiles / h;
  const i64 step = (i64)h * D, at_q = ((i64)b * n * h + head) * D, at_k = ((i64)b * m * h + head) * D;
  const int l = lane_id(), w = warp_id(), g = l / 4, t = l % 4 * 2;
  q += at_q, k += at_k, v += at_k;
  if (mask) mask += (i64)b * m;
  if (bias) bias += b * bias_b + head * bias_h;

  u32 qf[M][steps][4];
#pragma unroll
  for (int s = 0; s < M; ++s) {  // slice s of warp w: queries row0 + s·64 + w·16..
    fetch<D>(sk, q, row0 + s * kKeys, n, step);
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

  const int last = row0 + queries - 1 + from < m - 1 ? row0 + queries - 1 + from : m - 1;  // the last key that any query here sees
  fetch<D>(sk, k, 0, m, step);
  cp_async_commit();
  fetch<D>(sv, v, 0, m, step);
  cp_async_commit();
  for (int m0 = 0; m0 <= last; m0 += kKeys) {
    float p[M][kKeys / 8][4] = {};
    cp_async_wait<1>();
    sync_block();
#pragma unroll
    for (int i = 0; i < steps; ++i)
#pragma unroll
      for (int j = 0; j < kKeys / 16; ++j) {
        u32 r[4];
        ldmatrix_x4(r, sk + (j * 16 + l / 16 * 8 + l % 8) * pitch + i * 16 + l / 8 % 2 * 8);
        const u32 lo[2] = {r[0], r[1]}, hi[2] = {r[2], r[3]};
#pragma unroll
        for (int s = 0; s < M; ++s) mma16(p[s][2 * j], qf[s][i], lo, T{}), mma16(p[s][2 * j + 1], qf[s][i], hi, T{});
      }
    sync_block();
    if (m0 + kKeys <= last) fetch<D>(sk, k, m0 + kKeys, m, step);
    cp_async_commit();
    const bool edge = mask || bias || m0 + kKeys > m || m0 + kKeys - 1 > row0 + from;
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
              if (row >= n || key >= m || key > row + from || (mask && !mask[key]))
                x = -INF_;
              else if (bias)
                x += bias[(i64)row * m + key] * log2e;
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
#pragma unroll
    for (int i = 0; i < kKeys / 16; ++i) {
      u32 a[M][4];
#pragma unroll
      for (int s = 0; s < M; ++s) {
        const float(&x)[4] = p[s][2 * i], (&y)[4] = p[s][2 * i + 1];
        a[s][0] = pack(x[0], x[1], T{}), a[s][1] = pack(x[2], x[3], T{}), a[s][2] = pack(y[0], y[1], T{}), a[s][3] = pack(y[2], y[3], T{});
      }
#pragma unroll
      for (int c = 0; c < cols; c += 2) {
        u32 r[4];
        ldmatrix_x4_trans(r, sv + (i * 16 + l / 8 % 2 * 8 + l % 8) * pitch + c * 8 + l / 16 * 8);
        const u32 lo[2] = {r[0], r[1]}, hi[2] = {r[2], r[3]};
#pragma unroll
        for (int s = 0; s < M; ++s) {
          mma16(o[s][c], a[s], lo, T{});
          if (c + 1 < cols) mma16(o[s][c + 1 < cols ? c + 1 : c], a[s], hi, T{});
        }
      }
    }
    sync_block();
    if (m0 + kKeys <= last) fetch<D>(sv, v, m0 + kKeys, m, step);
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
      if (lse && t == 0) lse[((i64)b * h + head) * n + row] = total > 0 ? top[s][r] * 0.6931471805599453f + log_(total) : -INF_;
#pragma unroll
      for (int c = 0; c < cols; ++c)
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const i64 at = at_q + row * step + c * 8 + t + e;
          if (dtype_out == kF32)
            ((float *)out)[at] = o[s][c][2 * r + e] * inv;
          else
            store((T *)out + at, o[s][c][2 * r + e] * inv);
        }
    }
}

#define ATTENTION(T, D, M)                                                                                                                             \
  KERNEL(attention_mma_##T##_##D, kWarps * 32, Tile<D>::bytes, const T *q, const T *k, const T *v, const int *mask, const float *bias, void *out, int dtype_out, float *lse, int n, int m, \
         int h, i64 bias_b, i64 bias_h, float scale, int causal_from) {                                                                                \
    attend<T, D, M>(q, k, v, mask, bias, out, dtype_out, lse, n, m, h, bias_b, bias_h, scale, causal_from);                                            \
  }
ATTENTION(bf16, 40, 2)
ATTENTION(bf16, 64, 1)
ATTENTION(bf16, 80, 1)
ATTENTION(bf16, 128, 1)
ATTENTION(bf16, 160, 1)
ATTENTION(f16, 40, 2)
ATTENTION(f16, 64, 1)
ATTENTION(f16, 80, 1)
ATTENTION(f16, 128, 1)
ATTENTION(f16, 160, 1)
