// Resize and max pooling, channels last, and their gradients: one thread an element of what is written, so that sums have a fixed order. Bound by
// memory; the gradient of a large reduction reads little, that of a large magnification looks at all outputs of an axis' neighbourhood.
#include "dev.cuh"

enum { kNearest, kBilinear, kBicubic };

// keys is the cubic kernel at distance d (Keys 1981, a = −0.75).
DEV double keys(double d) {
  const double a = -0.75;
  return d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

// taps are the places, and their weights, that place i of an axis resized from `in` to `out` places is made of, as kernels.ResizeKind.Taps.
DEV int taps(int kind, int in, int out, int i, int (&at)[4], float (&w)[4]) {
  if (kind == kNearest) {
    const int p = (int)((float)i * ((float)in / (float)out));
    at[0] = p < in ? p : in - 1, w[0] = 1;
    return 1;
  }
  double x = (i + 0.5) * in / out - 0.5;
  if (kind == kBilinear) {
    if (x < 0) x = 0;
    const int l = (int)x;
    const double t = x - l;
    at[0] = l < in ? l : in - 1, at[1] = l + 1 < in ? l + 1 : in - 1;
    w[0] = (float)(1 - t), w[1] = (float)t;
    return 2;
  }
  int l = (int)x;
  if (l > x) --l;
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const int p = l - 1 + j;
    at[j] = p < 0 ? 0 : p < in ? p : in - 1;
    const double d = x - p;
    w[j] = (float)keys(d < 0 ? -d : d);
  }
  return 4;
}

KERNEL(resize_f32, 256, 0, const float *x, float *out, i64 n, int h, int w, int c, int oh, int ow, int kind) {
  const i64 e = global_thread();
  if (e >= n) return;
  const int k = (int)(e % c), ox = (int)(e / c % ow), oy = (int)(e / c / ow % oh);
  const i64 image = e / c / ow / oh * h;
  int ay[4], ax[4];
  float wy[4], wx[4], s = 0;
  const int ny = taps(kind, h, oh, oy, ay, wy), nx = taps(kind, w, ow, ox, ax, wx);
#pragma unroll
  for (int p = 0; p < 4; ++p)
#pragma unroll
    for (int q = 0; q < 4; ++q)
      if (p < ny && q < nx) s += wy[p] * wx[q] * x[((image + ay[p]) * w + ax[q]) * c + k];
  out[e] = s;
}

// range is the outputs that may have place i among their taps: a little too many.
DEV void range(int in, int out, int i, int *lo, int *hi) {
  const double r = (double)out / in;
  const i64 l = i == 0 ? 0 : (i64)((i - 2.5) * r) - 1, h = i == in - 1 ? out : (i64)((i + 3.5) * r) + 2;
  *lo = l < 0 ? 0 : (int)l, *hi = h > out ? out : (int)h;
}
// weight_of is how much of place i is in output o.
DEV float weight_of(int kind, int in, int out, int o, int i) {
  int at[4];
  float w[4], s = 0;
  const int n = taps(kind, in, out, o, at, w);
#pragma unroll
  for (int j = 0; j < 4; ++j)
    if (j < n && at[j] == i) s += w[j];
  return s;
}

KERNEL(resize_grad_f32, 256, 0, const float *dout, float *dx, i64 n, int h, int w, int c, int oh, int ow, int kind) {
  const i64 e = global_thread();
  if (e >= n) return;
  const int k = (int)(e % c), x = (int)(e / c % w), y = (int)(e / c / w % h);
  const i64 image = e / c / w / h * oh;
  int y0, y1, x0, x1;
  range(h, oh, y, &y0, &y1), range(w, ow, x, &x0, &x1);
  float s = 0;
  for (int oy = y0; oy < y1; ++oy) {
    const float wy = weight_of(kind, h, oh, oy, y);
    if (wy == 0) continue;
    float row = 0;
    for (int ox = x0; ox < x1; ++ox) {
      const float wx = weight_of(kind, w, ow, ox, x);
      if (wx != 0) row += wx * dout[((image + oy) * ow + ox) * c + k];
    }
    s += wy * row;
  }
  dx[e] = s;
}

// index, if wanted, is the place of the first largest value; NaN is larger than all
KERNEL(max_pool_f32, 256, 0, const float *x, float *out, int *index, i64 n, int h, int w, int c, int oh, int ow, int kernel, int stride, int pad) {
  const i64 e = global_thread();
  if (e >= n) return;
  const int k = (int)(e % c), x0 = (int)(e / c % ow) * stride - pad, y0 = (int)(e / c / ow % oh) * stride - pad;
  const i64 image = e / c / ow / oh * h;
  float best = -INF_;
  int where = -1;
  for (int y = y0 < 0 ? 0 : y0; y < y0 + kernel && y < h; ++y)
    for (int z = x0 < 0 ? 0 : x0; z < x0 + kernel && z < w; ++z) {
      const float v = x[((image + y) * w + z) * c + k];
      if (where < 0 || v > best || isnan_(v)) best = v, where = y * w + z;
    }
  out[e] = best;
  if (index) index[e] = where;
}

KERNEL(max_pool_grad_f32, 256, 0, const int *index, const float *dout, float *dx, i64 n, int h, int w, int c, int oh, int ow, int kernel, int stride, int pad) {
  const i64 e = global_thread();
  if (e >= n) return;
  const int k = (int)(e % c), x = (int)(e / c % w), y = (int)(e / c / w % h), at = y * w + x;
  const i64 image = e / c / w / h * oh;
  // windows that hold y: oy·stride − pad ≤ y < oy·stride − pad + kernel
  const int y0 = y + pad < kernel ? 0 : (y + pad - kernel) / stride + 1, x0 = x + pad < kernel ? 0 : (x + pad - kernel) / stride + 1;
  float s = 0;
  for (int oy = y0; oy < oh && oy * stride <= y + pad; ++oy)
    for (int ox = x0; ox < ow && ox * stride <= x + pad; ++ox) {
      const i64 o = ((image + oy) * ow + ox) * c + k;
      if (index[o] == at) s += dout[o];
    }
  dx[e] = s;
}
