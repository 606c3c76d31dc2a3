// Tiles of rows for attention on tensor cores, exact for the head sizes of the models.
#ifndef SYNTIC_ATTENTION_MMA_CUH
#define SYNTIC_ATTENTION_MMA_CUH
#include "attention.cuh"
#include "mma.cuh"

enum { kWarps = 4 };
// Tile is rows of D numbers in shared memory: their depth, a multiple of 16, and pitch (no bank conflicts for ldmatrix).
template <int D> struct Tile { enum { depth = (D + 15) / 16 * 16, pitch = depth + 8, steps = depth / 16, cols = D / 8 }; };

// fetch starts the copy of rows r0..r0+Rows-1, step apart, of which those below count exist; the others and columns from D on become 0.
template <int D, int Rows, class T> DEV void fetch(T *to, const T *rows, int r0, int count, i64 step) {
  constexpr int chunks = Tile<D>::depth / 8;
  for (int e = thread_x(); e < Rows * chunks; e += kWarps * 32) {
    const int r = e / chunks, c = e % chunks * 8;
    const bool there = r0 + r < count && c < D;
    cp_async16_zfill(to + r * Tile<D>::pitch + c, there ? rows + (r0 + r) * step + c : rows, there ? 16 : 0);
  }
}

// write is two neighbours of a result in T or float32.
template <class T> DEV void write(void *out, int dtype, i64 at, float x, float y) {
  if (dtype == kF32)
    ((float *)out)[at] = x, ((float *)out)[at + 1] = y;
  else
    store((T *)out + at, x), store((T *)out + at + 1, y);
}

// product_rows adds to s[k][j] the dot products of a warp's own rows k·16.. and the other rows j·8.., both along D. own(k, i, a) is the operand of own rows
// k·16.. at depth i·16; where it lies in registers, all steps are unrolled.
template <int D, int M, int Rows, int Unroll, class T, class F> DEV void product_rows(F own, const T *other, float (&s)[M][Rows / 8][4]) {
  const int l = lane_id();
#pragma unroll Unroll
  for (int i = 0; i < Tile<D>::steps; ++i) {
    u32 a[M][4];
#pragma unroll
    for (int k = 0; k < M; ++k) own(k, i, a[k]);
#pragma unroll
    for (int j = 0; j < Rows / 16; ++j) {
      u32 r[4];
      ldmatrix_x4(r, other + (j * 16 + l / 16 * 8 + l % 8) * Tile<D>::pitch + i * 16 + l / 8 % 2 * 8);
      const u32 lo[2] = {r[0], r[1]}, hi[2] = {r[2], r[3]};
#pragma unroll
      for (int k = 0; k < M; ++k) mma16(s[k][2 * j], a[k], lo, T{}), mma16(s[k][2 * j + 1], a[k], hi, T{});
    }
  }
}

// product_columns adds Σ_j w[·][j] · (other row j) to the sums of the warp's own rows: the sums of one product are an operand of the next as they lie.
template <int D, int M, int Rows, class T> DEV void product_columns(const float (&w)[M][Rows / 8][4], const T *other, float (&sum)[M][Tile<D>::cols][4]) {
  constexpr int cols = Tile<D>::cols;
  const int l = lane_id();
#pragma unroll
  for (int i = 0; i < Rows / 16; ++i) {
    u32 a[M][4];
#pragma unroll
    for (int k = 0; k < M; ++k) {
      const float(&x)[4] = w[k][2 * i], (&y)[4] = w[k][2 * i + 1];
      a[k][0] = pack(x[0], x[1], T{}), a[k][1] = pack(x[2], x[3], T{}), a[k][2] = pack(y[0], y[1], T{}), a[k][3] = pack(y[2], y[3], T{});
    }
#pragma unroll
    for (int c = 0; c < cols; c += 2) {
      u32 r[4];
      ldmatrix_x4_trans(r, other + (i * 16 + l / 8 % 2 * 8 + l % 8) * Tile<D>::pitch + c * 8 + l / 16 * 8);
      const u32 lo[2] = {r[0], r[1]}, hi[2] = {r[2], r[3]};
#pragma unroll
      for (int k = 0; k < M; ++k) {
        mma16(sum[k][c], a[k], lo, T{});
        if (c + 1 < cols) mma16(sum[k][c + 1 < cols ? c + 1 : c], a[k], hi, T{});
      }
    }
  }
}
#endif
