// Convolution, channels last, as an implicit GEMM by mma.sync of 16-bit or tf32 operands: out = act(x ∗ weight + bias + residual), sums in float32, one
// launch with its epilogue. Second rung, after conv_tiled: 128 pixels by 128 channels of out, slabs of 64 bytes along (u, v, ci) through three stages of
// cp.async. No matrix of windows is made: 16 bytes of x lie within one tap of one pixel, so each copy finds its own place, and what lies beside the
// image is filled with zeros. x and weight have `ci` channels, a multiple of 16 bytes; round_rows_* lay them so. Limit: mma.sync, and at few channels
// the channels that fill up. Measured: not yet, emulated only.
#include "conv.cuh"
#include "product.cuh"

// Windows fetches x around 128 pixels of out, slab by slab. A thread has two pixels, 64 apart, and 16 bytes along depth.
template <class T> struct Windows {
  const T *x;
  Conv c;
  int image[2], y[2], z[2];  // of the two pixels; image −1: none
  int u, v, i;               // tap and channel of the next slab
  DEV_METHOD void begin(const T *from, const Conv &sizes, i64 pixel0, int k0) {
    x = from, c = sizes;
#pragma unroll
    for (int n = 0; n < 2; ++n) {
      const i64 p = pixel0 + thread_x() / 4 + 64 * n;
      image[n] = p < (i64)c.b * c.oh * c.ow ? (int)(p / c.ow / c.oh) : -1;
      y[n] = (int)(p / c.ow % c.oh) * c.stride - c.top, z[n] = (int)(p % c.ow) * c.stride - c.left;
    }
    const int k = k0 + thread_x() % 4 * Slab<T>::chunk, tap = k / c.ci;
    i = k % c.ci, u = tap / c.kw, v = tap % c.kw;
  }
  DEV_METHOD void operator()(T *to, int) {
#pragma unroll
    for (int n = 0; n < 2; ++n) {
      const int h = y[n] + u, w = z[n] + v;
      const bool in = image[n] >= 0 && u < c.kh && h >= 0 && h < c.h && w >= 0 && w < c.w;
      const T *from = in ? x + (((i64)image[n] * c.h + h) * c.w + w) * c.ci + i : x;
      cp_async16_zfill(to + (thread_x() / 4 + 64 * n) * Slab<T>::pitch + thread_x() % 4 * Slab<T>::chunk, from, in ? 16 : 0);
    }
    for (i += Slab<T>::depth; i >= c.ci; i -= c.ci)
      if (++v == c.kw) v = 0, ++u;
  }
};

// depths k0 to k1 of (u, v, ci), k0 a multiple of a slab
template <class T> DEV void conv_mma(const T *x, const T *weight, const Conv &c, const Finish &to, int k0, int k1) {
  SHARED_DYNAMIC(unsigned char, smem);
  const int across = (c.co + kTile - 1) / kTile, col0 = block_x() % across * kTile, depth = c.kh * c.kw * c.ci;
  const i64 row0 = (i64)(block_x() / across) * kTile;
  const T *w = weight + (i64)col0 * depth + k0;
  Windows<T> windows;
  windows.begin(x, c, row0, k0);
  auto weights = [&](T *at, int s) { load_slab<false>(at, w, depth, c.co - col0, s * Slab<T>::depth, k1 - k0); };
  float acc[4][4][4] = {};
  tile_mma_of<false, false, 3>((T *)smem, windows, weights, (k1 - k0 + Slab<T>::depth - 1) / Slab<T>::depth, acc);
  finish(smem, acc, to, row0, (i64)c.b * c.oh * c.ow, col0, c.co);
}
#define KERNEL_OF(T)                                                                                                                                              \
  KERNEL(conv_mma_##T, 256, stage_bytes(3), const T *x, const T *weight, const float *bias, const float *residual, float *out, SIZES, int k0, int k1, int f) {  \
    conv_mma(x, weight, CONV, Finish{out, bias, residual, 1.f, k0 > 0, f}, k0, k1);                                                                             \
  }
KERNEL_OF(bf16)
KERNEL_OF(f16)
KERNEL_OF(tf32)
