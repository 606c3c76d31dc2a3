// Gradients of Conv2D, channels last, as implicit GEMMs by mma.sync of 16-bit or tf32 operands, sums in float32. Second rung, after conv_tiled: 128×128
// tiles, slabs of 64 bytes through three stages of cp.async, no matrix of windows anywhere; 16 bytes lie within one tap of one pixel, and what lies
// beside the image is filled with zeros. Channels of operands are filled up to 16 bytes (ld_x, ld_g); round_rows_* lay them so.
//
// conv_grad_x: pixels of x by channels, depth (u, v, co). A stride of s takes pixels in s² phases: those whose place leaves the same rest by s see the same
// taps, and no products are made of the zeros between. conv_grad_w: co by (u, v, ci), depth pixels of out, in runs that are added up after.
// Limit: mma.sync, at few channels those that fill up, at a large stride tiles of few pixels. At most 128 registers, no spills.
// Measured: not yet, emulated only.
#include "conv.cuh"
#include "product.cuh"

DEV int floor_mod(int x, int m) { return (x % m + m) % m; }

// Phase is one axis of a phase: its first pixel and how many, the place in out that the first one sees through its first tap, and its taps p, p + s, ….
struct Phase {
  int first, count, at, taps;
};
DEV Phase phase_of(int p, int stride, int pad, int size, int taps) {
  const int first = floor_mod(p - pad, stride);
  return Phase{first, first < size ? (size - first + stride - 1) / stride : 0, (first + pad - p) / stride, p < taps ? (taps - p + stride - 1) / stride : 0};
}

// Taps walks along depth (u, v, channel) of one phase, slab by slab; a thread has 16 bytes of each slab.
template <class T> struct Taps {
  int u, v, i, ld, across;
  DEV_METHOD void begin(int k0, int channels, int along_x) {
    const int k = k0 + thread_x() % 4 * Slab<T>::chunk, tap = k / channels;
    ld = channels, across = along_x > 0 ? along_x : 1, i = k % ld, u = tap / across, v = tap % across;
  }
  DEV_METHOD void next() {
    for (i += Slab<T>::depth; i >= ld; i -= ld)
      if (++v == across) v = 0, ++u;
  }
};

// depths k0 to k1 of each phase; weight is [taps, ci, ld_g]
template <class T> DEV void grad_x(const T *g, const T *weight, float *dx, const Conv &c, int ld, int k0, int k1) {
  SHARED_DYNAMIC(unsigned char, smem);
  const int across = (c.ci + kTile - 1) / kTile, col0 = block_x() % across * kTile, s = c.stride;
  const i64 most = (i64)c.b * ((c.h + s - 1) / s) * ((c.w + s - 1) / s);
  const int down = (int)((most + kTile - 1) / kTile), phase = block_x() / across / down;
  const i64 row0 = (i64)(block_x() / across % down) * kTile;
  const Phase y = phase_of(phase / s, s, c.top, c.h, c.kh), x = phase_of(phase % s, s, c.left, c.w, c.kw);
  const i64 rows = (i64)c.b * y.count * x.count;
  const int depth = y.taps * x.taps * ld, end = depth < k1 ? depth : k1;
  if (row0 >= rows || (k0 > 0 && k0 >= end)) return;
  int image[2], oy[2], ox[2];  // of the thread's two pixels, 64 apart; image −1: none
#pragma unroll
  for (int n = 0; n < 2; ++n) {
    const i64 p = row0 + thread_x() / 4 + 64 * n;
    image[n] = p < rows ? (int)(p / x.count / y.count) : -1;
    oy[n] = (int)(p / x.count % y.count) + y.at, ox[n] = (int)(p % x.count) + x.at;
  }
  Taps<T> t;
  t.begin(k0, ld, x.taps);
  const int slot = thread_x() / 4 * Slab<T>::pitch + thread_x() % 4 * Slab<T>::chunk;
  auto load_g = [&](T *to, int) {
#pragma unroll
    for (int n = 0; n < 2; ++n) {
      const int h = oy[n] - t.u, w = ox[n] - t.v;
      const bool in = image[n] >= 0 && t.u < y.taps && h >= 0 && h < c.oh && w >= 0 && w < c.ow;
      cp_async16_zfill(to + slot + 64 * n * Slab<T>::pitch, in ? g + (((i64)image[n] * c.oh + h) * c.ow + w) * ld + t.i : g, in ? 16 : 0);
    }
  };
  auto load_w = [&](T *to, int) {
    const int tap = (phase / s + t.u * s) * c.kw + phase % s + t.v * s;
#pragma unroll
    for (int n = 0; n < 2; ++n) {
      const int col = col0 + thread_x() / 4 + 64 * n;
      const bool in = col < c.ci && t.u < y.taps;
      cp_async16_zfill(to + slot + 64 * n * Slab<T>::pitch, in ? weight + ((i64)tap * c.ci + col) * ld + t.i : weight, in ? 16 : 0);
    }
    t.next();
  };
  float acc[4][4][4] = {};
  tile_mma_of<false, false, 3>((T *)smem, load_g, load_w, (end - k0 + Slab<T>::depth - 1) / Slab<T>::depth, acc);
  finish_at(smem, acc, Finish{dx, nullptr, nullptr, 1.f, k0 > 0, kActNone}, row0, col0, [&](i64 row, int col) -> i64 {
    if (row >= rows || col >= c.ci) return -1;
    const i64 py = (row / x.count / y.count) * c.h + y.first + row / x.count % y.count * s;
    return (py * c.w + x.first + row % x.count * s) * c.ci + col;
  });
}

// Shifted fetches x as the pixels of out see it through a tap: pixels are rows, (u, v, ci) columns. A thread has 16 bytes, always of one tap, of two pixels.
template <class T> struct Shifted {
  enum { kAcross = kTile / Slab<T>::chunk, kRows = 256 / kAcross };
  const T *x;
  Conv c;
  int ld, u, v, i;
  int image[2], y[2], z[2];
  i64 left[2];  // pixels from this one on
  DEV_METHOD void begin(const T *from, const Conv &sizes, int channels, int col0, i64 pixel0, i64 count) {
    x = from, c = sizes, ld = channels;
    const int s = col0 + thread_x() % kAcross * Slab<T>::chunk;
    i = s % ld, u = s / ld / c.kw, v = s / ld % c.kw;
#pragma unroll
    for (int n = 0; n < 2; ++n) {
      const int r = thread_x() / kAcross + kRows * n;
      const i64 p = pixel0 + r;
      left[n] = count - r;
      image[n] = (int)(p / c.ow / c.oh), y[n] = (int)(p / c.ow % c.oh), z[n] = (int)(p % c.ow);
    }
  }
  DEV_METHOD void operator()(T *to, int) {
#pragma unroll
    for (int n = 0; n < 2; ++n) {
      const int h = y[n] * c.stride - c.top + u, w = z[n] * c.stride - c.left + v;
      const bool in = left[n] > 0 && u < c.kh && h >= 0 && h < c.h && w >= 0 && w < c.w;
      cp_async16_zfill(to + (thread_x() / kAcross + kRows * n) * kPitchT + thread_x() % kAcross * Slab<T>::chunk, in ? x + (((i64)image[n] * c.h + h) * c.w + w) * ld + i : x, in ? 16 : 0);
      left[n] -= Slab<T>::depth, z[n] += Slab<T>::depth % c.ow, y[n] += Slab<T>::depth / c.ow;
      if (z[n] >= c.ow) z[n] -= c.ow, ++y[n];
      for (; y[n] >= c.oh; y[n] -= c.oh) ++image[n];
    }
  }
};

// part[s] (+)= the sum over pixels from the k0-th to the k1-th of the s-th run of `run`. grid: tiles × parts
template <class T> DEV void grad_w(const T *g, const T *x, float *part, const Conv &c, int ld_g, int ld_x, i64 run, i64 k0, i64 k1) {
  SHARED_DYNAMIC(unsigned char, smem);
  const int taps = c.kh * c.kw, across = (taps * ld_x + kTile - 1) / kTile, down = (c.co + kTile - 1) / kTile;
  const int col0 = block_x() % across * kTile, row0 = block_x() / across % down * kTile, s = block_x() / across / down;
  const i64 pixels = (i64)c.b * c.oh * c.ow, first = s * run + k0, last = s * run + (k1 < run ? k1 : run), end = last < pixels ? last : pixels;
  const int depth = first < end ? (int)(end - first) : 0;
  if (depth == 0 && k0 > 0) return;
  const T *from = g + first * ld_g + row0;
  auto load_g = [&](T *to, int n) { load_slab<true>(to, from, ld_g, c.co - row0, n * Slab<T>::depth, depth); };
  Shifted<T> shifted;
  shifted.begin(x, c, ld_x, col0, first, depth);
  float acc[4][4][4] = {};
  tile_mma_of<true, true, 3>((T *)smem, load_g, shifted, (depth + Slab<T>::depth - 1) / Slab<T>::depth, acc);
  finish_at(smem, acc, Finish{part + (i64)s * c.co * taps * c.ci, nullptr, nullptr, 1.f, k0 > 0, kActNone}, row0, col0, [&](i64 row, int col) -> i64 {
    const int tap = col / ld_x, i = col % ld_x;
    return row < c.co && tap < taps && i < c.ci ? (row * taps + tap) * c.ci + i : -1;
  });
}

#define GRADS(T)                                                                                                                             \
  KERNEL(conv_grad_x_mma_##T, 256, stage_bytes(3), const T *g, const T *weight, float *dx, SIZES, int ld, int k0, int k1) {                  \
    grad_x(g, weight, dx, CONV, ld, k0, k1);                                                                                                 \
  }                                                                                                                                          \
  KERNEL(conv_grad_w_mma_##T, 256, stage_bytes(3), const T *g, const T *x, float *part, SIZES, int ld_g, int ld_x, i64 run, i64 k0, i64 k1) { \
    grad_w(g, x, part, CONV, ld_g, ld_x, run, k0, k1);                                                                                       \
  }
GRADS(bf16)
GRADS(f16)
GRADS(tf32)
