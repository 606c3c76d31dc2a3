// out[b] = act(alpha · op(A[b]) · op(B[b]) + bias + residual[b]) (+ out[b]): float32, any transposes, B in 32 or 16 bits.
// Second rung above one thread an element: tiles of 64×64 in shared memory, 4×4 sums a thread. Limit: FFMA and shared memory reads, about half of
// the float32 peak; kept as the strict float32 path. Measured: not yet, emulated only.
#include "tiled.cuh"

KERNEL(gemm_tiled_f32, 256, 0, const float *a, const void *b, float *out, const float *bias, const float *residual, int m, int n, int k, i64 step_a, i64 step_b, int trans_a, int trans_b, int dtype_b,
       float alpha, int accumulate, int f) {
  const int tiles_n = (n + kSide - 1) / kSide, tiles_m = (m + kSide - 1) / kSide;
  const int col0 = block_x() % tiles_n * kSide, row0 = block_x() / tiles_n % tiles_m * kSide;
  const i64 batch = block_x() / tiles_n / tiles_m;
  const Matrix x = {a, kF32, row0, m, k, batch * step_a, trans_a ? 1 : k, trans_a ? m : 1};
  const Matrix y = {b, dtype_b, col0, n, k, batch * step_b, trans_b ? k : 1, trans_b ? 1 : n};
  tiled_product(x, y, 0, k, [&](int i, int j, float sum) {
    const int row = row0 + i, col = col0 + j;
    if (row >= m || col >= n) return;
    const i64 at = (batch * m + row) * n + col;
    float v = sum * alpha;
    if (bias) v += bias[col];
    if (residual) v += residual[at];
    if (accumulate) v += out[at];
    out[at] = act(f, v);
  });
}
