// A 64×64 tile of a product in float32 by a block of 256 threads: gemm_tiled, conv_tiled, attention_flash, and tile_f32 of tile.cuh. Loaders say what the
// operands are, the last argument what becomes of the sums:
//
//   load(tile, k0)      fills tile[l][i] with element i of the tile's side at depth k0 + l, l < 16; 0 beyond the operand. All threads call it.
//   emit(row, col, v)   takes the sum of a row and column of the tile
//
// 4×4 sums a thread. Sums of 256 products are added up apart, so that a long depth costs no digits.
#ifndef SYNTIC_TILED_CUH
#define SYNTIC_TILED_CUH
#include "dev.cuh"

enum { kSide = 64, kDepth = 16 };
typedef float Panel[kDepth][kSide + 4];

// tiled_product sums over depths k0 to k1; k0 is a multiple of 256. It may be called again at once.
template <class A, class B, class F> DEV void tiled_product(A &a, B &b, i64 k0, i64 k1, F emit) {
  SHARED(Panel, ta, [1]);
  SHARED(Panel, tb, [1]);
  const int tx = thread_x() % 16, ty = thread_x() / 16;
  float sum[4][4] = {}, part[4][4] = {};
  for (i64 k = k0; k < k1; k += kDepth) {
    a.load(ta[0], k), b.load(tb[0], k);
    sync_block();
#pragma unroll
    for (int l = 0; l < kDepth; ++l) {
      float x[4], y[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) x[i] = ta[0][l][ty * 4 + i], y[i] = tb[0][l][tx * 4 + i];
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) part[i][j] = fma_(x[i], y[j], part[i][j]);
    }
    sync_block();
    if ((k / kDepth & 15) == 15 || k + kDepth >= k1) {
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) sum[i][j] += part[i][j], part[i][j] = 0;
    }
  }
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) emit(ty * 4 + i, tx * 4 + j, sum[i][j]);
}

// Matrix is an operand in memory: element (i, k) at i·step_i + k·step_k, one of the steps 1; neighbours in memory are neighbours among the threads.
struct Matrix {
  const void *p;
  int dtype, side0, sides;
  i64 depth, at, step_i, step_k;
  DEV_METHOD void load(Panel &tile, i64 k0) const {
#pragma unroll
    for (int n = 0; n < kSide * kDepth / 256; ++n) {
      const int e = thread_x() + n * 256;
      const int i = step_k == 1 ? e / kDepth : e % kSide, l = step_k == 1 ? e % kDepth : e / kSide;
      tile[l][i] = side0 + i < sides && k0 + l < depth ? load_any(p, dtype, at + (side0 + i) * step_i + (k0 + l) * step_k) : 0.f;
    }
  }
};
#endif
