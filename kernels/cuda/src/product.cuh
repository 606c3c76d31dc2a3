// What becomes of a 128×128 tile of a product that is kept: out = act(alpha·sum + bias + residual) (+ out).
#ifndef SYNTIC_PRODUCT_CUH
#define SYNTIC_PRODUCT_CUH
#include "tile.cuh"

struct Finish {
  float *out;                     // [rows, n], as residual is
  const float *bias, *residual;   // null: none; bias is [n]
  float alpha;
  int accumulate, f;
};

// finish writes the tile that begins at (row0, col0). The sums go through shared memory, half of the rows at a time: neighbours among the threads then
// write neighbours, and the code has the epilogue once, not once for each of a thread's 64 sums. smem holds stage_bytes(3).
DEV void finish(unsigned char *smem, const float (&acc)[4][4][4], const Finish &to, i64 row0, i64 rows, int col0, int n) {
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
    if (col >= n) continue;
    const float bias = to.bias ? to.bias[col] : 0.f;
#pragma unroll 1
    for (int r = thread_x() / kTile; r < 64; r += 2) {
      const i64 row = row0 + half * 64 + r, at = row * n + col;
      if (row >= rows) break;
      float v = s[r][thread_x() % kTile] * to.alpha + bias;
      if (to.residual) v += to.residual[at];
      if (to.accumulate) v += to.out[at];
      to.out[at] = act(to.f, v);
    }
  }
}
#endif
