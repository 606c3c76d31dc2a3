// DETR's matching of queries with objects and the targets of its set loss, as kernels/boxmatch.go says: costs in float64, every operation rounded as there (a product that is
// added to something is in a fused multiply-add), then shortest augmenting paths in the same order with the same rule for ties, so that the matching is the
// host's. One block an image and layer: a thread a query for the costs and the targets, one warp between them for the paths, for each row follows from the one before.
// Limit: latency, n² steps of a warp over the queries, each some 40 exchanges and reads through L1; images run side by side. Measured: not yet, emulated only.
#include "dev.cuh"

DEV double less(double a, double b) { return a < b ? a : b; }
DEV double more(double a, double b) { return a > b ? a : b; }

// e^x for x ≤ 0, below e⁻⁷⁰⁰ 0: x = k ln 2 + r, and the series of e^r to r¹³
DEV double exp_below(double x) {
  if (!(x > -700)) return x != x ? x : 0;
  const i64 whole = (i64)fma(x, 1.44269504088896340735992468100189214, -0.5);
  const double k = (double)whole, r = fma(-k, 1.90821492927058770002e-10, fma(-k, 6.93147180369123816490e-01, x));
  const double c[13] = {1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1, 1};
  double p = 1.0 / 6227020800;
#pragma unroll
  for (int i = 0; i < 13; ++i) p = fma(p, r, c[i]);
  union { u64 bits; double value; } scale;
  scale.bits = (u64)(1023 + whole) << 52;
  return p * scale.value;
}

// the sum of absolute differences and the generalised intersection over union of two boxes (cx, cy, w, h)
DEV void far_and_giou(const float *a, const float *b, double &far, double &giou) {
  double inner[2], outer[2], p[2], q[2];
  far = giou = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const double d = (double)a[i] - (double)b[i];
    far += d < 0 ? -d : d;
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const double aw = a[i + 2], bw = b[i + 2], lo = a[i] - aw / 2, hi = a[i] + aw / 2, blo = b[i] - bw / 2, bhi = b[i] + bw / 2;
    inner[i] = more(less(hi, bhi) - more(lo, blo), 0), outer[i] = more(hi, bhi) - less(lo, blo), p[i] = more(hi - lo, 0), q[i] = more(bhi - blo, 0);
  }
  const double inter = inner[0] * inner[1], hull = outer[0] * outer[1], all = fma(p[0], p[1], fma(q[0], q[1], -inter));
  if (all > 0 && hull > 0) giou = inter / all - fma(outer[0], outer[1], -all) / hull;
}

DEV double other(double x, int m) {
  union { double value; u32 half[2]; } v;
  v.value = x;
  v.half[0] = shfl_xor(v.half[0], m), v.half[1] = shfl_xor(v.half[1], m);
  return v.value;
}

// One warp takes row i into the assignment of cost [rows, cols]; a lane has the columns that leave its number by 32.
DEV void augment(const double *cost, int cols, int i, double *u, double *v, double *dist, int *row, int *via, int *done) {
  for (int j = lane_id(); j < cols; j += 32) dist[j] = (double)INF_, done[j] = 0;
  int at = i, last = -1;
  double length = 0;
  while (at >= 0) {
    const double own = u[at];
    double best = 0;
    int next = -1;
    for (int j = lane_id(); j < cols; j += 32) {
      if (done[j]) continue;
      const double d = length + cost[(i64)at * cols + j] - own - v[j];
      if (d < dist[j]) dist[j] = d, via[j] = last;
      if (next < 0 || dist[j] < best) best = dist[j], next = j;
    }
#pragma unroll
    for (int m = 16; m; m >>= 1) {
      const double b = other(best, m);
      const int n = shfl_xor(next, m);
      if (n >= 0 && (next < 0 || b < best || (b == best && n < next))) best = b, next = n;
    }
    if (next % 32 == lane_id()) done[next] = 1;
    last = next, length = best, at = row[next];
  }
  if (lane_id() == 0) u[i] += length;
  for (int j = lane_id(); j < cols; j += 32)
    if (done[j]) {
      if (row[j] >= 0) u[row[j]] += length - dist[j];
      v[j] -= length - dist[j];
    }
  sync_warp();
  if (lane_id() == 0)
    for (int j = last; j >= 0; j = via[j]) row[j] = via[j] >= 0 ? row[via[j]] : i;  // partners move one along the path
  sync_warp();
}

// work [L·N·Q + L·N + 2·L·B·Q] float64 and places [3·L·B·Q] are for costs, potentials, distances, partners, paths, and what has been reached
KERNEL(box_match_f32, 128, 0, const float *logits, const float *boxes, const int *label, const float *object, const int *first, int *chosen, float *weight, int *index, float *target,
       double *work, int *places, int layers, int images, int queries, int classes, int objects, float class_cost, float box_cost, float giou_cost, float nothing) {
  const int picture = block_x(), layer = picture / images, b = picture % images;
  int from = first[b], n = first[b + 1];
  from = from < 0 ? 0 : from > objects ? objects : from;
  n = n <= from ? 0 : n > objects ? objects - from : n - from;
  if (n > queries) n = queries;
  const i64 own = (i64)layer * objects + from, row0 = (i64)picture * queries, all = (i64)layers * images * queries;
  double *cost = work + own * queries, *u = work + (i64)layers * objects * queries + own;
  double *v = work + (i64)layers * objects * (queries + 1) + row0, *dist = v + all;
  int *row = places + row0, *via = row + all, *done = via + all;
  for (int j = thread_x(); j < queries; j += threads_x()) {
    const float *x = logits + (row0 + j) * classes, *box = boxes + (row0 + j) * 4;
    float top = x[0];
    double sum = 0;
    for (int c = 0; c < classes; ++c)
      if (x[c] > top) top = x[c];
    for (int c = 0; c < classes; ++c) sum += exp_below((double)(x[c] - top));
    for (int o = 0; o < n; ++o) {
      double far, giou;
      far_and_giou(box, object + (i64)(from + o) * 4, far, giou);
      const double p = exp_below((double)(x[label[from + o]] - top)) / sum;
      const double d = fma(-(double)giou_cost, giou, fma((double)box_cost, far, -(double)class_cost * p));
      cost[(i64)o * queries + j] = d >= -1.7976931348623157e308 && d <= 1.7976931348623157e308 ? d : 1e9;
    }
    v[j] = 0, row[j] = -1;
  }
  for (int o = thread_x(); o < n; o += threads_x()) u[o] = 0;
  sync_block();
  if (warp_id() == 0)
    for (int o = 0; o < n; ++o) augment(cost, queries, o, u, v, dist, row, via, done);
  sync_block();
  for (int j = thread_x(); j < queries; j += threads_x()) {
    const int o = row[j];
    chosen[row0 + j] = o < 0 ? classes - 1 : label[from + o], weight[row0 + j] = o < 0 ? nothing : 1.f;
    if (o < 0) continue;
    i64 at = own;
    for (int i = 0; i < j; ++i) at += row[i] >= 0;
    index[at] = (int)(row0 + j);
#pragma unroll
    for (int i = 0; i < 4; ++i) target[4 * at + i] = object[(i64)(from + o) * 4 + i];
  }
}
