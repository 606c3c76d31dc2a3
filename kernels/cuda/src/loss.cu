// Cross entropy and DETR's box losses with their gradients. Sums of rows in float64, in a fixed order.
#include "dev.cuh"

// total[0] = Σ weight over rows that count, infinity if it is 0: what follows is then 0 and not NaN
KERNEL(crossentropy_weights_f32, 256, 0, const int *target, const float *weight, float *total, int n, int ignore) {
  SHARED(double, scratch, [256]);
  double s = 0;
  for (int i = thread_x(); i < n; i += threads_x())
    if (target[i] != ignore) s += weight ? weight[i] : 1.f;
  s = block_sum_f64(s, scratch);
  if (thread_x() == 0) total[0] = s == 0 ? INF_ : (float)s;
}

// One block a row; dz may be z. A target outside 0..v−1 gives NaN. term[n] is the row's share of the loss, rows, if wanted, its loss without weight.
KERNEL(crossentropy_f32, 256, 0, const float *z, const int *target, const float *weight, const float *total, float *dz, float *rows, float *term, int v, int ignore, float smoothing) {
  SHARED(float, scratch, [32]);
  SHARED(double, wide, [256]);
  const int n = block_x(), t = target[n];
  const i64 at = (i64)n * v;
  if (t == ignore) {
    if (dz)
      for (int j = thread_x(); j < v; j += threads_x()) dz[at + j] = 0;
    if (thread_x() == 0) {
      term[n] = 0;
      if (rows) rows[n] = 0;
    }
    return;
  }
  float top = -INF_;
  double sum = 0, mean = 0;
  for (int j = thread_x(); j < v; j += threads_x()) top = fmax_(top, z[at + j]);
  top = block_max(top, scratch);
  for (int j = thread_x(); j < v; j += threads_x()) sum += exp_(z[at + j] - top), mean += z[at + j];
  sum = block_sum_f64(sum, wide), mean = block_sum_f64(mean, wide) / v;
  const float hit = t >= 0 && t < v ? z[at + t] : float_of(0x7fc00000), scale = (weight ? weight[n] : 1.f) / total[0], by = (float)(1 / sum);
  sync_block();  // all have read the hit before dz, which may be z, is written
  if (thread_x() == 0) {
    const float loss = (float)(log_((float)sum) + ((double)top - mean) * smoothing + ((double)top - hit) * (1 - smoothing));
    term[n] = scale * loss;
    if (rows) rows[n] = loss;
  }
  if (!dz) return;
  for (int j = thread_x(); j < v; j += threads_x()) {
    float g = exp_(z[at + j] - top) * by - smoothing / v;
    if (j == t) g -= 1 - smoothing;
    dz[at + j] = g * scale;
  }
}

// out[0] = Σ term / norm: one block
KERNEL(sum_f64_f32, 256, 0, const float *term, float *out, i64 n, float norm) {
  SHARED(double, scratch, [256]);
  double s = 0;
  for (i64 i = thread_x(); i < n; i += threads_x()) s += term[i];
  s = block_sum_f64(s, scratch);
  if (thread_x() == 0) out[0] = (float)(s / norm);
}

DEV double sign_(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }
DEV double above(double x) { return (1 + sign_(x)) / 2; }  // the derivative of max(a, b) by a at x = a − b
DEV double max_(double a, double b) { return a > b ? a : b; }
DEV double min_(double a, double b) { return a < b ? a : b; }

// l1[n], giou[n] and dpred [N, 4] of one pair of boxes (cx, cy, w, h) a thread, as kernels.BoxLossOne has them. Few boxes: float64 costs nothing.
KERNEL(box_loss_f32, 128, 0, const float *pred, const float *target, float *l1, float *giou, float *dpred, int n, float wl1, float wgiou, float norm) {
  const int b = (int)global_thread();
  if (b >= n) return;
  double p[4], t[4], d[4], sum = 0;
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    p[j] = pred[4 * b + j], t[j] = target[4 * b + j];
    sum += p[j] > t[j] ? p[j] - t[j] : t[j] - p[j];
    d[j] = wl1 * sign_(p[j] - t[j]);
  }
  double inner[2], outer[2], in_lo[2], in_hi[2], out_lo[2], out_hi[2];
#pragma unroll
  for (int j = 0; j < 2; ++j) {
    const double lo = p[j] - p[j + 2] / 2, hi = p[j] + p[j + 2] / 2, tlo = t[j] - t[j + 2] / 2, thi = t[j] + t[j + 2] / 2;
    outer[j] = max_(hi, thi) - min_(lo, tlo), inner[j] = min_(hi, thi) - max_(lo, tlo);
    out_hi[j] = above(hi - thi), out_lo[j] = -above(tlo - lo);
    const bool meet = inner[j] >= 0;
    in_hi[j] = meet ? above(thi - hi) : 0, in_lo[j] = meet ? -above(lo - tlo) : 0;
    if (!meet) inner[j] = 0;
  }
  const double inter = inner[0] * inner[1], hull = outer[0] * outer[1], all = p[2] * p[3] + t[2] * t[3] - inter;
  double loss = 1;
  if (all > 0 && hull > 0) {
    loss = 2 - inter / all - all / hull;
    const double by_union = inter / (all * all) - 1 / hull, by_inter = -1 / all - by_union, by_hull = all / (hull * hull);
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      const double i = by_inter * inner[1 - j], o = by_hull * outer[1 - j];
      const double lo = i * in_lo[j] + o * out_lo[j], hi = i * in_hi[j] + o * out_hi[j];
      d[j] += wgiou * (lo + hi), d[j + 2] += wgiou * ((hi - lo) / 2 + by_union * p[3 - j]);
    }
  }
  l1[b] = (float)sum, giou[b] = (float)loss;
  if (dpred)
#pragma unroll
    for (int j = 0; j < 4; ++j) dpred[4 * b + j] = (float)(d[j] / norm);
}
