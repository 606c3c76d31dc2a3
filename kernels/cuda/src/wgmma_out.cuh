// What gemm_wgmma and conv_wgmma make of a tile: act(alpha · v + bias + residual) (+ out), straight from the registers.
#ifndef SYNTIC_WGMMA_OUT_CUH
#define SYNTIC_WGMMA_OUT_CUH
#include "wgmma.cuh"

struct __attribute__((aligned(8))) vec2 { float x, y; };

// Epilogue writes rows of n numbers; rows.index(spot, r) is which of them row r of the tile is, negative: none.
template <class Rows> struct Epilogue {
  Rows rows;
  float *out;
  const float *bias, *residual;
  int n;
  float alpha;
  int accumulate, f;

  DEV_METHOD float finish(float v, i64 at, int col) const {
    v *= alpha;
    if (bias) v += bias[col];
    if (residual) v += residual[at];
    if (accumulate) v += out[at];
    return v;
  }

  template <int M> DEV_METHOD void operator()(float (&acc)[M], const Spot &t) const {
    const bool pairs = n % 2 == 0 && ((u64)out & 7) == 0;
    const int col0 = t.col + lane_id() % 4 * 2, left = n - col0;  // the thread's first column, and columns from there on
    i64 at0[2];
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const i64 row = rows.index(t, row_in(2 * h));
      at0[h] = row < 0 ? -1 : row * n + col0;
    }
#pragma unroll
    for (int i = 0; i < M; i += 2) {
      const int c = i / 4 * 8;
      if (at0[i / 2 % 2] < 0 || c >= left) continue;
      const i64 at = at0[i / 2 % 2] + c;
      const float x = finish(acc[i], at, col0 + c);
      if (pairs) {
        *(vec2 *)(out + at) = vec2{x, finish(acc[i + 1], at + 1, col0 + c + 1)};
        continue;
      }
      out[at] = x;
      if (c + 1 < left) out[at + 1] = finish(acc[i + 1], at + 1, col0 + c + 1);
    }
    if (f == kActNone) return;
    // each thread reads back what it wrote: a loop that is not unrolled holds the activation once
#pragma unroll 1
    for (int i = 0; i < M; ++i) {
      const int c = i / 4 * 8 + i % 2;
      const i64 at = i & 2 ? at0[1] : at0[0];
      if (at >= 0 && c < left) out[at + c] = act(f, out[at + c]);
    }
  }
};
#endif
