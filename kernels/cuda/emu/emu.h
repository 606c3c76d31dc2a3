// What src/dev.cuh is made of on the CPU: a CUDA thread is a fiber, a block is run by one host thread, blocks one after the other.
//
// Every function here is the twin of a PTX wrapper in src/ptx.cuh and may be stricter than hardware, never laxer as far as known; what is not
// modelled is listed in doc.go.
#ifndef SYNTIC_EMU_H
#define SYNTIC_EMU_H
#include <math.h>
#include <stddef.h>
#include <string.h>

#include <initializer_list>
#include <vector>

#define __device__
#define __host__
#define __global__
#define __forceinline__ inline
#define DEV static inline __attribute__((unused))
#define DEV_METHOD inline

#define EMU_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

namespace emu {

typedef unsigned u32;
typedef unsigned long long u64;

struct Dim { unsigned x, y, z; };

// Place is where in a source a thread waits.
struct Place { const char *what, *file; int line; };

// Copy is a pending cp.async of one thread.
struct Copy { void *dst; const void *src; int bytes; };

// Product is a wgmma under way; Held are the accumulators that such have, and what the program gets back.
struct Product { float *d; u64 a, b; int n; bool add, ta, tb; float (*of)(u32); const u32 *from; u32 frag[4]; };
struct Held { float *d; std::vector<float> value; };

// Thread is the running CUDA thread.
struct Thread {
  Dim tid;
  int id, lane, warp;
  void *sp;                              // of the suspended fiber
  Place at;                              // where it waits
  bool done, polling;
  std::vector<std::vector<Copy>> groups; // committed cp.async groups, oldest first
  std::vector<Copy> open;                // not committed yet
  std::vector<Product> gathered;         // wgmma not committed yet
  std::vector<std::vector<Product>> products; // its groups, oldest first
  std::vector<Held> held;
  bool fenced;                           // since the program had the accumulators
  size_t left;                           // groups that it does not wait for
};

extern __thread Thread *me;
extern __thread Dim grid_dim, block_dim, block_idx;

// fail ends the launch with an error that names kernel, block and thread.
[[noreturn]] void fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

void barrier(int id, int threads, Place at);         // threads 0: the whole block
void wait_a_turn(Place at);                          // lets others run; a launch in which all only poll is a deadlock
void progress();                                     // something happened that pollers may wait for
void sleep_on(const void *key, Place at);            // until wake of the same key
void wake(const void *key);
void *shared_variable(const void *key, size_t bytes, size_t align); // the block's variable of this name
void *shared_dynamic(size_t *bytes);
u32 shared_address(const void *p, int bytes, const char *what); // 32-bit address; fails outside shared memory
void *shared_pointer(u32 address, int bytes, const char *what);
const u32 dynamic_base = 256 << 10;                  // address of dynamic shared memory; its low 18 bits, which descriptors hold, are 0
void check_global(const void *p, int bytes, bool write, const char *what);
void later(void (*fn)(void *), const void *arg, size_t bytes); // an asynchronous unit's work: runs at a moment of the scheduler's choice

// collective waits until all lanes of mask have come here; the last one runs fn on the arguments of all.
void collective(u32 mask, Place at, void (*fn)(void **lanes, u32 mask), void *mine);
// collective_group is the same for the four warps of a warpgroup: fn sees 128 arguments.
void collective_group(Place at, void (*fn)(void **threads), void *mine);

// Kernel is a registered kernel with its declared threads and shared memory.
struct Kernel {
  const char *name;
  int meta[2];
  int params;
  const unsigned char *sizes; // of the parameters
  const bool *pointers;       // which of them are addresses
  void (*run)(void *fn, void **params);
  void *fn;
};
void add_kernel(const Kernel *k);

template <class T> struct IsPointer { static const bool value = false; };
template <class T> struct IsPointer<T *> { static const bool value = true; };
template <int... I> struct Seq {};
template <int N, int... I> struct MakeSeq : MakeSeq<N - 1, N - 1, I...> {};
template <int... I> struct MakeSeq<0, I...> { typedef Seq<I...> type; };

template <class... A> struct Entry {
  static constexpr unsigned char sizes[sizeof...(A) + 1] = {sizeof(A)..., 0};
  static constexpr bool pointers[sizeof...(A) + 1] = {IsPointer<A>::value..., false};
  template <class T> static T load(void *p) {
    T v;
    memcpy((void *)&v, p, sizeof v);
    return v;
  }
  template <int... I> static void call(void *fn, void **params, Seq<I...>) { ((void (*)(A...))fn)(load<A>(params[I])...); }
  static void run(void *fn, void **params) { call(fn, params, typename MakeSeq<sizeof...(A)>::type()); }
};

struct Register {
  Kernel k;
  template <class... A> Register(const char *name, void (*fn)(A...), int threads, int smem)
      : k{name, {threads, smem}, (int)sizeof...(A), Entry<A...>::sizes, Entry<A...>::pointers, Entry<A...>::run, (void *)fn} {
    add_kernel(&k);
  }
};

}  // namespace emu

#define KERNEL(name, threads, smem, ...)                               \
  extern "C" void name(__VA_ARGS__);                                   \
  static emu::Register name##_register(#name, name, threads, smem);    \
  extern "C" void name(__VA_ARGS__)

#define SHARED(T, name, ...)                                                                               \
  static const char name##_key = 0;                                                                        \
  typedef T name##_type __VA_ARGS__;                                                                       \
  name##_type &name = *(name##_type *)emu::shared_variable(&name##_key, sizeof(name##_type), alignof(name##_type) < 16 ? 16 : alignof(name##_type))

#define SHARED_DYNAMIC(T, name) T *name = (T *)emu::shared_dynamic(nullptr)

// -- where a thread is --
DEV int thread_x() { return emu::me->tid.x; }
DEV int thread_y() { return emu::me->tid.y; }
DEV int block_x() { return emu::block_idx.x; }
DEV int block_y() { return emu::block_idx.y; }
DEV int block_z() { return emu::block_idx.z; }
DEV int grid_x() { return emu::grid_dim.x; }
DEV int grid_y() { return emu::grid_dim.y; }
DEV int grid_z() { return emu::grid_dim.z; }
DEV int threads_x() { return emu::block_dim.x; }
DEV int lane_id() { return emu::me->lane; }
DEV int warp_id() { return emu::me->warp; }

// -- barriers --
DEV void sync_block(EMU_HERE) { emu::barrier(0, 0, {"sync_block", file, line}); }
DEV void sync_named(int id, int threads, EMU_HERE) { emu::barrier(id, threads, {"sync_named", file, line}); }
DEV void sync_warp(unsigned mask = ~0u, EMU_HERE) {
  emu::collective(mask, {"sync_warp", file, line}, [](void **, unsigned) {}, nullptr);
}
DEV void fence_block() {}
DEV void fence_device() {}

DEV unsigned smem_address(const void *p) { return emu::shared_address(p, 1, "smem_address"); }

// -- exchange within a warp --
namespace emu {
struct Shuffle { float in, out; int from; };
inline void shuffle(void **lanes, u32 mask) {
  for (int i = 0; i < 32; ++i)
    if (mask >> i & 1) {
      Shuffle *s = (Shuffle *)lanes[i];
      if (!(mask >> s->from & 1)) fail(719, "lane %d reads lane %d, which takes no part (mask %08x)", i, s->from, mask);
      s->out = ((Shuffle *)lanes[s->from])->in;
    }
}
template <class T> T exchange(T v, int from, u32 mask, Place at) {
  static_assert(sizeof(T) == 4, "4-byte values");
  Shuffle s;
  memcpy(&s.in, &v, 4), s.from = from;
  collective(mask, at, shuffle, &s);
  memcpy(&v, &s.out, 4);
  return v;
}
}  // namespace emu
template <class T> DEV T shfl(T v, int lane, EMU_HERE) { return emu::exchange(v, lane & 31, ~0u, {"shfl", file, line}); }
template <class T> DEV T shfl_xor(T v, int m, EMU_HERE) { return emu::exchange(v, lane_id() ^ m, ~0u, {"shfl_xor", file, line}); }
template <class T> DEV T shfl_down(T v, int d, EMU_HERE) {
  return emu::exchange(v, lane_id() + d > 31 ? lane_id() : lane_id() + d, ~0u, {"shfl_down", file, line});
}
template <class T> DEV T shfl_up(T v, int d, EMU_HERE) {
  return emu::exchange(v, lane_id() < d ? lane_id() : lane_id() - d, ~0u, {"shfl_up", file, line});
}
DEV unsigned warp_ballot(bool p, EMU_HERE) {
  struct Vote { unsigned in, out; } v = {p, 0};
  emu::collective(~0u, {"warp_ballot", file, line}, [](void **lanes, unsigned) {
    unsigned all = 0;
    for (int i = 0; i < 32; ++i) all |= ((Vote *)lanes[i])->in << i;
    for (int i = 0; i < 32; ++i) ((Vote *)lanes[i])->out = all;
  }, &v);
  return v.out;
}

// -- atomics: relaxed, as in PTX --
DEV int atomic_add(int *p, int v) { return __atomic_fetch_add(p, v, __ATOMIC_RELAXED); }
DEV unsigned atomic_add(unsigned *p, unsigned v) { return __atomic_fetch_add(p, v, __ATOMIC_RELAXED); }
DEV float atomic_add(float *p, float v) {
  unsigned *at = (unsigned *)p, old = __atomic_load_n(at, __ATOMIC_RELAXED), next;
  float f;
  do {
    memcpy(&f, &old, 4), f += v, memcpy(&next, &f, 4);
  } while (!__atomic_compare_exchange_n(at, &old, next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  memcpy(&f, &old, 4);
  return f;
}
DEV int atomic_max(int *p, int v) {
  int old = __atomic_load_n(p, __ATOMIC_RELAXED);
  while (old < v && !__atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
  return old;
}
DEV unsigned long long atomic_max(unsigned long long *p, unsigned long long v) {
  unsigned long long old = __atomic_load_n(p, __ATOMIC_RELAXED);
  while (old < v && !__atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
  return old;
}
DEV int atomic_cas(int *p, int want, int v) {
  __atomic_compare_exchange_n(p, &want, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return want;
}

// -- numbers --
DEV unsigned bits_of(float f) { unsigned u; memcpy(&u, &f, 4); return u; }
DEV float float_of(unsigned u) { float f; memcpy(&f, &u, 4); return f; }
DEV unsigned short f32_to_bf16_bits(float f) {
  unsigned b = bits_of(f);
  if ((b & 0x7fffffff) > 0x7f800000) return 0x7fff;
  return (b + 0x7fff + (b >> 16 & 1)) >> 16;
}
DEV unsigned short f32_to_f16_bits(float f) {  // nearest, ties to even; too large becomes infinity
  unsigned b = bits_of(f), sign = b >> 16 & 0x8000, a = b & 0x7fffffff;
  if (a > 0x7f800000) return 0x7fff;
  if (a >= 0x477ff000) return sign | 0x7c00;
  if (a < 0x38800000) return sign | (bits_of(float_of(a) + 0.5f) - 0x3f000000);
  return sign | (((a + 0xfff + (a >> 13 & 1)) >> 13) - (112 << 10));
}
DEV float f16_bits_to_f32(unsigned short h) {
  unsigned sign = (h & 0x8000u) << 16, e = h >> 10 & 31, m = h & 0x3ff;
  if (e == 0) return float_of(bits_of(m * (1.f / (1 << 24))) | sign);
  if (e == 31) return float_of(sign | 0x7f800000 | m << 13);
  return float_of(sign | (e + 112) << 23 | m << 13);
}
DEV float fma_(float a, float b, float c) { return fmaf(a, b, c); }
DEV float exp_(float x) { return expf(x); }
DEV float exp2_(float x) { return exp2f(x); }
DEV float exp2_fast(float x) { return exp2f(x); }
DEV float log_(float x) { return logf(x); }
DEV float sqrt_(float x) { return sqrtf(x); }
DEV float rsqrt_(float x) { return 1 / sqrtf(x); }
DEV float tanh_(float x) { return tanhf(x); }
DEV float erf_(float x) { return erff(x); }
DEV float erfc_(float x) { return erfcf(x); }
DEV float fabs_(float x) { return fabsf(x); }
DEV float fmax_(float a, float b) { return fmaxf(a, b); }
DEV float fmin_(float a, float b) { return fminf(a, b); }
DEV unsigned mul_hi(unsigned a, unsigned b) { return (unsigned long long)a * b >> 32; }
DEV int popc(unsigned v) { return __builtin_popcount(v); }
DEV int ffs_(unsigned v) { return __builtin_ffs((int)v); }
DEV bool isnan_(float x) { return x != x; }
#define INF_ __builtin_inff()

#include "emu_mma.h"
#include "emu_hopper.h"
#endif
