// Where the tensor memory accelerator finds what a tap of a filter sees of an image that conv_phases laid out.
#ifndef SYNTIC_CONV_WGMMA_CUH
#define SYNTIC_CONV_WGMMA_CUH
#include "wgmma.cuh"

// Filter is the width of a filter, the padding before the image, the stride, and how many images there are of each phase.
struct Filter {
  int kw, top, left, stride, images;
};

// load_tap starts the copy of channels of the pixels that those of out from (x, y) of image b on see through a tap.
DEV void load_tap(unsigned char *to, const TensorMap *map, const Filter &f, int channel, int tap, int x, int y, int b, u64 *full) {
  int v = tap % f.kw - f.left, u = tap / f.kw - f.top;
  if (f.stride > 1) {
    const int pv = (v % f.stride + f.stride) % f.stride, pu = (u % f.stride + f.stride) % f.stride;
    v = (v - pv) / f.stride, u = (u - pu) / f.stride, b += (pu * f.stride + pv) * f.images;
  }
  tma_load_4d(to, map, channel, x + v, y + u, b, full);
}
#endif
