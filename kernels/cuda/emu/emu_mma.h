// Asynchronous copies, ldmatrix and mma.sync of Ampere, as the PTX manual lays out their fragments. Included by emu.h.

// -- cp.async: the bytes arrive when the group is waited for, not before; until then the destination reads as NaN --
DEV void cp_async(void *dst, const void *src, int size, int bytes, EMU_HERE) {
  (void)file, (void)line;
  emu::shared_address(dst, size, "cp.async");
  if (((size_t)dst | (size_t)src) & (size - 1)) emu::fail(716, "cp.async of %d bytes from %p to %p: want both aligned to it", size, src, dst);
  if (bytes) emu::check_global(src, bytes, false, "cp.async");
  memset(dst, 0xff, size);
  emu::me->open.push_back({dst, src, size << 8 | bytes});
}
DEV void cp_async16(void *dst, const void *src) { cp_async(dst, src, 16, 16); }
DEV void cp_async16_zfill(void *dst, const void *src, int bytes) { cp_async(dst, src, 16, bytes); }
DEV void cp_async4(void *dst, const void *src) { cp_async(dst, src, 4, 4); }
DEV void cp_async4_zfill(void *dst, const void *src, int bytes) { cp_async(dst, src, 4, bytes); }
DEV void cp_async8_zfill(void *dst, const void *src, int bytes) { cp_async(dst, src, 8, bytes); }
DEV void cp_async_commit() {
  emu::me->groups.push_back(emu::me->open);
  emu::me->open.clear();
}
template <int N> DEV void cp_async_wait() {
  auto &g = emu::me->groups;
  int ready = (int)g.size() - N;
  for (int i = 0; i < ready; ++i)
    for (emu::Copy &c : g[i]) {
      memset(c.dst, 0, c.bytes >> 8);
      memcpy(c.dst, c.src, c.bytes & 0xff);
    }
  if (ready > 0) g.erase(g.begin(), g.begin() + ready);
}

// -- ldmatrix: lane 8i..8i+7 gives the rows of the i-th 8×8 matrix of 16-bit elements --
namespace emu {
struct LdMatrix { u32 r[4]; const unsigned short *row; };
template <int X, bool Trans> void ldmatrix(void **lanes, u32) {
  const unsigned short *rows[32];
  for (int i = 0; i < 8 * X; ++i) {
    rows[i] = ((LdMatrix *)lanes[i])->row;
    shared_address(rows[i], 16, "ldmatrix");
    if ((size_t)rows[i] & 15) fail(716, "ldmatrix: the row address of lane %d is not a multiple of 16", i);
  }
  for (int l = 0; l < 32; ++l)
    for (int m = 0; m < X; ++m) {
      int at = 2 * (l & 3);
      u32 lo = Trans ? rows[8 * m + at][l >> 2] : rows[8 * m + (l >> 2)][at];
      u32 hi = Trans ? rows[8 * m + at + 1][l >> 2] : rows[8 * m + (l >> 2)][at + 1];
      ((LdMatrix *)lanes[l])->r[m] = lo | hi << 16;
    }
}
template <int X, bool Trans> void ld(u32 *r, const void *row, Place at) {
  LdMatrix a = {{}, (const unsigned short *)row};
  collective(~0u, at, ldmatrix<X, Trans>, &a);
  for (int i = 0; i < X; ++i) r[i] = a.r[i];
}
}  // namespace emu
DEV void ldmatrix_x4(unsigned (&r)[4], const void *row, EMU_HERE) { emu::ld<4, false>(r, row, {"ldmatrix", file, line}); }
DEV void ldmatrix_x4_trans(unsigned (&r)[4], const void *row, EMU_HERE) { emu::ld<4, true>(r, row, {"ldmatrix", file, line}); }
DEV void ldmatrix_x2(unsigned (&r)[2], const void *row, EMU_HERE) { emu::ld<2, false>(r, row, {"ldmatrix", file, line}); }
DEV void ldmatrix_x2_trans(unsigned (&r)[2], const void *row, EMU_HERE) { emu::ld<2, true>(r, row, {"ldmatrix", file, line}); }

// Two numbers as an operand of mma, lo in the low half.
DEV unsigned pack_bf16(float lo, float hi) { return f32_to_bf16_bits(lo) | (unsigned)f32_to_bf16_bits(hi) << 16; }
DEV unsigned pack_f16(float lo, float hi) { return f32_to_f16_bits(lo) | (unsigned)f32_to_f16_bits(hi) << 16; }

// -- mma.sync: D[16][8] += A[16][K] · B[K][8], sums in float32 --
namespace emu {
struct Mma { float *d; const u32 *a, *b; };
inline float bf16_of(u32 v) { return float_of(v << 16); }
inline float f16_of(u32 v) { return f16_bits_to_f32((unsigned short)v); }
inline float tf32_of(u32 v) { return float_of(v & 0xffffe000); }

// 16-bit operands, K = 16: a[0] rows g, columns 2t..; a[1] row g+8; a[2], a[3] columns + 8 (g = lane/4, t = lane%4).
template <float (*Of)(u32)> void mma16(void **lanes, u32) {
  float a[16][16], b[16][8];
  for (int l = 0; l < 32; ++l) {
    Mma *m = (Mma *)lanes[l];
    int g = l >> 2, t = l & 3;
    for (int i = 0; i < 4; ++i)
      for (int h = 0; h < 2; ++h) a[g + 8 * (i & 1)][2 * t + h + 8 * (i >> 1)] = Of(m->a[i] >> 16 * h & 0xffff);
    for (int i = 0; i < 2; ++i)
      for (int h = 0; h < 2; ++h) b[2 * t + h + 8 * i][g] = Of(m->b[i] >> 16 * h & 0xffff);
  }
  for (int l = 0; l < 32; ++l)
    for (int i = 0; i < 4; ++i) {
      int row = (l >> 2) + 8 * (i >> 1), col = 2 * (l & 3) + (i & 1);
      float s = ((Mma *)lanes[l])->d[i];
      for (int k = 0; k < 16; ++k) s += a[row][k] * b[k][col];
      ((Mma *)lanes[l])->d[i] = s;
    }
}

// tf32, K = 8: a[0] row g, column t; a[1] row g+8; a[2], a[3] column t+4.
inline void mma_tf32(void **lanes, u32) {
  float a[16][8], b[8][8];
  for (int l = 0; l < 32; ++l) {
    Mma *m = (Mma *)lanes[l];
    int g = l >> 2, t = l & 3;
    for (int i = 0; i < 4; ++i) a[g + 8 * (i & 1)][t + 4 * (i >> 1)] = tf32_of(m->a[i]);
    for (int i = 0; i < 2; ++i) b[t + 4 * i][g] = tf32_of(m->b[i]);
  }
  for (int l = 0; l < 32; ++l)
    for (int i = 0; i < 4; ++i) {
      int row = (l >> 2) + 8 * (i >> 1), col = 2 * (l & 3) + (i & 1);
      float s = ((Mma *)lanes[l])->d[i];
      for (int k = 0; k < 8; ++k) s += a[row][k] * b[k][col];
      ((Mma *)lanes[l])->d[i] = s;
    }
}
}  // namespace emu
DEV void mma_m16n8k16_bf16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], EMU_HERE) {
  emu::Mma m = {d, a, b};
  emu::collective(~0u, {"mma bf16", file, line}, emu::mma16<emu::bf16_of>, &m);
}
DEV void mma_m16n8k16_f16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], EMU_HERE) {
  emu::Mma m = {d, a, b};
  emu::collective(~0u, {"mma f16", file, line}, emu::mma16<emu::f16_of>, &m);
}
DEV void mma_m16n8k8_tf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], EMU_HERE) {
  emu::Mma m = {d, a, b};
  emu::collective(~0u, {"mma tf32", file, line}, emu::mma_tf32, &m);
}
// to_tf32 rounds to 10 bits of mantissa, ties away from zero (cvt.rna.tf32.f32).
DEV unsigned to_tf32(float x) { return (bits_of(x) + 0x1000) & 0xffffe000; }
