// Hopper: mbarrier, the tensor memory accelerator, wgmma, as the PTX manual describes them. Included by emu.h.

namespace emu {

// TensorMap is what the fake driver writes into the 128 bytes.
const u32 map_magic = 0x50414d54;
struct TensorMap {
  u32 magic;
  unsigned char rank, size, swizzle, pad;
  const char *base;
  u32 dims[5];  // minus one
  unsigned short box[6];
  u64 strides[5];
};
static_assert(sizeof(TensorMap) <= 128, "fits");

// MBarrier is the 64-bit object: arrivals that the phase still waits for, of how many; bytes that copies still owe; the phase's parity.
struct MBarrier { u64 parity : 1, want : 12, left : 12, armed : 1; long long owed : 38; };
static_assert(sizeof(MBarrier) == 8, "8 bytes");

inline MBarrier *mbar(void *p, const char *what) {
  shared_address(p, 8, what);
  if ((size_t)p & 7) fail(716, "%s: the barrier at %p is not a multiple of 8", what, p);
  MBarrier *b = (MBarrier *)p;
  if (!b->armed || b->want == 0xfff) fail(719, "%s: the barrier was not initialised", what);
  return b;
}
inline void settle(MBarrier *b) {
  if (b->left == 0 && b->owed == 0) b->parity ^= 1, b->left = b->want, wake(b);
}

// Tma is one copy in flight.
struct Tma {
  TensorMap map;
  int at[5];
  char *dst;
  MBarrier *bar;
};
inline void tma_run(void *p) {
  Tma &t = *(Tma *)p;
  const int size = t.map.size, width = t.map.box[0] * size;
  int rows = 1;
  for (int i = 1; i < t.map.rank; ++i) rows *= t.map.box[i];
  for (int r = 0; r < rows; ++r) {
    int rest = r;
    bool in = true;
    const char *src = t.map.base;
    for (int i = 1; i < t.map.rank; ++i) {
      long long at = (long long)t.at[i] + rest % t.map.box[i];
      rest /= t.map.box[i];
      in = in && at >= 0 && at <= t.map.dims[i];
      src += at * (long long)t.map.strides[i];
    }
    for (int piece = 0; piece < width; piece += 16) {
      // pieces are exchanged by bits of the address: 3, 2 or 1 of them for rows of 128, 64 or 32 bytes
      size_t to = (size_t)(t.dst + (size_t)r * width + piece);
      if (t.map.swizzle) to ^= (to >> 7 & (t.map.swizzle == 3 ? 7 : t.map.swizzle == 2 ? 3 : 1)) << 4;
      for (int i = 0; i < 16; i += size) {
        long long x = (long long)t.at[0] + (piece + i) / size;
        if (in && x >= 0 && x <= t.map.dims[0])
          memcpy((char *)to + i, src + x * size, size);
        else
          memset((char *)to + i, 0, size);
      }
    }
  }
  t.bar->owed -= (long long)rows * width;
  settle(t.bar);
}

// tma_start begins the copy of a box: until it runs, its destination reads as NaN.
inline void tma_start(void *dst, const void *map, std::initializer_list<int> at, void *bar, const char *what) {
  Tma t = {};
  memcpy((void *)&t.map, map, sizeof t.map);
  if (t.map.magic != map_magic) fail(719, "%s: the map was not made by the driver", what);
  if (t.map.rank != at.size()) fail(719, "%s of a map of rank %d", what, t.map.rank);
  int bytes = t.map.size, i = 0;
  for (int x : at) t.at[i] = x, bytes *= t.map.box[i++];
  shared_address(dst, bytes, what);
  if ((size_t)dst & (t.map.swizzle == 3 ? 1023 : 127)) fail(716, "%s: the destination is not aligned to %d", what, t.map.swizzle == 3 ? 1024 : 128);
  t.dst = (char *)dst, t.bar = mbar(bar, what);
  memset(dst, 0xff, bytes);
  later(tma_run, &t, sizeof t);
}
}  // namespace emu

#define GRID_CONSTANT const
struct __attribute__((aligned(64))) TensorMap { unsigned char opaque[128]; };

DEV void mbar_init(unsigned long long *p, int arrivals) {
  emu::shared_address(p, 8, "mbar_init");
  emu::MBarrier b = {};
  b.want = b.left = arrivals, b.armed = 1;
  memcpy(p, &b, 8);
}
DEV void fence_barrier_init() {}
DEV void fence_async_shared() {}
DEV void mbar_arrive(unsigned long long *p) {
  emu::MBarrier *b = emu::mbar(p, "mbar_arrive");
  if (!b->left) emu::fail(719, "mbar_arrive: more arrivals than the barrier counts");
  --b->left, emu::settle(b);
}
DEV void mbar_arrive_expect(unsigned long long *p, int bytes) {
  emu::MBarrier *b = emu::mbar(p, "mbar_arrive_expect");
  if (!b->left) emu::fail(719, "mbar_arrive_expect: more arrivals than the barrier counts");
  b->owed += bytes, --b->left, emu::settle(b);
}
// mbar_wait returns when the phase of this parity has completed.
DEV void mbar_wait(unsigned long long *p, int parity, EMU_HERE) {
  while (emu::mbar(p, "mbar_wait")->parity == (unsigned)(parity & 1)) emu::sleep_on(p, {"mbar_wait", file, line});
}

// tma_load_* start the copy of the box at these coordinates, x innermost; it counts its bytes on the barrier.
DEV void tma_load_3d(void *dst, const TensorMap *map, int x, int y, int z, unsigned long long *bar) { emu::tma_start(dst, map, {x, y, z}, bar, "tma_load_3d"); }
DEV void tma_load_4d(void *dst, const TensorMap *map, int x, int y, int z, int w, unsigned long long *bar) { emu::tma_start(dst, map, {x, y, z, w}, bar, "tma_load_4d"); }

// -- setmaxnreg: registers are not counted here, but the instruction's own rules hold --
namespace emu {
template <int N> void registers(Place at) {
  static_assert(N >= 24 && N <= 256 && N % 8 == 0, "setmaxnreg: 24 to 256, a multiple of 8");
  collective_group(at, [](void **) {}, nullptr);
}
}  // namespace emu
template <int N> DEV void registers_fewer(EMU_HERE) { emu::registers<N>({"registers_fewer", file, line}); }
template <int N> DEV void registers_more(EMU_HERE) { emu::registers<N>({"registers_more", file, line}); }

// -- wgmma: D[64][N] (+)= A[64][16] · B[N][16]ᵀ, both in dynamic shared memory in the 128-byte swizzle. Products are made when their group is waited for,
// not before; until then the accumulators read as NaN and must not be written --
namespace emu {
// piece is where 8 elements of an operand lie: from (row, k) on along K, or if `across` along the rows.
inline const unsigned short *piece(u64 desc, int row, int k, bool across) {
  const u32 start = (u32)(desc & 0x3fff) << 4, lead = (u32)(desc >> 16 & 0x3fff) << 4, stride = (u32)(desc >> 32 & 0x3fff) << 4;
  if (desc >> 62 != 1 || desc >> 49 & 7) fail(719, "wgmma: only the 128-byte swizzle without a base offset is emulated");
  u32 a = start + (across ? row / 64 * lead + k / 8 * stride + k % 8 * 128 + row % 64 * 2 : row / 8 * stride + row % 8 * 128 + k * 2);
  a ^= (a >> 7 & 7) << 4;
  return (const unsigned short *)shared_pointer(dynamic_base + a, 16, "wgmma");
}
inline void operand(float *to, u64 desc, int rows, bool across, float (*of)(u32)) {  // to[k][row]
  for (int i = 0; i < rows * 2; ++i) {
    const int row = across ? i % (rows / 8) * 8 : i / 2, k = across ? i / (rows / 8) : i % 2 * 8;
    const unsigned short *p = piece(desc, row, k, across);
    for (int e = 0; e < 8; ++e) to[across ? k * rows + row + e : (k + e) * rows + row] = of(p[e]);
  }
}

inline std::vector<float> &held(Thread &t, float *d) {
  for (Held &h : t.held)
    if (h.d == d) return h.value;
  fail(719, "wgmma: no such accumulators");
}

// product makes one product: `of` is its number among those that the threads have yet to make.
inline void product(Thread **threads, size_t group, size_t of) {
  const Product &first = threads[0]->products[group][of];
  const int n = first.n;
  static std::vector<float> a, b, sum;
  a.resize(16 * 64), b.resize(16 * n), sum.resize(64 * n);
  operand(b.data(), first.b, n, first.tb, first.of);
  if (!first.from) operand(a.data(), first.a, 64, first.ta, first.of);
  for (int t = 0; t < 128 && first.from; ++t) {
    const Product &p = threads[t]->products[group][of];
    if (memcmp(p.from, p.frag, 16)) fail(719, "wgmma: registers of A were written while it was under way, by thread %d", threads[t]->id);
    for (int i = 0; i < 8; ++i) a[(2 * (t & 3) + i % 2 + i / 4 * 8) * 64 + t / 32 * 16 + t % 32 / 4 + 8 * (i / 2 & 1)] = p.of(p.frag[i / 2] >> i % 2 * 16 & 0xffff);
  }
  for (int pass = 0; pass < 2; ++pass) {
    for (int t = 0; t < 128; ++t) {
      std::vector<float> &d = held(*threads[t], threads[t]->products[group][of].d);
      for (int i = 0; i < n / 2; ++i) {
        float &s = sum[(t / 32 * 16 + t % 32 / 4 + 8 * (i >> 1 & 1)) * n + 8 * (i / 4) + 2 * (t & 3) + (i & 1)];
        if (pass)
          d[i] = s;
        else
          s = first.add ? d[i] : 0;
      }
    }
    for (int r = 0; r < 64 && !pass; ++r)
      for (int k = 0; k < 16; ++k) {
        const float x = a[k * 64 + r], *y = &b[k * n];
        float *s = &sum[r * n];
        for (int c = 0; c < n; ++c) s[c] += x * y[c];
      }
  }
}

// give_back hands accumulators to the program of which no product is under way.
inline void give_back(Thread &t, Place at) {
  for (size_t i = 0; i < t.held.size();) {
    Held &h = t.held[i];
    bool busy = false;
    for (auto &g : t.products)
      for (Product &p : g) busy = busy || p.d == h.d;
    for (Product &p : t.gathered) busy = busy || p.d == h.d;
    if (busy) {
      ++i;
      continue;
    }
    for (size_t j = 0; j < h.value.size(); ++j)
      if (bits_of(h.d[j]) != ~0u) fail(719, "%s at line %d: accumulator %zu was written while a wgmma was under way", at.what, at.line, j);
    memcpy(h.d, h.value.data(), 4 * h.value.size());
    t.held.erase(t.held.begin() + i);
    t.fenced = false;
  }
}

inline void wgmma(float *d, int n, const u32 *from, u64 a, u64 b, int add, bool ta, bool tb, float (*of)(u32), Place at) {
  bool known = false;
  for (Held &h : me->held) known = known || h.d == d;
  if (!known) {
    if (!me->fenced) fail(719, "wgmma at line %d: no wgmma_fence since the program had the accumulators", at.line);
    me->held.push_back({d, std::vector<float>(d, d + n / 2)});
    memset(d, 0xff, 2 * n);
  }
  me->gathered.push_back({d, a, b, n, add != 0, ta, tb, of, from, {}});
  if (from) memcpy(me->gathered.back().frag, from, 16);
  collective_group(at, [](void **threads) {
    const Product &first = ((Thread *)threads[0])->gathered.back();
    for (int t = 1; t < 128; ++t) {
      const Product &p = ((Thread *)threads[t])->gathered.back();
      if (p.a != first.a || p.b != first.b || p.n != first.n || p.add != first.add || p.of != first.of) fail(719, "wgmma: threads of one warpgroup give other operands");
    }
  }, me);
}
inline void wgmma_wait_for(size_t left, Place at) {
  me->left = left;
  collective_group(at, [](void **threads) {
    Thread **all = (Thread **)threads;
    while (all[0]->products.size() > all[0]->left) {
      for (size_t i = 0; i < all[0]->products[0].size(); ++i) product(all, 0, i);
      for (int t = 0; t < 128; ++t) all[t]->products.erase(all[t]->products.begin());
    }
  }, me);
  give_back(*me, at);
}
}  // namespace emu

DEV void wgmma_fence(EMU_HERE) {
  emu::collective_group({"wgmma_fence", file, line}, [](void **) {}, nullptr);
  emu::me->fenced = true;
}
DEV void wgmma_commit(EMU_HERE) {
  emu::collective_group({"wgmma_commit", file, line}, [](void **) {}, nullptr);
  emu::me->products.push_back(emu::me->gathered);
  emu::me->gathered.clear();
}
// wgmma_wait<n> returns when all but the last n groups are done; wgmma_wait_all when all are.
template <int N> DEV void wgmma_wait(EMU_HERE) { emu::wgmma_wait_for(N, {"wgmma_wait", file, line}); }
template <int N> DEV void wgmma_wait_all(float (&)[N], EMU_HERE) { emu::wgmma_wait_for(0, {"wgmma_wait_all", file, line}); }

template <int TA, int TB, int M> DEV void wgmma_bf16(float (&d)[M], unsigned long long a, unsigned long long b, int add, EMU_HERE) {
  emu::wgmma(d, 2 * M, nullptr, a, b, add, TA, TB, emu::bf16_of, {"wgmma bf16", file, line});
}
template <int TA, int TB, int M> DEV void wgmma_f16(float (&d)[M], unsigned long long a, unsigned long long b, int add, EMU_HERE) {
  emu::wgmma(d, 2 * M, nullptr, a, b, add, TA, TB, emu::f16_of, {"wgmma f16", file, line});
}
// The same with A from registers, laid out as those of mma.sync; they must not change until the product is waited for.
template <int TB, int M> DEV void wgmma_rs_bf16(float (&d)[M], const unsigned (&a)[4], unsigned long long b, int add, EMU_HERE) {
  emu::wgmma(d, 2 * M, a, 0, b, add, false, TB, emu::bf16_of, {"wgmma bf16", file, line});
}
template <int TB, int M> DEV void wgmma_rs_f16(float (&d)[M], const unsigned (&a)[4], unsigned long long b, int add, EMU_HERE) {
  emu::wgmma(d, 2 * M, a, 0, b, add, false, TB, emu::f16_of, {"wgmma f16", file, line});
}
