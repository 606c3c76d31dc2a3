// Attention forward, fourth rung: wgmma. One warpgroup fetches, two have 64 queries each; K and V tiles of 128 keys come by the tensor memory accelerator
// through a ring, read where the heads lie in their tokens' rows. QKᵀ takes both operands from shared memory, PV takes P from the registers in which the
// softmax leaves it and V with its columns innermost. Tiles are exact for D = 40, 64, 80, 128, 160: 3 steps of 16 for QKᵀ at D = 40, whose columns beyond
// 40 the maps fill with 0, and 40 columns of PV; at D = 160 PV is a product of 128 columns and one of 40, of which 8 are filled up, and the ring has room
// for one tile of keys and values and the next of keys. While one warpgroup is at its softmax the other multiplies. Limit: the exp unit up to D = 64, wgmma above;
// within one warpgroup the two do not overlap. No spills. Measured: not yet, emulated only.
#include "wgmma.cuh"

enum { kTall = 128, kBlock = 128 * kTall };  // queries and keys of a tile; bytes of 64 of their columns
template <int D> struct Shape {
  enum { blocks = (D + 63) / 64, steps = (D + 15) / 16, item = blocks * kBlock, items = D <= 64 ? 8 : D <= 128 ? 4 : 3, bytes = item * (items + 1) };
  enum { first = D <= 128 ? D : 128, rest = D - first, second = rest ? 40 : 8 };  // columns of PV: of its first product, of the rest, and those of its second
};

// rescale multiplies the sums of row r of a thread's two.
template <int M> DEV void rescale(float (&o)[M], int r, float by) {
#pragma unroll
  for (int i = 0; i < M; i += 4) o[i + 2 * r] *= by, o[i + 2 * r + 1] *= by;
}

// write puts the sums of row r, times by, from element `to` of out on; M / 4 times two columns of every 8.
template <class T, int Columns, int M> DEV void write(void *out, int dtype, i64 to, const float (&o)[M], int r, float by) {
#pragma unroll
  for (int i = 0; i < Columns / 2; i += 4)
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const float x = o[i + 2 * r + e] * by;
      if (dtype == kF32)
        ((float *)out)[to + 2 * i + e] = x;
      else
        store((T *)out + to + 2 * i + e, x);
    }
}

DEV u32 pack(float lo, float hi, bf16) { return pack_bf16(lo, hi); }
DEV u32 pack(float lo, float hi, f16) { return pack_f16(lo, hi); }
template <int TB, int M> DEV void multiply_rs(float (&d)[M], const u32 (&a)[4], u64 b, bf16) { wgmma_rs_bf16<TB>(d, a, b, 1); }
template <int TB, int M> DEV void multiply_rs(float (&d)[M], const u32 (&a)[4], u64 b, f16) { wgmma_rs_f16<TB>(d, a, b, 1); }

// Call is a launch: one block has kTall queries of one head.
struct Call {
  const int *mask;
  const float *bias;
  void *out;
  int dtype_out;
  float *lse;
  int n, m, h;
  i64 bias_b, bias_h;
  float scale;
  int from;
};

// load starts the copy of a tile of tokens of one head.
template <int D> DEV void load(unsigned char *to, const TensorMap &map, int head, int token, int b, u64 *full) {
  mbar_arrive_expect(full, Shape<D>::item);
#pragma unroll
  for (int i = 0; i < Shape<D>::blocks; ++i) tma_load_4d(to + i * kBlock, &map, 64 * i, head, token, b, full);
}

template <class T, int D> DEV void attend(const TensorMap &q, const TensorMap &k, const TensorMap &v, const Call &c) {
  typedef Shape<D> Z;
  constexpr float log2e = 1.4426950408889634f;
  SHARED_DYNAMIC(unsigned char, smem);  // queries, then the ring: K, V, K, V …
  SHARED(u64, full, [Z::items + 1]);
  SHARED(u64, empty, [Z::items]);
  unsigned char *ring = smem + Z::item;
  const int tiles = (c.n + kTall - 1) / kTall, row0 = block_x() % tiles * kTall, head = block_x() / tiles % c.h, b = block_x() / tiles / c.h;
  const int last = row0 + kTall - 1 + c.from < c.m - 1 ? row0 + kTall - 1 + c.from : c.m - 1;  // the last key that any query here sees
  if (thread_x() == 0) {
    for (int i = 0; i <= Z::items; ++i) mbar_init(full + i, 1);
    for (int i = 0; i < Z::items; ++i) mbar_init(empty + i, kWorkers / 32);
    fence_barrier_init();
  }
  sync_block();
  int item = 0, round = 0;
  if (warp_id() < 4) {
    registers_fewer<40>();
    if (thread_x() != 0) return;
    load<D>(smem, q, head, row0, b, full + Z::items);
    for (int m0 = 0; m0 <= last; m0 += kTall)
      for (int i = 0; i < 2; ++i) {
        mbar_wait(empty + item, (round & 1) ^ 1);
        load<D>(ring + item * Z::item, i ? v : k, head, m0, b, full + item);
        if (++item == Z::items) item = 0, ++round;
      }
    return;
  }
  registers_more<232>();
  const int own = (warp_id() / 4 - 1) * 64, g = lane_id() / 4, t = lane_id() % 4 * 2;
  const int row = row0 + own + warp_id() % 4 * 16 + g;  // and row + 8
  const int *mask = c.mask ? c.mask + (i64)b * c.m : nullptr;
  const float *bias = c.bias ? c.bias + b * c.bias_b + head * c.bias_h : nullptr;
  float o[Z::first / 2] = {}, more[Z::second / 2] = {}, top[2] = {-INF_, -INF_}, sum[2] = {};
  mbar_wait(full + Z::items, 0);
  for (int m0 = 0; m0 <= last; m0 += kTall) {
    float s[kTall / 2] = {};
    mbar_wait(full + item, round & 1);
    wgmma_fence();
#pragma unroll
    for (int i = 0; i < Z::steps; ++i) {
      const int at = i / 4 * kBlock + i % 4 * 32;
      multiply<0, 0>(s, operand_at(smem + own * 128 + at, 0), operand_at(ring + item * Z::item + at, 0), i > 0, T{});
    }
    wgmma_commit();
    wgmma_wait_all(s);
    if (lane_id() == 0) mbar_arrive(empty + item);
    if (++item == Z::items) item = 0, ++round;

    const bool edge = mask || bias || m0 + kTall > c.m || m0 + kTall - 1 > row0 + c.from;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float next = top[r];
#pragma unroll
      for (int i = 0; i < kTall / 2; i += 4)
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          float x = s[i + 2 * r + e] * (c.scale * log2e);
          if (edge) {
            const int key = m0 + i * 2 + t + e;
            if (row + 8 * r >= c.n || key >= c.m || key > row + 8 * r + c.from || (mask && !mask[key]))
              x = -INF_;
            else if (bias)
              x += bias[(i64)(row + 8 * r) * c.m + key] * log2e;
          }
          s[i + 2 * r + e] = x, next = fmax_(next, x);
        }
      next = fmax_(next, shfl_xor(next, 1));
      next = fmax_(next, shfl_xor(next, 2));
      const float base = next == -INF_ ? 0.f : next, keep = exp2_fast(top[r] - base);
      float add = 0;
#pragma unroll
      for (int i = 0; i < kTall / 2; i += 4)
#pragma unroll
        for (int e = 0; e < 2; ++e) add += s[i + 2 * r + e] = exp2_fast(s[i + 2 * r + e] - base);
      sum[r] = sum[r] * keep + add, top[r] = next;
      rescale(o, r, keep);
      if constexpr (Z::rest > 0) rescale(more, r, keep);
    }
    u32 p[kTall / 16][4];
#pragma unroll
    for (int i = 0; i < kTall / 16; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j) p[i][j] = pack(s[8 * i + 2 * j], s[8 * i + 2 * j + 1], T{});
    mbar_wait(full + item, round & 1);
    wgmma_fence();
#pragma unroll
    for (int i = 0; i < kTall / 16; ++i) {
      multiply_rs<1>(o, p[i], operand_at(ring + item * Z::item + i * 2048, kBlock), T{});
      if constexpr (Z::rest > 0) multiply_rs<1>(more, p[i], operand_at(ring + item * Z::item + Z::first / 64 * kBlock + i * 2048, kBlock), T{});
    }
    wgmma_commit();
    wgmma_wait_all(o);
    if constexpr (Z::rest > 0) wgmma_wait_all(more);
    if (lane_id() == 0) mbar_arrive(empty + item);
    if (++item == Z::items) item = 0, ++round;
  }
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int at_row = row + 8 * r;
    float total = sum[r] + shfl_xor(sum[r], 1);
    total += shfl_xor(total, 2);
    if (at_row >= c.n) continue;
    const float inv = total > 0 ? 1.f / total : 0.f;
    if (c.lse && t == 0) c.lse[((i64)b * c.h + head) * c.n + at_row] = total > 0 ? top[r] * 0.6931471805599453f + log_(total) : -INF_;
    const i64 to = (((i64)b * c.n + at_row) * c.h + head) * D + t;
    write<T, Z::first>(c.out, c.dtype_out, to, o, r, inv);
    if constexpr (Z::rest > 0) write<T, Z::rest>(c.out, c.dtype_out, to + Z::first, more, r, inv);
  }
}

#define ATTENTION(T, D)                                                                                                                                         \
  KERNEL(attention_wgmma_##T##_##D, kThreads, Shape<D>::bytes, GRID_CONSTANT TensorMap q, GRID_CONSTANT TensorMap k, GRID_CONSTANT TensorMap v, const int *mask, \
         const float *bias, void *out, int dtype_out, float *lse, int n, int m, int h, i64 bias_b, i64 bias_h, float scale, int causal_from) {                   \
    attend<T, D>(q, k, v, Call{mask, bias, out, dtype_out, lse, n, m, h, bias_b, bias_h, scale, causal_from});                                                  \
  }
ATTENTION(bf16, 40)
ATTENTION(bf16, 64)
ATTENTION(bf16, 80)
ATTENTION(bf16, 128)
ATTENTION(bf16, 160)
ATTENTION(f16, 40)
ATTENTION(f16, 64)
ATTENTION(f16, 80)
ATTENTION(f16, 128)
ATTENTION(f16, 160)
