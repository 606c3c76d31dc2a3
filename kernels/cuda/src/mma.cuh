// mma.sync by the format of its operands: a step of 32 bytes along K, sums in float32. bf16 and f16 take 16 numbers a step, tf32 takes 8.
#ifndef SYNTIC_MMA_CUH
#define SYNTIC_MMA_CUH
#include "dev.cuh"

// tf32 is a float32 of which the multiplier sees 10 bits behind the point: as an operand it is rounded, not cut.
struct tf32 { u32 bits; };
DEV void store(tf32 *p, float x) { p->bits = to_tf32(x); }

DEV void mma16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2], bf16) { mma_m16n8k16_bf16(d, a, b); }
DEV void mma16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2], f16) { mma_m16n8k16_f16(d, a, b); }
DEV void mma16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2], tf32) { mma_m16n8k8_tf32(d, a, b); }

// pack is two sums as an operand, lo in the low half.
DEV u32 pack(float lo, float hi, bf16) { return pack_bf16(lo, hi); }
DEV u32 pack(float lo, float hi, f16) { return pack_f16(lo, hi); }
#endif
