// The sizes of a convolution, for conv_tiled, conv_mma and conv_grad_mma.
#ifndef SYNTIC_CONV_CUH
#define SYNTIC_CONV_CUH
#include "dev.cuh"

// Conv is the sizes: x [b, h, w, ci], weight [co, kh, kw, ci], out [b, oh, ow, co].
struct Conv { int b, h, w, ci, co, kh, kw, oh, ow, stride, top, left; };

#define SIZES int b, int h, int w, int ci, int co, int kh, int kw, int oh, int ow, int stride, int top, int left
#define CONV Conv{b, h, w, ci, co, kh, kw, oh, ow, stride, top, left}
#endif
