// Tiles of a product of two matrices of 16-bit numbers by Hopper's tensor cores, for gemm_wgmma, conv_wgmma, infonce_wgmma and topk_wgmma: sm_90a
// alone.
//
// A block is three warpgroups of 128 threads. The first has one thread at work: through tensor maps it has the tensor memory accelerator fill a ring of
// stages with slabs of 64 along K. The other two have 64 rows each of a tile of 128 × N: they multiply a stage by wgmma, sums in their registers, and
// give it back when the products that read it are done. A block goes on from tile to tile, so that the next one's slabs are fetched during the epilogue.
//
//   full[s]    one arrival, and the bytes of the stage
//   empty[s]   one arrival of each of the eight warps that multiply
//
// Operands lie in memory with K innermost, or (TA, TB) with the other side innermost: wgmma takes both from shared memory, nothing is transposed.
// Both are in the 128-byte swizzle; what lies beyond the tensor is 0, by the maps.
#ifndef SYNTIC_WGMMA_CUH
#define SYNTIC_WGMMA_CUH
#include "dev.cuh"
#ifdef __CUDACC__
#include "ptx_hopper.cuh"
#endif

enum { kThreads = 384, kWorkers = 256, kHigh = 128, kDeep = 64, kAtom = 64 * 128 };  // kAtom: bytes of 64 rows of 128 bytes
template <int N> struct Ring {
  enum { kStage = (kHigh + N) * kDeep * 2, kStages = N == 256 ? 4 : 6, kBytes = kStage * kStages };
};
enum { kRingBytes = Ring<256>::kBytes };
static_assert((int)Ring<128>::kBytes == (int)kRingBytes, "both rings take 192 KB");

// Sweep says which products a launch makes: batch · down · across tiles, each over `slabs` slabs of K from number `first` on.
struct Sweep {
  int down, across, batch, first, slabs;
};

// Spot is a tile: the first of its rows and columns, its batch, its number by rows of tiles.
struct Spot {
  int row, col, batch, tile;
};

// spot_of orders tiles so that those at work at one time lie in up to 16 rows of tiles: what they read of B comes from L2 but once.
template <int N> DEV Spot spot_of(const Sweep &s, i64 i) {
  const i64 each = (i64)s.down * s.across, rest = i % each, band = (i64)16 * s.across;
  const int r0 = (int)(rest / band) * 16, rows = s.down - r0 < 16 ? s.down - r0 : 16;
  const int in = (int)(rest % band), r = r0 + in % rows, c = in / rows;
  return Spot{r * kHigh, c * N, (int)(i / each), r * s.across + c};
}

// operand_at describes shared memory to wgmma: rows of 128 bytes in the 128-byte swizzle, `lead` bytes between blocks of 64 along the side where that is
// innermost, 1024 between groups of 8 rows.
DEV u64 operand_at(const void *p, int lead) {
  return (u64)((smem_address(p) & 0x3ffff) >> 4) | (u64)(lead >> 4) << 16 | (u64)(1024 >> 4) << 32 | (u64)1 << 62;
}
template <int TA, int TB, int M> DEV void multiply(float (&acc)[M], u64 a, u64 b, int add, bf16) { wgmma_bf16<TA, TB>(acc, a, b, add); }
template <int TA, int TB, int M> DEV void multiply(float (&acc)[M], u64 a, u64 b, int add, f16) { wgmma_f16<TA, TB>(acc, a, b, add); }

// row_in and col_in are the place in the tile of acc[i]; a thread has columns 2t, 2t + 1 of every 8 in two rows, 8 apart.
DEV int row_in(int i) { return (warp_id() - 4) * 16 + lane_id() / 4 + (i >> 1 & 1) * 8; }
DEV int col_in(int i) { return i / 4 * 8 + lane_id() % 4 * 2 + (i & 1); }

// sync_workers is a barrier for the two warpgroups that multiply.
DEV void sync_workers() { sync_named(1, kWorkers); }

// Matrices has the operands of a product of matrices fetched: 3-d maps of [batch, lines, inner].
template <int TA, int TB> struct Matrices {
  const TensorMap &a, &b;
  int step_a, step_b;  // 1, or 0 where the batch shares one

  template <int N> DEV_METHOD void load(unsigned char *left, unsigned char *right, const Spot &t, int slab, u64 *full) const {
    const int k = slab * kDeep;
    if (TA) {
#pragma unroll
      for (int j = 0; j < kHigh / 64; ++j) tma_load_3d(left + j * kAtom, &a, t.row + 64 * j, k, t.batch * step_a, full);
    } else {
      tma_load_3d(left, &a, k, t.row, t.batch * step_a, full);
    }
    if (TB) {
#pragma unroll
      for (int j = 0; j < N / 64; ++j) tma_load_3d(right + j * kAtom, &b, t.col + 64 * j, k, t.batch * step_b, full);
    } else {
      tma_load_3d(right, &b, k, t.col, t.batch * step_b, full);
    }
  }
};

template <int N, class Operands> DEV void fetch(unsigned char *ring, u64 *full, u64 *empty, const Operands &operands, const Sweep &s) {
  typedef Ring<N> R;
  int stage = 0, round = 0;
  const i64 tiles = (i64)s.down * s.across * s.batch;
  for (i64 i = block_x(); i < tiles; i += grid_x()) {
    const Spot t = spot_of<N>(s, i);
    for (int slab = 0; slab < s.slabs; ++slab) {
      unsigned char *to = ring + stage * R::kStage;
      mbar_wait(empty + stage, (round & 1) ^ 1);  // at once in the first round
      mbar_arrive_expect(full + stage, R::kStage);
      operands.template load<N>(to, to + kHigh * kDeep * 2, t, s.first + slab, full + stage);
      if (++stage == R::kStages) stage = 0, ++round;
    }
  }
}

// wgmma_tiles makes the products of a sweep and calls done(acc, spot) for each tile, on the threads that multiply. One thread has a slab fetched by
// operands.load<N>(left, right, spot, slab, full). The launch has kThreads threads and kRingBytes of dynamic shared memory; any number of blocks gives
// the same bits.
template <int TA, int TB, int N, class T, class Operands, class Done> DEV void wgmma_tiles(const Operands &operands, const Sweep &s, Done done) {
  typedef Ring<N> R;
  SHARED_DYNAMIC(unsigned char, ring);
  SHARED(u64, full, [R::kStages]);
  SHARED(u64, empty, [R::kStages]);
  if (thread_x() == 0) {
    for (int i = 0; i < R::kStages; ++i) mbar_init(full + i, 1), mbar_init(empty + i, kWorkers / 32);
    fence_barrier_init();
  }
  sync_block();
  if (warp_id() < 4) {
    registers_fewer<40>();
    if (thread_x() == 0) fetch<N>(ring, full, empty, operands, s);
    return;
  }
  registers_more<232>();
  int stage = 0, round = 0;
  const i64 tiles = (i64)s.down * s.across * s.batch;
  for (i64 i = block_x(); i < tiles; i += grid_x()) {
    float acc[N / 2] = {};
    int before = 0;
    for (int slab = 0; slab < s.slabs; ++slab) {
      const unsigned char *at = ring + stage * R::kStage;
      const u64 left = operand_at(at + (warp_id() / 4 - 1) * kAtom, kAtom), right = operand_at(at + kHigh * kDeep * 2, kAtom);
      mbar_wait(full + stage, round & 1);
      wgmma_fence();
#pragma unroll
      for (int k = 0; k < kDeep / 16; ++k)  // 16 along K: 32 bytes of a row, or 16 rows
        multiply<TA, TB>(acc, left + k * (TA ? 2048 : 32) / 16, right + k * (TB ? 2048 : 32) / 16, slab + k > 0, T{});
      wgmma_commit();
      if (slab > 0) {
        wgmma_wait<1>();  // the slab before is done, this one is under way
        if (lane_id() == 0) mbar_arrive(empty + before);
      }
      before = stage;
      if (++stage == R::kStages) stage = 0, ++round;
    }
    wgmma_wait_all(acc);
    if (lane_id() == 0) mbar_arrive(empty + before);
    done(acc, spot_of<N>(s, i));
  }
}
#endif
