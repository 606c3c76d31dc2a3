// The instructions behind dev.cuh on a GPU: every PTX instruction that kernels use, each in a wrapper whose twin is in ../emu. Included by dev.cuh.
#ifndef SYNTIC_PTX_CUH
#define SYNTIC_PTX_CUH

#define DEV static __device__ __forceinline__
#define DEV_METHOD __device__ __forceinline__
#define INF_ __int_as_float(0x7f800000)

// Threads and shared memory are declared here alone: the host reads them from the image.
#define KERNEL(name, threads, smem, ...)                                                \
  extern "C" { __device__ int name##_meta[2] = {threads, smem}; }                       \
  extern "C" __global__ void __launch_bounds__(threads) name(__VA_ARGS__)
#define SHARED(T, name, ...) __shared__ T name __VA_ARGS__
#define SHARED_DYNAMIC(T, name)                                \
  extern __shared__ __align__(1024) unsigned char dynamic_[];  \
  T *name = (T *)dynamic_

DEV int thread_x() { return threadIdx.x; }
DEV int thread_y() { return threadIdx.y; }
DEV int block_x() { return blockIdx.x; }
DEV int block_y() { return blockIdx.y; }
DEV int block_z() { return blockIdx.z; }
DEV int grid_x() { return gridDim.x; }
DEV int grid_y() { return gridDim.y; }
DEV int grid_z() { return gridDim.z; }
DEV int threads_x() { return blockDim.x; }
DEV int lane_id() { return threadIdx.x & 31; }
DEV int warp_id() { return threadIdx.x >> 5; }

DEV void sync_block() { __syncthreads(); }
DEV void sync_named(int id, int threads) { asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory"); }
DEV void sync_warp(unsigned mask = ~0u) { __syncwarp(mask); }
DEV void fence_block() { __threadfence_block(); }
DEV void fence_device() { __threadfence(); }

template <class T> DEV T shfl(T v, int lane) { return __shfl_sync(~0u, v, lane); }
template <class T> DEV T shfl_xor(T v, int m) { return __shfl_xor_sync(~0u, v, m); }
template <class T> DEV T shfl_down(T v, int d) { return __shfl_down_sync(~0u, v, d); }
template <class T> DEV T shfl_up(T v, int d) { return __shfl_up_sync(~0u, v, d); }
DEV unsigned warp_ballot(bool p) { return __ballot_sync(~0u, p); }

DEV int atomic_add(int *p, int v) { return atomicAdd(p, v); }
DEV unsigned atomic_add(unsigned *p, unsigned v) { return atomicAdd(p, v); }
DEV float atomic_add(float *p, float v) { return atomicAdd(p, v); }
DEV int atomic_max(int *p, int v) { return atomicMax(p, v); }
DEV unsigned long long atomic_max(unsigned long long *p, unsigned long long v) { return atomicMax(p, v); }
DEV int atomic_cas(int *p, int want, int v) { return atomicCAS(p, want, v); }

DEV unsigned bits_of(float f) { return __float_as_uint(f); }
DEV float float_of(unsigned u) { return __uint_as_float(u); }
DEV unsigned short f32_to_bf16_bits(float f) {
  unsigned short h;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(h) : "f"(f));
  return h;
}
// Two numbers as an operand of mma, lo in the low half: one instruction, where rounding by hand takes more than the exponential before it.
DEV unsigned pack_bf16(float lo, float hi) {
  unsigned r;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(hi), "f"(lo));
  return r;
}
DEV unsigned pack_f16(float lo, float hi) {
  unsigned r;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(hi), "f"(lo));
  return r;
}
DEV unsigned short f32_to_f16_bits(float f) {
  unsigned short h;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(f));
  return h;
}
DEV float f16_bits_to_f32(unsigned short h) {
  float f;
  asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h));
  return f;
}
DEV float fma_(float a, float b, float c) { return fmaf(a, b, c); }
DEV float exp_(float x) { return expf(x); }
DEV float exp2_(float x) { return exp2f(x); }
DEV float exp2_fast(float x) {  // 2 ulp, results below 2^-126 are 0
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
DEV float log_(float x) { return logf(x); }
DEV float sqrt_(float x) { return sqrtf(x); }
DEV float rsqrt_(float x) { return 1.f / sqrtf(x); }
DEV float tanh_(float x) { return tanhf(x); }
DEV float erf_(float x) { return erff(x); }
DEV float erfc_(float x) { return erfcf(x); }
DEV float fabs_(float x) { return fabsf(x); }
DEV float fmax_(float a, float b) { return fmaxf(a, b); }
DEV float fmin_(float a, float b) { return fminf(a, b); }
DEV unsigned mul_hi(unsigned a, unsigned b) { return __umulhi(a, b); }
DEV int popc(unsigned v) { return __popc(v); }
DEV int ffs_(unsigned v) { return __ffs((int)v); }
DEV bool isnan_(float x) { return x != x; }

DEV unsigned smem_address(const void *p) { return (unsigned)__cvta_generic_to_shared(p); }

// -- cp.async (sm_80): 16 bytes past L1, 4 and 8 through it; the bytes beyond `bytes` become 0 --
DEV void cp_async16(void *dst, const void *src) { asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(smem_address(dst)), "l"(src) : "memory"); }
DEV void cp_async16_zfill(void *dst, const void *src, int bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(smem_address(dst)), "l"(src), "r"(bytes) : "memory");
}
DEV void cp_async8_zfill(void *dst, const void *src, int bytes) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 8, %2;" ::"r"(smem_address(dst)), "l"(src), "r"(bytes) : "memory");
}
DEV void cp_async4(void *dst, const void *src) { asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(smem_address(dst)), "l"(src) : "memory"); }
DEV void cp_async4_zfill(void *dst, const void *src, int bytes) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(smem_address(dst)), "l"(src), "r"(bytes) : "memory");
}
DEV void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int N> DEV void cp_async_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory"); }

// -- ldmatrix (sm_75): lane 8i..8i+7 gives the rows of the i-th 8×8 matrix of 16-bit elements --
DEV void ldmatrix_x4(unsigned (&r)[4], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(smem_address(row)) : "memory");
}
DEV void ldmatrix_x4_trans(unsigned (&r)[4], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(smem_address(row)) : "memory");
}
DEV void ldmatrix_x2(unsigned (&r)[2], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];" : "=r"(r[0]), "=r"(r[1]) : "r"(smem_address(row)) : "memory");
}
DEV void ldmatrix_x2_trans(unsigned (&r)[2], const void *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];" : "=r"(r[0]), "=r"(r[1]) : "r"(smem_address(row)) : "memory");
}

// -- mma.sync (sm_80): D[16][8] += A[16][K] · B[K][8] --
DEV void mma_m16n8k16_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
DEV void mma_m16n8k16_f16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
DEV void mma_m16n8k8_tf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
DEV unsigned to_tf32(float x) {
  unsigned u;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(u) : "f"(x));
  return u;
}
#endif
