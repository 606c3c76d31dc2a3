// What a kernel may use. The same kernel is compiled by nvcc (ptx.cuh) and by g++ for the emulator (../emu/emu.h); both define
//
//   KERNEL(name, threads, smem, params...) { … }   an entry point: at most `threads` threads a block, `smem` bytes of dynamic shared memory by default
//   SHARED(T, name, [dims])                        a shared variable; SHARED_DYNAMIC(T, name): the block's dynamic shared memory, 1024-aligned
//   DEV, DEV_METHOD                                before a device function, before one of a struct
//   thread_x() block_x() grid_x() threads_x() lane_id() warp_id() …
//   sync_block() sync_named(id, n) sync_warp()     barriers
//   shfl shfl_xor shfl_down shfl_up warp_ballot         exchange within a whole warp, 4-byte values
//   atomic_add atomic_max atomic_cas               relaxed
//   exp_ exp2_ exp2_fast log_ sqrt_ rsqrt_ tanh_ erf_ erfc_ fma_ fmax_ fmin_ fabs_
//   cp_async16[_zfill] cp_async_commit cp_async_wait<N> · ldmatrix_x4[_trans] · mma_m16n8k16_bf16/f16, mma_m16n8k8_tf32
//   mbar_* tma_load_3d tma_load_4d wgmma_*         in code under #if HOPPER
//
// A kernel includes this file alone, no header of the toolkit or of libc, and holds no inline assembly. Register arrays are indexed by constants.
#ifndef SYNTIC_DEV_CUH
#define SYNTIC_DEV_CUH

typedef signed char i8;
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned u32;
typedef long long i64;
typedef unsigned long long u64;

#ifdef __CUDACC__
#include "ptx.cuh"
#else
#include "emu.h"
#endif

// HOPPER: code for sm_90a, which holds wgmma; the emulator has it too.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL) || !defined(__CUDACC__)
#define HOPPER 1
#else
#define HOPPER 0
#endif

// -- numbers of 16 bits --
struct bf16 { u16 bits; };
struct f16 { u16 bits; };
DEV float to_f32(float x) { return x; }
DEV float to_f32(bf16 x) { return float_of((u32)x.bits << 16); }
DEV float to_f32(f16 x) { return f16_bits_to_f32(x.bits); }
DEV void store(float *p, float x) { *p = x; }
DEV void store(bf16 *p, float x) { p->bits = f32_to_bf16_bits(x); }
DEV void store(f16 *p, float x) { p->bits = f32_to_f16_bits(x); }

// Formats as kernels.DType numbers them.
enum { kF32, kBF16, kF16 };
// load_any reads element i of an array whose format is known at run time only.
DEV float load_any(const void *p, int dtype, i64 i) {
  return dtype == kF32 ? ((const float *)p)[i] : dtype == kBF16 ? to_f32(((const bf16 *)p)[i]) : to_f32(((const f16 *)p)[i]);
}

// -- 16 bytes at once --
struct __attribute__((aligned(16))) vec4 { float x, y, z, w; };
struct __attribute__((aligned(16))) ivec4 { u32 x, y, z, w; };

// -- sums in a fixed order --
DEV float warp_sum(float v) {
#pragma unroll
  for (int m = 16; m; m >>= 1) v += shfl_xor(v, m);
  return v;
}
DEV float warp_max(float v) {
#pragma unroll
  for (int m = 16; m; m >>= 1) v = fmax_(v, shfl_xor(v, m));
  return v;
}
// block_sum is the sum over all threads of a block, on every thread. scratch holds 32 floats; it may be used again at once.
DEV float block_sum(float v, float *scratch) {
  v = warp_sum(v);
  sync_block();
  if (lane_id() == 0) scratch[warp_id()] = v;
  sync_block();
  float s = 0;
  for (int i = 0; i < threads_x() / 32; ++i) s += scratch[i];
  return s;
}
DEV float block_max(float v, float *scratch) {
  v = warp_max(v);
  sync_block();
  if (lane_id() == 0) scratch[warp_id()] = v;
  sync_block();
  float s = scratch[0];
  for (int i = 1; i < threads_x() / 32; ++i) s = fmax_(s, scratch[i]);
  return s;
}

// block_sum_f64 is the same in float64, for sums whose terms cancel. scratch holds a number for each of up to 256 threads.
DEV double block_sum_f64(double v, double *scratch) {
  sync_block();
  scratch[thread_x()] = v;
  sync_block();
  double s = 0;
  if (thread_x() < 16)
    for (int i = thread_x(); i < threads_x(); i += 16) s += scratch[i];
  sync_block();
  if (thread_x() < 16) scratch[thread_x()] = s;
  sync_block();
  s = scratch[0];
  for (int i = 1; i < 16; ++i) s += scratch[i];
  return s;
}

// -- activations, numbered as kernels.Act --
enum { kActNone, kGELU, kGELUTanh, kQuickGELU, kSiLU, kReLU, kSigmoid, kTanh, kExp, kLog, kSquare, kAbs };
DEV float sigmoid_(float x) { return 1.f / (1.f + exp_(-x)); }
// The forms lose no digits where the function is small: erfc for 1 + erf, σ(−x) for 1 − σ(x), σ(2u) for (1 + tanh u)/2.
DEV float act(int f, float x) {
  switch (f) {
    case kGELU: return 0.5f * x * erfc_(x * -0.70710678118654752f);
    case kGELUTanh: return x * sigmoid_(1.5957691216057308f * (x + 0.044715f * x * x * x));
    case kQuickGELU: return x * sigmoid_(1.702f * x);
    case kSiLU: return x * sigmoid_(x);
    case kReLU: return fmax_(x, 0.f);
    case kSigmoid: return sigmoid_(x);
    case kTanh: return tanh_(x);
    case kExp: return exp_(x);
    case kLog: return log_(x);
    case kSquare: return x * x;
    case kAbs: return fabs_(x);
  }
  return x;
}
// act_deriv is the derivative; 0 at the corner of ReLU and Abs.
DEV float act_deriv(int f, float x) {
  switch (f) {
    case kGELU: return 0.5f * erfc_(x * -0.70710678118654752f) + x * exp_(-0.5f * x * x) * 0.3989422804014327f;
    case kGELUTanh: {
      float u = 1.5957691216057308f * (x + 0.044715f * x * x * x), s = sigmoid_(u);
      return s + x * s * sigmoid_(-u) * 1.5957691216057308f * (1.f + 0.134145f * x * x);
    }
    case kQuickGELU: {
      float s = sigmoid_(1.702f * x);
      return s + 1.702f * x * s * sigmoid_(-1.702f * x);
    }
    case kSiLU: {
      float s = sigmoid_(x);
      return s + x * s * sigmoid_(-x);
    }
    case kReLU: return x > 0.f ? 1.f : 0.f;
    case kSigmoid: return sigmoid_(x) * sigmoid_(-x);
    case kTanh: return 4.f * sigmoid_(2.f * x) * sigmoid_(-2.f * x);
    case kExp: return exp_(x);
    case kLog: return 1.f / x;
    case kSquare: return 2.f * x;
    case kAbs: return x > 0.f ? 1.f : x < 0.f ? -1.f : 0.f;
  }
  return 1.f;
}

// Philox-4x32-10 (Salmon et al. 2011): the random words number i of the stream of a key, as package kernels draws them.
DEV void philox(u32 i, u32 step, u64 item, u64 seed, u32 (&c)[4]) {
  u32 k0 = (u32)seed, k1 = (u32)(seed >> 32);
  c[0] = i, c[1] = step, c[2] = (u32)item, c[3] = (u32)(item >> 32);
#pragma unroll
  for (int r = 0; r < 10; ++r) {
    u32 h0 = mul_hi(0xD2511F53u, c[0]), l0 = 0xD2511F53u * c[0], h1 = mul_hi(0xCD9E8D57u, c[2]), l1 = 0xCD9E8D57u * c[2];
    c[0] = h1 ^ c[1] ^ k0, c[1] = l1, c[2] = h0 ^ c[3] ^ k1, c[3] = l0;
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
}
DEV float uniform_of(u32 w) { return ((float)(w >> 8) + 0.5f) * (1.f / (1 << 24)); }

// The place of a thread in a one-dimensional launch.
DEV i64 global_thread() { return (i64)block_x() * threads_x() + thread_x(); }
#endif
