// Convolution, channels last, and its gradients, as products whose operands are gathered from the images (implicit GEMM): float32, any size, stride
// and padding, W in 32 or 16 bits. First rung: tiles of 64×64 by FFMA; the place of a pixel is computed once a tile, that of a tap once for every 16
// products. Limit: FFMA and scalar loads. Measured: not yet, emulated only.
#include "conv.cuh"
#include "tiled.cuh"

// The threads of these loaders have depth t%16 and sides t/16 + 16n: channels, the innermost, are neighbours among the threads.

// Window is x around each pixel of out: side is (b, oy, ox), depth (u, v, ci).
struct Window {
  const float *x;
  Conv c;
  int image[4], y[4], z[4];  // of the thread's four sides; image −1: none
  DEV_METHOD void begin(const float *from, const Conv &sizes, i64 side0) {
    x = from, c = sizes;
#pragma unroll
    for (int n = 0; n < 4; ++n) {
      const i64 p = side0 + thread_x() / kDepth + 16 * n;
      image[n] = p < (i64)c.b * c.oh * c.ow ? (int)(p / c.ow / c.oh) : -1;
      y[n] = (int)(p / c.ow % c.oh) * c.stride - c.top, z[n] = (int)(p % c.ow) * c.stride - c.left;
    }
  }
  DEV_METHOD void load(Panel &tile, i64 k0) const {
    const int k = (int)k0 + thread_x() % kDepth, tap = k / c.ci, u = tap / c.kw, v = tap % c.kw;
#pragma unroll
    for (int n = 0; n < 4; ++n) {
      const int h = y[n] + u, w = z[n] + v;
      const bool in = image[n] >= 0 && u < c.kh && h >= 0 && h < c.h && w >= 0 && w < c.w;
      tile[thread_x() % kDepth][thread_x() / kDepth + 16 * n] = in ? x[(((i64)image[n] * c.h + h) * c.w + w) * c.ci + k % c.ci] : 0.f;
    }
  }
};

// Spread is the pixels of out that see a pixel of x: side is (b, h, w), depth (u, v, co).
struct Spread {
  const float *g;
  Conv c;
  int image[4], y[4], z[4];
  DEV_METHOD void begin(const float *from, const Conv &sizes, i64 side0) {
    g = from, c = sizes;
#pragma unroll
    for (int n = 0; n < 4; ++n) {
      const i64 p = side0 + thread_x() / kDepth + 16 * n;
      image[n] = p < (i64)c.b * c.h * c.w ? (int)(p / c.w / c.h) : -1;
      y[n] = (int)(p / c.w % c.h) + c.top, z[n] = (int)(p % c.w) + c.left;
    }
  }
  DEV_METHOD void load(Panel &tile, i64 k0) const {
    const int k = (int)k0 + thread_x() % kDepth, tap = k / c.co, u = tap / c.kw, v = tap % c.kw;
#pragma unroll
    for (int n = 0; n < 4; ++n) {
      const int h = y[n] - u, w = z[n] - v, oy = h / c.stride, ox = w / c.stride;
      const bool in = image[n] >= 0 && u < c.kh && h >= 0 && w >= 0 && oy * c.stride == h && ox * c.stride == w && oy < c.oh && ox < c.ow;
      tile[thread_x() % kDepth][thread_x() / kDepth + 16 * n] = in ? g[(((i64)image[n] * c.oh + oy) * c.ow + ox) * c.co + k % c.co] : 0.f;
    }
  }
};

// Turned is the weight with side ci and depth (u, v, co): weight[co, u, v, ci].
struct Turned {
  const void *p;
  int dtype, side0;
  Conv c;
  DEV_METHOD void load(Panel &tile, i64 k0) const {
    const int i = side0 + thread_x() % kSide, taps = c.kh * c.kw;
#pragma unroll
    for (int n = 0; n < 4; ++n) {
      const int l = thread_x() / kSide + 4 * n, k = (int)k0 + l, tap = k / c.co;
      tile[l][thread_x() % kSide] = i < c.ci && tap < taps ? load_any(p, dtype, ((i64)(k % c.co) * taps + tap) * c.ci + i) : 0.f;
    }
  }
};

// Tapped is x with side (u, v, ci) and depth (b, oy, ox).
struct Tapped {
  const float *x;
  Conv c;
  int u, v, i;
  DEV_METHOD void begin(const float *from, const Conv &sizes, int side0) {
    const int s = side0 + thread_x() % kSide;
    x = from, c = sizes, i = s % c.ci, u = s / c.ci / c.kw, v = s / c.ci % c.kw;
  }
  DEV_METHOD void load(Panel &tile, i64 k0) const {
#pragma unroll
    for (int n = 0; n < 4; ++n) {
      const int l = thread_x() / kSide + 4 * n;
      const i64 k = k0 + l, image = k / c.ow / c.oh;
      const int h = (int)(k / c.ow % c.oh) * c.stride - c.top + u, w = (int)(k % c.ow) * c.stride - c.left + v;
      const bool in = image < c.b && u < c.kh && h >= 0 && h < c.h && w >= 0 && w < c.w;
      tile[l][thread_x() % kSide] = in ? x[((image * c.h + h) * c.w + w) * c.ci + i] : 0.f;
    }
  }
};

// out = act(x * weight + bias + residual)
KERNEL(conv_tiled_f32, 256, 0, const float *x, const void *weight, const float *bias, const float *residual, float *out, SIZES, int dtype, int f) {
  const int across = (co + kSide - 1) / kSide, col0 = block_x() % across * kSide, depth = kh * kw * ci;
  const i64 row0 = (i64)(block_x() / across) * kSide;
  Window window;
  window.begin(x, CONV, row0);
  const Matrix y = {weight, dtype, col0, co, depth, 0, depth, 1};
  tiled_product(window, y, 0, depth, [&](int i, int j, float v) {
    const i64 row = row0 + i;
    const int col = col0 + j;
    if (row >= (i64)b * oh * ow || col >= co) return;
    if (bias) v += bias[col];
    if (residual) v += residual[row * co + col];
    out[row * co + col] = act(f, v);
  });
}

KERNEL(conv_grad_x_tiled_f32, 256, 0, const float *dout, const void *weight, float *dx, SIZES, int dtype) {
  const int across = (ci + kSide - 1) / kSide, col0 = block_x() % across * kSide;
  const i64 row0 = (i64)(block_x() / across) * kSide;
  Spread spread;
  spread.begin(dout, CONV, row0);
  const Turned y = {weight, dtype, col0, CONV};
  tiled_product(spread, y, 0, kh * kw * co, [&](int i, int j, float v) {
    if (row0 + i < (i64)b * h * w && col0 + j < ci) dx[(row0 + i) * ci + col0 + j] = v;
  });
}

// part[s] is the sum over the s-th run of `run` pixels, a multiple of 256: few tiles and many pixels would leave the device idle. grid: tiles × parts
KERNEL(conv_grad_w_tiled_f32, 256, 0, const float *x, const float *dout, float *part, SIZES, i64 run) {
  const int width = kh * kw * ci, across = (width + kSide - 1) / kSide, down = (co + kSide - 1) / kSide;
  const int col0 = block_x() % across * kSide, row0 = block_x() / across % down * kSide, s = block_x() / across / down;
  const i64 pixels = (i64)b * oh * ow, k0 = s * run, k1 = k0 + run < pixels ? k0 + run : pixels;
  Tapped tapped;
  tapped.begin(x, CONV, col0);
  const Matrix g = {dout, kF32, row0, co, pixels, 0, 1, co};
  tiled_product(g, tapped, k0, k1, [&](int i, int j, float v) {
    if (row0 + i < co && col0 + j < width) part[((i64)s * co + row0 + i) * width + col0 + j] = v;
  });
}
