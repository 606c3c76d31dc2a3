// What becomes of a 128×128 tile of a product that is kept: out = act(alpha·sum + bias + residual) (+ out).
#ifndef SYNTIC_PRODUCT_CUH
#define SYNTIC_PRODUCT_CUH
#include "tile.cuh"

struct Finish {
  float *out;                     // [rows, n] in any order, as residual is
  const float *bias, *residual;   // null: none; bias is [n]
  float alpha;
  int accumulate, f;
};

// finish_at writes the tile that begins at (row0, col0); place(row, col) is where an element lies in out, negative: nowhere. The sums go through shared
// memory, half of the rows at a time: neighbours among the threads then write neighbours, and the code has the epilogue once, not once for each of a
// thread's 64 sums. smem holds stage_bytes(3).
template <class Place> DEV void finish_at(unsigned char *smem, const float (&acc)[4][4][4], const Finish &to, i64 row0, int col0, Place place) {
  float(*s)[kTile + 4] = (float(*)[kTile + 4])smem;
  for (int half = 0; half < 2; ++half) {
    sync_block();
    if (warp_id() / 4 == half) {
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j)
#pragma unroll
          for (int e = 0; e < 4; ++e) s[acc_row(i, e) - half * 64][acc_col(j, e)] = acc[i][j][e];
    }
    sync_block();
    const int col = col0 + thread_x() % kTile;
#pragma unroll 1
    for (int r = thread_x() / kTile; r < 64; r += 2) {
      const i64 at = place(row0 + half * 64 + r, col);
      if (at < 0) continue;
      float v = s[r][thread_x() % kTile] * to.alpha;
      if (to.bias) v += to.bias[col];
      if (to.residual) v += to.residual[at];
      if (to.accumulate) v += to.out[at];
      to.out[at] = act(to.f, v);
    }
  }
}

// finish is the same for rows of n that follow each other.
DEV void finish(unsigned char *smem, const float (&acc)[4][4][4], const Finish &to, i64 row0, i64 rows, int col0, int n) {
  finish_at(smem, acc, to, row0, col0, [&](i64 row, int col) { return row < rows && col < n ? row * n + col : -1; });
}
#endif
