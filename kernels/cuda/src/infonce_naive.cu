// InfoNCE, first rung: one block a row of x (and of y, for the other direction), one thread a pair; every dot product is computed again for the
// gradient. Limit: the other side is read from L2 once for every row. float32, any format of x and y. Kept to check the others against.
// Measured: not yet, emulated only.
#include "tile.cuh"

// top and sum over rows of b for row block_x() of a; rank of the positive if wanted
KERNEL(infonce_naive_stats, 128, 0, const void *a, int dtype_a, const void *b, int dtype_b, i64 m, int d, const float *scale, const float *hit, const int *target, float *top_out, float *sum_out,
       int *rank) {
  SHARED(float, scratch, [32]);
  const i64 n = block_x(), own = target ? target[n] : n;
  float top = -INF_, sum = 0, before = 0;
  for (i64 j = thread_x(); j < m; j += 128) {
    const float s = dot_f32(a, dtype_a, n, b, dtype_b, j, d) * *scale;
    if (rank) before += s > hit[n] || (s == hit[n] && j < own);
    const float next = fmax_(top, s);
    sum = sum * exp_(top - next) + exp_(s - next), top = next;
  }
  const float all = block_max(top, scratch);
  sum = block_sum(top == -INF_ ? 0.f : sum * exp_(top - all), scratch);
  if (rank) before = block_sum(before, scratch);
  if (thread_x() == 0) {
    top_out[n] = all, sum_out[n] = sum;
    if (rank) rank[n] = (int)before;
  }
}

// The gradient of row block_x() of a, out[n] = Σ_j scale·∂Loss/∂s · b[j]. Own statistics are those of a's rows, others of b's rows or absent; slots as in
// infonce_dscale, if wanted. The positive of row n of a is target[n], with flip that of row j of b is target[j].
KERNEL(infonce_naive_grad, 128, 0, const void *a, int dtype_a, const void *b, int dtype_b, i64 m, int d, const float *scale, const int *target, int flip, const float *top, const float *own,
       const float *top_b, const float *own_b, float both, float *out, double *slots) {
  SHARED(float, w, [128]);
  SHARED(double, scratch, [256]);
  const i64 n = block_x();
  const int t = thread_x();
  double sum = 0;
  for (i64 j0 = 0; j0 < m; j0 += 128) {
    float g = 0;
    if (j0 + t < m) {
      const i64 j = j0 + t, x = flip ? j : n, y = flip ? n : j;
      const float dot = dot_f32(a, dtype_a, n, b, dtype_b, j, d), s = dot * *scale;
      if (top) g += exp_(s - top[n]) * own[n];
      if (top_b) g += exp_(s - top_b[j]) * own_b[j];
      if ((target ? target[x] : x) == y) g -= both;
      sum += (double)g * dot;
    }
    w[t] = g * *scale;
    sync_block();
    const int count = m - j0 < 128 ? (int)(m - j0) : 128;
    for (int c = t; c < d; c += 128) {
      float o = j0 ? out[n * d + c] : 0.f;
      for (int j = 0; j < count; ++j) o = fma_(w[j], load_any(b, dtype_b, (j0 + j) * d + c), o);
      out[n * d + c] = o;
    }
    sync_block();
  }
  if (!slots) return;
  sum = block_sum_f64(sum, scratch);
  if (t == 0) slots[n] = sum;
}
