// out[b] = act(alpha · op(A[b]) · op(B[b]) + bias + residual[b]) (+ out[b]): float32, any transposes, B in 32 or 16 bits.
// Second rung above one thread an element: tiles of 64×64 in shared memory, 4×4 sums a thread. Limit: FFMA and shared memory reads, about half of
// the float32 peak; kept as the strict float32 path. Sums of 256 products are added up apart, so that long K costs no digits.
#include "dev.cuh"

enum { kTile = 64, kDepth = 16 };

KERNEL(gemm_tiled_f32, 256, 0, const float *a, const void *b, float *out, const float *bias, const float *residual, int m, int n, int k, i64 step_a, i64 step_b, int trans_a, int trans_b, int dtype_b,
       float alpha, int accumulate, int f) {
  SHARED(float, ta, [kDepth][kTile + 4]);
  SHARED(float, tb, [kDepth][kTile + 4]);
  const int tiles_n = (n + kTile - 1) / kTile, tiles_m = (m + kTile - 1) / kTile;
  const int col0 = block_x() % tiles_n * kTile, row0 = block_x() / tiles_n % tiles_m * kTile;
  const i64 batch = block_x() / tiles_n / tiles_m;
  a += batch * step_a;
  const int tx = thread_x() % 16, ty = thread_x() / 16;
  float sum[4][4] = {}, part[4][4] = {};
  for (int k0 = 0; k0 < k; k0 += kDepth) {
    for (int e = thread_x(); e < kTile * kDepth; e += 256) {
      // neighbours in memory are neighbours among the threads
      const int ar = trans_a ? e % kTile : e / kDepth, ak = trans_a ? e / kTile : e % kDepth;
      const int bc = trans_b ? e / kDepth : e % kTile, bk = trans_b ? e % kDepth : e / kTile;
      const int row = row0 + ar, col = col0 + bc, ka = k0 + ak, kb = k0 + bk;
      ta[ak][ar] = row < m && ka < k ? a[trans_a ? (i64)ka * m + row : (i64)row * k + ka] : 0.f;
      tb[bk][bc] = col < n && kb < k ? load_any(b, dtype_b, batch * step_b + (trans_b ? (i64)col * k + kb : (i64)kb * n + col)) : 0.f;
    }
    sync_block();
#pragma unroll
    for (int l = 0; l < kDepth; ++l) {
      float x[4], y[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) x[i] = ta[l][ty * 4 + i], y[i] = tb[l][tx * 4 + i];
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) part[i][j] = fma_(x[i], y[j], part[i][j]);
    }
    sync_block();
    if ((k0 / kDepth & 15) == 15) {
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) sum[i][j] += part[i][j], part[i][j] = 0;
    }
  }
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int row = row0 + ty * 4 + i, col = col0 + tx * 4 + j;
      if (row >= m || col >= n) continue;
      const i64 at = (batch * m + row) * n + col;
      float v = (sum[i][j] + part[i][j]) * alpha;
      if (bias) v += bias[col];
      if (residual) v += residual[at];
      if (accumulate) v += out[at];
      out[at] = act(f, v);
    }
}
