// InfoNCE, what all its rungs share: counts of targets, merging of partial statistics, the loss, weights of the gradient, the gradient of the scale.
// All are bound by memory and O(N + M).
#include "dev.cuh"

// times[m] is how often column m is a target: here without targets, or 0 before infonce_times_add counts.
KERNEL(infonce_times, 256, 0, int *times, i64 n, i64 m, int targets) {
  const i64 i = global_thread();
  if (i < m) times[i] = !targets && i < n;
}
KERNEL(infonce_times_add, 256, 0, const int *target, int *times, i64 n) {
  const i64 i = global_thread();
  if (i < n) atomic_add(times + target[i], 1);
}

// Merges statistics of `parts` tiles, count numbers apart, into top and sum (and ranks), in order; first: nothing is there yet.
KERNEL(infonce_merge, 256, 0, const float *tops, const float *sums, const int *ranks, int parts, int count, int first, float *top, float *sum, int *rank) {
  const i64 i = global_thread();
  if (i >= count) return;
  float t = first ? -INF_ : top[i], s = first ? 0.f : sum[i];
  for (int p = 0; p < parts; ++p) {
    const float t1 = tops[(i64)p * count + i], s1 = sums[(i64)p * count + i];
    if (t1 == -INF_) continue;
    if (t1 > t)
      s = s * exp_(t - t1) + s1, t = t1;
    else
      s += s1 * exp_(t1 - t);
  }
  top[i] = t, sum[i] = s;
  if (!ranks) return;
  int r = first ? 0 : rank[i];
  for (int p = 0; p < parts; ++p) r += ranks[(i64)p * count + i];
  rank[i] = r;
}

// loss = wx·Σ (lse of row n − hit n) + wy·Σ (lse of column t − hit n); one block, float64
KERNEL(infonce_loss, 256, 0, const float *row_top, const float *row_sum, const float *col_top, const float *col_sum, const float *hit, const int *target, float *loss, i64 n, float wx, float wy) {
  SHARED(double, scratch, [256]);
  double l = 0;
  for (i64 i = thread_x(); i < n; i += 256) {
    const i64 t = target ? target[i] : i;
    l += (double)wx * ((row_top[i] - hit[i]) + log_(row_sum[i]));
    if (wy != 0.f) l += (double)wy * ((col_top[t] - hit[i]) + log_(col_sum[t]));
  }
  l = block_sum_f64(l, scratch);
  if (thread_x() == 0) *loss = (float)l;
}

// own[i] = w · times[i] / sum[i]: what exp(s − top) counts in the gradient
KERNEL(infonce_own, 256, 0, const float *sum, const int *times, float *own, i64 n, float w) {
  const i64 i = global_thread();
  if (i < n) own[i] = w == 0.f ? 0.f : w * (times ? (float)times[i] : 1.f) / sum[i];
}

// dscale = Σ slots, one block
KERNEL(infonce_dscale, 256, 0, const double *slots, int n, float *dscale) {
  SHARED(double, scratch, [256]);
  double s = 0;
  for (int i = thread_x(); i < n; i += 256) s += slots[i];
  s = block_sum_f64(s, scratch);
  if (thread_x() == 0) *dscale = (float)s;
}
