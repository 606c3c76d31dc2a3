// Gradient of Conv2D with respect to its weight by wgmma of 16-bit operands, channels last: co by (u, v, ci), depth pixels of out. Third rung, after
// conv_grad_mma: a slab of 64 along depth is a patch of wide × high pixels in 64 / (wide · high) images, which the tensor memory accelerator fetches of
// the gradient as it lies and of the image shifted by the tap, for every 64 channels of a tile's columns; wgmma takes both with channels innermost. Pixels go in parts,
// each a batch of its own, that are added up after. The gradient with respect to the image is conv_wgmma's, of a weight laid out for it.
// Limit: as gemm_wgmma's; channels are filled up to 64. Measured: not yet, emulated only.
#include "conv_wgmma.cuh"

// Depth says how pixels of out are cut into slabs: patches along x and y, their sides, slabs of a part; and channels of the image, in blocks of 64.
struct Depth {
  int along_x, along_y, wide, high, deep, per, taps, channels;
};

struct Operands {
  const TensorMap &g, &x;
  Depth d;
  Filter f;

  template <int N> DEV_METHOD void load(unsigned char *left, unsigned char *right, const Spot &t, int slab, u64 *full) const {
    const int n = t.batch * d.per + slab, x0 = n % d.along_x * d.wide, y0 = n / d.along_x % d.along_y * d.high, b0 = n / d.along_x / d.along_y * d.deep;
#pragma unroll
    for (int j = 0; j < kHigh / 64; ++j) tma_load_4d(left + j * kAtom, &g, t.row + 64 * j, x0, y0, b0, full);
#pragma unroll
    for (int j = 0; j < N / 64; ++j) {
      const int block = t.col / 64 + j, tap = block / d.channels;  // blocks behind the last are zeros, as channels behind the last are
      load_tap(right + j * kAtom, &x, f, tap < d.taps ? block % d.channels * 64 : d.channels * 64, tap < d.taps ? tap : 0, x0, y0, b0, full);
    }
  }
};

// Weights writes or adds to part[batch] [co, taps, ci].
struct Weights {
  float *part;
  int co, ci, taps, channels, accumulate;

  template <int M> DEV_METHOD void operator()(float (&acc)[M], const Spot &t) const {
    const int row0 = t.row + row_in(0);
#pragma unroll
    for (int j = 0; j < M / 32; ++j) {
      const int block = t.col / 64 + j, tap = block / channels, i0 = block % channels * 64 + lane_id() % 4 * 2;
      if (tap >= taps) continue;
#pragma unroll
      for (int i = 0; i < 32; ++i) {
        const int row = row0 + i / 2 % 2 * 8, c = i0 + i / 4 * 8 + i % 2;
        if (row >= co || c >= ci) continue;
        float *to = part + (((i64)t.batch * co + row) * taps + tap) * ci + c;
        *to = accumulate ? *to + acc[32 * j + i] : acc[32 * j + i];
      }
    }
  }
};

#define GRAD(T, N)                                                                                                                                            \
  KERNEL(conv_grad_w_wgmma_##T##_##N, kThreads, kRingBytes, GRID_CONSTANT TensorMap g, GRID_CONSTANT TensorMap x, float *part, int parts, int co, int ci,      \
         int along_x, int along_y, int wide, int high, int per, int taps, int kw, int top, int left, int stride, int images, int first, int slabs) {         \
    const int channels = (ci + 63) / 64;                                                                                                                     \
    wgmma_tiles<1, 1, N, T>(Operands{g, x, Depth{along_x, along_y, wide, high, 64 / wide / high, per, taps, channels}, Filter{kw, top, left, stride, images}}, \
                            Sweep{(co + kHigh - 1) / kHigh, (taps * channels * 64 + N - 1) / N, parts, first, slabs}, Weights{part, co, ci, taps, channels, first > 0}); \
  }
GRAD(bf16, 256)
GRAD(bf16, 128)
GRAD(f16, 256)
GRAD(f16, 128)
