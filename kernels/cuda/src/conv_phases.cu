// An image laid out for conv_wgmma and conv_grad_wgmma, rounded: with a stride of s as s² images, one for each pair of rests that places leave by s, so
// that pixels which a tap sees side by side lie side by side. Bound by memory. Measured: not yet, emulated only.
#include "dev.cuh"

// to [stride, stride, b, ceil(h/stride), ceil(w/stride), ld] of x [b, h, w, c]; what lies beside x is 0
template <class T> DEV void phases(const float *x, T *to, i64 n, int b, int h, int w, int c, int ld, int stride) {
  const i64 at = global_thread();
  if (at >= n) return;
  const int high = (h + stride - 1) / stride, wide = (w + stride - 1) / stride, i = (int)(at % ld);
  const i64 pixel = at / ld, image = pixel / wide / high, phase = image / b;
  const int row = (int)(pixel / wide % high) * stride + (int)(phase / stride), col = (int)(pixel % wide) * stride + (int)(phase % stride);
  store(to + at, i < c && row < h && col < w ? x[((image % b * h + row) * w + col) * c + i] : 0.f);
}
KERNEL(conv_phases_bf16, 256, 0, const float *x, bf16 *to, i64 n, int b, int h, int w, int c, int ld, int stride) { phases(x, to, n, b, h, w, c, ld, stride); }
KERNEL(conv_phases_f16, 256, 0, const float *x, f16 *to, i64 n, int b, int h, int w, int c, int ld, int stride) { phases(x, to, n, b, h, w, c, ld, stride); }
