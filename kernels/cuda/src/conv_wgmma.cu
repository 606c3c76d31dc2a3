// Conv2D by wgmma of 16-bit operands, channels last: an implicit product on the core of gemm_wgmma. A tile's 128 rows are a patch of
// wide × high pixels in 128 / (wide · high) images; for each place (u, v) of the filter and each 64 channels one copy of the tensor memory accelerator
// fetches the patch shifted by (u, v), from a 4-d map whose zeros beyond the image are the padding: no patches are written anywhere. With a stride the
// image lies in phases (conv_phases). With stride 1 it is the gradient with respect to the image too: of the gradient of out, with the filter's places in
// reverse order. Limit: as
// gemm_wgmma's, and each pixel comes from L2 once for each place of the filter. Measured: not yet, emulated only.
#include "conv_wgmma.cuh"
#include "wgmma_out.cuh"

// Patches says where tiles lie: patches along x and y, their sides; slabs of channels.
struct Patches {
  int along_x, along_y, wide, high, deep, channels;

  DEV_METHOD int x0(const Spot &t) const { return t.row / kHigh % along_x * wide; }
  DEV_METHOD int y0(const Spot &t) const { return t.row / kHigh / along_x % along_y * high; }
  DEV_METHOD int b0(const Spot &t) const { return t.row / kHigh / along_x / along_y * deep; }
};

struct Windows {
  const TensorMap &x, &w;
  Patches p;
  Filter f;
  int reverse;  // 0, or the last place of the filter: it lies in memory in reverse order

  template <int N> DEV_METHOD void load(unsigned char *left, unsigned char *right, const Spot &t, int slab, u64 *full) const {
    const int at = slab / p.channels, channel = slab % p.channels * kDeep;
    load_tap(left, &x, f, channel, at, p.x0(t), p.y0(t), p.b0(t), full);
    tma_load_3d(right, &w, channel, reverse ? reverse - at : at, t.col, full);
  }
};

struct Pixels {
  Patches p;
  int b, oh, ow;

  DEV_METHOD i64 index(const Spot &t, int r) const {
    const int x = p.x0(t) + r % p.wide, y = p.y0(t) + r / p.wide % p.high, n = p.b0(t) + r / p.wide / p.high;
    return x < ow && y < oh && n < b ? ((i64)n * oh + y) * ow + x : -1;
  }
};

#define CONV(T, N)                                                                                                                                        \
  KERNEL(conv_wgmma_##T##_##N, kThreads, kRingBytes, GRID_CONSTANT TensorMap x, GRID_CONSTANT TensorMap w, const float *bias, const float *residual, float *out, \
         int b, int oh, int ow, int o, int wide, int high, int left, int top, int kw, int stride, int reverse, int channels, int first, int slabs, int accumulate, \
         int f) {                                                                                                                                         \
    const int deep = kHigh / wide / high, along_x = (ow + wide - 1) / wide, along_y = (oh + high - 1) / high;                                             \
    const Patches p = {along_x, along_y, wide, high, deep, channels};                                                                                     \
    wgmma_tiles<0, 0, N, T>(Windows{x, w, p, Filter{kw, top, left, stride, b}, reverse},                                                                  \
                            Sweep{along_x * along_y * ((b + deep - 1) / deep), (o + N - 1) / N, 1, first, slabs},                                         \
                            Epilogue<Pixels>{Pixels{p, b, oh, ow}, out, bias, residual, o, 1.f, accumulate, f});                                          \
  }
CONV(bf16, 256)
CONV(bf16, 128)
CONV(f16, 256)
CONV(f16, 128)
