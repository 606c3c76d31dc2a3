// linear_crossentropy, what all its rungs share: merging of partial statistics, the loss of rows, sums of the bias's gradient. All are bound by memory.
#include "linear_crossentropy.cuh"

// Forgets the logits of targets: one that no tile leaves, for it is outside 0..V−1, gives NaN.
KERNEL(linear_crossentropy_begin, 256, 0, float *hit, i64 n) {
  const i64 i = global_thread();
  if (i < n) hit[i] = float_of(0x7fc00000);
}

// Merges statistics of `parts` tiles, count numbers apart, in order; first: nothing is there yet. totals: null, not wanted.
KERNEL(linear_crossentropy_merge, 256, 0, const float *tops, const float *sums, const float *totals, int parts, int count, int first, float *top, float *sum, double *total) {
  const i64 i = global_thread();
  if (i >= count) return;
  float t = first ? -INF_ : top[i], s = first ? 0.f : sum[i];
  double all = first || !totals ? 0 : total[i];
  for (int p = 0; p < parts; ++p) {
    const float t1 = tops[(i64)p * count + i], s1 = sums[(i64)p * count + i];
    if (totals) all += totals[(i64)p * count + i];
    if (t1 == -INF_) continue;
    if (t1 > t)
      s = s * exp_(t - t1) + s1, t = t1;
    else
      s += s1 * exp_(t1 - t);
  }
  top[i] = t, sum[i] = s;
  if (totals) total[i] = all;
}

// log1p_ of x ≥ 0: log(1 + x) loses the digits of a small x.
DEV double log1p_(double x) { return x < 0.01 ? x * (1 - x * (1. / 2 - x * (1. / 3 - x * (1. / 4 - x / 5)))) : (double)log_((float)(1 + x)); }

// What a row's loss is and counts: others is Σ exp(z − top) without the target, norm Σ of the weights. term is its share of the loss, rows, if wanted, its
// loss without weight.
KERNEL(linear_crossentropy_own, 256, 0, const int *target, const float *weight, const float *norm, const float *top, const float *others, const float *hit, const double *total, Counts *counts,
       float *rows, float *term, i64 n, int v, int ignore, float smoothing) {
  const i64 i = global_thread();
  if (i >= n) return;
  if (target[i] == ignore) {
    counts[i] = Counts{top[i], 0, 0, 0}, term[i] = 0;
    if (rows) rows[i] = 0;
    return;
  }
  const double above = (double)top[i] - hit[i], at = exp_((float)-above), rest = others[i], sum = rest + at;
  double loss = above == 0 ? log1p_(rest) : above + log_((float)sum);  // lse − z of the target
  if (smoothing != 0.f) loss += smoothing * ((double)hit[i] - total[i] / v);
  const float share = (weight ? weight[i] : 1.f) / *norm;
  counts[i] = Counts{top[i], (float)(share / sum), (float)(share * (rest / sum - smoothing)), share * smoothing / v};
  term[i] = (float)(share * loss);
  if (rows) rows[i] = (float)loss;
}

// dbias (+)= Σ of `parts` tiles, count numbers apart, in order
KERNEL(linear_crossentropy_dbias, 256, 0, const float *part, int parts, int count, int add, float *dbias) {
  const i64 i = global_thread();
  if (i >= count) return;
  float s = add ? dbias[i] : 0.f;
  for (int p = 0; p < parts; ++p) s += part[(i64)p * count + i];
  dbias[i] = s;
}
