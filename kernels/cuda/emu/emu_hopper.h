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
  if (b->left == 0 && b->owed == 0) b->parity ^= 1, b->left = b->want, progress();
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
  int rows = 1, width = t.map.box[0] * t.map.size;
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
    for (int i = 0; i < t.map.box[0]; ++i) {
      long long x = (long long)t.at[0] + i;
      size_t to = (size_t)r * width + i * t.map.size;
      // 16-byte pieces are exchanged by bits of the address: 3, 2 or 1 of them for rows of 128, 64 or 32 bytes
      if (t.map.swizzle) {
        size_t a = (size_t)(t.dst + to), mask = t.map.swizzle == 3 ? 7 : t.map.swizzle == 2 ? 3 : 1;
        a ^= (a >> 7 & mask) << 4;
        to = a - (size_t)t.dst;
      }
      if (in && x >= 0 && x <= t.map.dims[0])
        memcpy(t.dst + to, src + x * t.map.size, t.map.size);
      else
        memset(t.dst + to, 0, t.map.size);
    }
  }
  t.bar->owed -= (long long)rows * width;
  settle(t.bar);
}
}  // namespace emu

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
  while (emu::mbar(p, "mbar_wait")->parity == (unsigned)(parity & 1)) emu::wait_a_turn({"mbar_wait", file, line});
}

// tma_load_2d starts the copy of the box at (x, y), x innermost; it counts its bytes on the barrier.
DEV void tma_load_2d(void *dst, const TensorMap *map, int x, int y, unsigned long long *bar) {
  emu::Tma t = {};
  memcpy((void *)&t.map, map, sizeof t.map);
  if (t.map.magic != emu::map_magic) emu::fail(719, "tma_load_2d: the map was not made by the driver");
  if (t.map.rank != 2) emu::fail(719, "tma_load_2d of a map of rank %d", t.map.rank);
  int bytes = t.map.box[0] * t.map.box[1] * t.map.size;
  emu::shared_address(dst, bytes, "tma_load_2d");
  if ((size_t)dst & (t.map.swizzle == 3 ? 1023 : 127)) emu::fail(716, "tma_load_2d: the destination is not aligned to %d", t.map.swizzle == 3 ? 1024 : 128);
  t.at[0] = x, t.at[1] = y, t.dst = (char *)dst, t.bar = emu::mbar(bar, "tma_load_2d");
  memset(dst, 0xff, bytes);
  emu::later(emu::tma_run, &t, sizeof t);
}

// -- wgmma: D[64][N] += A[64][16] · B[N][16]ᵀ, both in shared memory in the 128-byte swizzle, K innermost --
namespace emu {
struct Wgmma { float *d; u64 a, b; int n; bool add; float (*of)(u32); };
inline float smem_at(u64 desc, int row, int k, float (*of)(u32)) {
  // start address, stride between groups of 8 rows, pattern
  u32 start = (u32)(desc & 0x3fff) << 4, stride = (u32)(desc >> 32 & 0x3fff) << 4;
  if (desc >> 62 != 1) fail(719, "wgmma: only the 128-byte swizzle is emulated");
  u32 a = start + row / 8 * stride + row % 8 * 128 + k * 2;
  a ^= (a >> 7 & 7) << 4;
  unsigned short v;
  memcpy(&v, shared_pointer(a, 2, "wgmma"), 2);
  return of(v);
}
inline void wgmma_run(void **threads) {
  Wgmma &first = *(Wgmma *)threads[0];
  int n = first.n;
  std::vector<float> a(64 * 16), b(n * 16);
  for (int i = 0; i < 64 * 16; ++i) a[i] = smem_at(first.a, i / 16, i % 16, first.of);
  for (int i = 0; i < n * 16; ++i) b[i] = smem_at(first.b, i / 16, i % 16, first.of);
  for (int t = 0; t < 128; ++t) {
    Wgmma &w = *(Wgmma *)threads[t];
    for (int i = 0; i < n / 2; ++i) {
      int row = t / 32 * 16 + t % 32 / 4 + 8 * (i >> 1 & 1), col = 8 * (i / 4) + 2 * (t & 3) + (i & 1);
      float s = w.add ? w.d[i] : 0;
      for (int k = 0; k < 16; ++k) s += a[row * 16 + k] * b[col * 16 + k];
      w.d[i] = s;
    }
  }
}
}  // namespace emu
