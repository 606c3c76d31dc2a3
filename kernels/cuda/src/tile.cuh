// Tiles of a product of two matrices by a block of 256 threads, for kernels that look at similarities and do not keep them: infonce_*, topk_*, project_*.
//
//   tile_f32        64×64 by FFMA (tiled.cuh), operands of any float format; dot_f32 repeats its sums bit by bit for one pair of rows
//   tile_mma<…>     128×128 by mma.sync, slabs of 64 bytes along K through 1 or more stages of cp.async; loaders may gather the operands
//   tile_stats …    what becomes of a tile in shared memory, whoever made it: the same for both
#ifndef SYNTIC_TILE_CUH
#define SYNTIC_TILE_CUH
#include "mma.cuh"
#include "tiled.cuh"

// -- float32 --
enum { kSmall = kSide, kApart = 256 };  // tiled_product adds up sums of 256 products apart

// tile_f32 fills s[r][c] with ⟨row a0 + r of a, row b0 + c of b⟩, 0 for r ≥ rows or c ≥ cols. Rows have d elements and follow each other.
DEV void tile_f32(float (&s)[kSmall][kSmall + 1], const void *a, int dtype_a, i64 a0, int rows, const void *b, int dtype_b, i64 b0, int cols, int d) {
  const Matrix x = {a, dtype_a, 0, rows, d, a0 * d, d, 1}, y = {b, dtype_b, 0, cols, d, b0 * d, d, 1};
  tiled_product(x, y, 0, d, [&](int r, int c, float v) { s[r][c] = v; });
  sync_block();
}

// dot_f32 is ⟨row ra of a, row rb of b⟩ with the bits that tile_f32 gives it.
DEV float dot_f32(const void *a, int dtype_a, i64 ra, const void *b, int dtype_b, i64 rb, int d) {
  float sum = 0, part = 0;
  for (int k = 0; k < d; ++k) {
    part = fma_(load_any(a, dtype_a, ra * d + k), load_any(b, dtype_b, rb * d + k), part);
    if ((k + 1) % kApart == 0) sum += part, part = 0;
  }
  return sum + part;
}

// -- on tensor cores --
enum { kTile = 128, kPitchT = kTile + 8 };
// Slab is 64 bytes along K of one operand: numbers in 16 bytes, along K, from row to row (no bank conflicts for ldmatrix), in all.
template <class T> struct Slab { enum { chunk = 16 / sizeof(T), depth = 4 * chunk, pitch = 5 * chunk, size = kTile * pitch }; };
constexpr int stage_bytes(int stages) { return stages * 2 * kTile * 80; }
enum { kTileBytes = kTile * (kTile + 1) * 4 };  // of a float32 tile that takes the place of the stages
constexpr int tile_bytes(int stages) { return stage_bytes(stages) > kTileBytes ? stage_bytes(stages) : kTileBytes; }

// load_slab starts the copy of one operand's slab from k0: rows along K (ld apart), or with Trans rows along the tile's side. What
// lies beyond count or depth becomes 0. ld is a multiple of 16 bytes, and so is p.
template <bool Trans, class T> DEV void load_slab(T *to, const T *p, i64 ld, int count, int k0, int depth) {
  constexpr int chunk = Slab<T>::chunk, across = kTile / chunk;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int c = thread_x() + i * 256;
    const int side = Trans ? c % across * chunk : c / 4, k = k0 + (Trans ? c / across : c % 4 * chunk);
    int left = Trans ? (k < depth ? count - side : 0) : (side < count ? depth - k : 0);
    left = left < 0 ? 0 : left > chunk ? chunk : left;
    const T *from = left ? p + (Trans ? k * ld + side : side * ld + k) : p;
    cp_async16_zfill(to + (Trans ? c / across * kPitchT + side : side * Slab<T>::pitch + c % 4 * chunk), from, left * (int)sizeof(T));
  }
}

// fragment_a and fragment_b are operands of mma from rows along the tile's side, whose first is at depth 0 of the step: 16 of A, twice 8 of B. ldmatrix
// turns 16-bit numbers; those of 32 bits are read one by one, from 32 banks.
template <class T> DEV void fragment_a(u32 (&a)[4], const T *rows, T) {
  const int l = lane_id();
  ldmatrix_x4_trans(a, rows + (l / 16 * 8 + l % 8) * kPitchT + l / 8 % 2 * 8);
}
DEV void fragment_a(u32 (&a)[4], const tf32 *rows, tf32) {
  const tf32 *p = rows + lane_id() % 4 * kPitchT + lane_id() / 4;
  a[0] = p[0].bits, a[1] = p[8].bits, a[2] = p[4 * kPitchT].bits, a[3] = p[4 * kPitchT + 8].bits;
}
template <class T> DEV void fragment_b(u32 (&b)[4], const T *rows, T) {
  const int l = lane_id();
  ldmatrix_x4_trans(b, rows + (l / 8 % 2 * 8 + l % 8) * kPitchT + l / 16 * 8);
}
DEV void fragment_b(u32 (&b)[4], const tf32 *rows, tf32) {
  const tf32 *p = rows + lane_id() % 4 * kPitchT + lane_id() / 4;
  b[0] = p[0].bits, b[1] = p[4 * kPitchT].bits, b[2] = p[8].bits, b[3] = p[4 * kPitchT + 8].bits;
}

// multiply_slab adds the products of a slab: warp (w/4, w%4) has 64×32 of the tile.
template <bool TA, bool TB, class T> DEV void multiply_slab(const T *sa, const T *sb, float (&acc)[4][4][4]) {
  constexpr int chunk = Slab<T>::chunk, pitch = Slab<T>::pitch;
  const int l = lane_id(), wm = warp_id() / 4 * 64, wn = warp_id() % 4 * 32;
#pragma unroll
  for (int k = 0; k < Slab<T>::depth; k += 2 * chunk) {
    u32 a[4][4], b[4][2];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (TA)
        fragment_a(a[i], sa + k * kPitchT + wm + i * 16, T{});
      else
        ldmatrix_x4(a[i], sa + (wm + i * 16 + l % 16) * pitch + k + l / 16 * chunk);
    }
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      u32 r[4];
      if (TB)
        fragment_b(r, sb + k * kPitchT + wn + j * 16, T{});
      else
        ldmatrix_x4(r, sb + (wn + j * 16 + l / 16 * 8 + l % 8) * pitch + k + l / 8 % 2 * chunk);
      b[2 * j][0] = r[0], b[2 * j][1] = r[1], b[2 * j + 1][0] = r[2], b[2 * j + 1][1] = r[3];
    }
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
      for (int j = 0; j < 4; ++j) mma16(acc[i][j], a[i], b[j], T{});
  }
}

// tile_mma_of adds A·B to acc over `slabs` slabs; load_a(to, s) and load_b(to, s) start the copies of slab s, which come in order. smem holds
// stage_bytes(kStages). With one stage a slab is fetched, then multiplied; with more, the next ones are under way meanwhile.
template <bool TA, bool TB, int kStages, class T, class A, class B> DEV void tile_mma_of(T *stage, A &load_a, B &load_b, int slabs, float (&acc)[4][4][4]) {
  constexpr int size = Slab<T>::size;
#pragma unroll
  for (int s = 0; s < kStages - 1; ++s) {
    if (s < slabs) load_a(stage + s * 2 * size, s), load_b(stage + (s * 2 + 1) * size, s);
    cp_async_commit();
  }
  for (int s = 0; s < slabs; ++s) {
    const int next = s + kStages - 1, in = next % kStages, now = s % kStages;
    if (kStages > 1) {
      cp_async_wait<(kStages > 1 ? kStages - 2 : 0)>();
      sync_block();  // slab s is there for all, and all are done with the slab that the next copy overwrites
    }
    if (next < slabs) load_a(stage + in * 2 * size, next), load_b(stage + (in * 2 + 1) * size, next);
    cp_async_commit();
    if (kStages == 1) {
      cp_async_wait<0>();
      sync_block();
    }
    multiply_slab<TA, TB>(stage + now * 2 * size, stage + (now * 2 + 1) * size, acc);
    if (kStages == 1) sync_block();
  }
  cp_async_wait<0>();
  sync_block();
}

// tile_mma is the same for operands in memory. A is [rows, depth], with TA [depth, rows]; B is [cols, depth], with TB [depth, cols].
template <bool TA, bool TB, int kStages, class T>
DEV void tile_mma(unsigned char *smem, const T *a, i64 lda, int rows, const T *b, i64 ldb, int cols, int depth, float (&acc)[4][4][4]) {
  constexpr int step = Slab<T>::depth;
  auto load_a = [&](T *to, int s) { load_slab<TA>(to, a, lda, rows, s * step, depth); };
  auto load_b = [&](T *to, int s) { load_slab<TB>(to, b, ldb, cols, s * step, depth); };
  tile_mma_of<TA, TB, kStages>((T *)smem, load_a, load_b, (depth + step - 1) / step, acc);
}

// acc_row and acc_col are the place in the tile of element e of acc[i][j].
DEV int acc_row(int i, int e) { return warp_id() / 4 * 64 + i * 16 + lane_id() / 4 + e / 2 * 8; }
DEV int acc_col(int j, int e) { return warp_id() % 4 * 32 + j * 8 + lane_id() % 4 * 2 + e % 2; }

// scores_mma fills smem, as a float32 tile, with ⟨row r of a, row c of b⟩.
template <int kStages, class T> DEV void scores_mma(unsigned char *smem, const T *a, i64 lda, int rows, const T *b, i64 ldb, int cols, int depth) {
  float acc[4][4][4] = {};
  tile_mma<false, false, kStages>(smem, a, lda, rows, b, ldb, cols, depth, acc);
  float(*s)[kTile + 1] = (float(*)[kTile + 1])smem;
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) s[acc_row(i, e)][acc_col(j, e)] = acc[i][j][e];
  sync_block();
}

// pair_mma gives lane l the dot product of pair l/4 of the warp's eight pairs of rows if has_pair(), with the bits that scores_mma gives it; a and b are
// the rows of pair l/4. depth is that of b, a multiple of 8; rows of a hold 0 up to the next multiple of 16.
template <class T> DEV float pair_mma(const T *a, const T *b, int depth) {
  float d[4] = {};
  const int t = lane_id() % 4 * 2, g = lane_id() / 4;
  for (int k = 0; k < depth; k += 16) {
    const u32 x[4] = {*(const u32 *)(a + k + t), 0, *(const u32 *)(a + k + 8 + t), 0};
    const u32 y[2] = {*(const u32 *)(b + k + t), k + 8 < depth ? *(const u32 *)(b + k + 8 + t) : 0};
    mma16(d, x, y, T{});
  }
  return g % 2 ? d[1] : d[0];
}
DEV bool has_pair() { return lane_id() % 4 == lane_id() / 8; }

// select_best calls emit(p, i) for the k largest of v[0..len), of equal ones those of lower index, p = 0..k−1 in order of i. 256 threads; by radix: five
// passes over v for any k.
DEV u32 order_key(float x) {
  const u32 u = bits_of(x + 0.f);  // −0 is 0
  return u >> 31 ? ~u : u | 0x80000000u;
}
template <class F> DEV void select_best(const float *v, i64 len, int k, F emit) {
  SHARED(int, bins, [256]);
  SHARED(int, found, [2]);
  SHARED(int, counts, [2][8]);
  const int t = thread_x();
  u32 key = 0, mask = 0;  // of the k-th largest; want: how many of those equal to it belong to the k
  int want = k;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bins[t] = 0;
    sync_block();
    for (i64 i = t; i < len; i += 256) {
      const u32 u = order_key(v[i]);
      if ((u & mask) == key) atomic_add(bins + (u >> shift & 255), 1);
    }
    sync_block();
    if (t == 0) {
      int b = 255, left = want;
      while (b > 0 && bins[b] < left) left -= bins[b--];
      found[0] = b, found[1] = left;
    }
    sync_block();
    key |= (u32)found[0] << shift, mask |= 255u << shift, want = found[1];
  }
  int above = 0, ties = 0;  // before this round of 256
  for (i64 i0 = 0; i0 < len && above + (ties < want ? ties : want) < k; i0 += 256) {
    const u32 u = i0 + t < len ? order_key(v[i0 + t]) : 0;
    const bool is_above = i0 + t < len && u > key, is_tie = i0 + t < len && u == key;
    const u32 a = warp_ballot(is_above), e = warp_ballot(is_tie), lower = (1u << lane_id()) - 1;
    if (lane_id() == 0) counts[0][warp_id()] = popc(a), counts[1][warp_id()] = popc(e);
    sync_block();
    int my_above = above + popc(a & lower), my_tie = ties + popc(e & lower);
    for (int w = 0; w < 8; ++w) {
      if (w < warp_id()) my_above += counts[0][w], my_tie += counts[1][w];
      above += counts[0][w], ties += counts[1][w];
    }
    if (is_above || (is_tie && my_tie < want)) emit(my_above + (my_tie < want ? my_tie : want), i0 + t);
    sync_block();
  }
}

// -- what becomes of a tile: s[r][c] are dot products, rows and cols how many of them exist --
template <bool Fast> DEV float exp_of(float x) { return Fast ? exp2_fast(x * 1.4426950408889634f) : exp_(x); }

// tile_stats writes the largest of scale·s and Σ exp(scale·s − largest) of each row and, if wanted, column. One thread a row and one a column.
template <int T, bool Fast>
DEV void tile_stats(const float (*s)[T + 1], int rows, int cols, float scale, float *row_top, float *row_sum, float *col_top, float *col_sum) {
  const bool by_row = thread_x() < T;
  const int t = by_row ? thread_x() : thread_x() - T;
  if (t >= (by_row ? rows : cols) || (!by_row && (t >= T || !col_top))) return;
  const int count = by_row ? cols : rows;
  float top = -INF_, sum = 0;
  for (int i = 0; i < count; ++i) top = fmax_(top, (by_row ? s[t][i] : s[i][t]) * scale);
  for (int i = 0; i < count && top != -INF_; ++i) sum += exp_of<Fast>((by_row ? s[t][i] : s[i][t]) * scale - top);
  (by_row ? row_top : col_top)[t] = top;
  (by_row ? row_sum : col_sum)[t] = sum;
}

// tile_exclude makes the column excluded from each row −∞. excluded[r] is a column of the whole matrix, whose column col0 the tile begins with.
template <int T> DEV void tile_exclude(float (*s)[T + 1], int rows, int cols, const int *excluded, i64 col0) {
  if (!excluded) return;
  if (thread_x() < T && thread_x() < rows) {
    const i64 c = excluded[thread_x()] - col0;
    if (c >= 0 && c < cols && c < T) s[thread_x()][c] = -INF_;
  }
  sync_block();
}

// tile_chunks writes the largest of each row's chunks of kChunk columns: out[row · pitch + chunk].
enum { kChunk = 32 };
template <int T> DEV void tile_chunks(const float (*s)[T + 1], int rows, int cols, float *out, i64 pitch) {
  for (int e = thread_x(); e < T * (T / kChunk); e += 256) {
    const int r = e % T, c = e / T * kChunk;
    if (r >= rows || c >= cols) continue;
    const int end = cols - c < kChunk ? cols : c + kChunk;
    float top = -INF_;
    for (int i = c; i < end; ++i) top = fmax_(top, s[r][i]);
    out[r * pitch + c / kChunk] = top;
  }
}

// tile_ranks writes how many columns come before the row's positive, whose score is hit and whose column is target − col0.
template <int T> DEV void tile_ranks(const float (*s)[T + 1], int rows, int cols, float scale, const float *hit, const int *target, i64 row0, i64 col0, int *rank) {
  const int t = thread_x();
  if (t >= T || t >= rows) return;
  const i64 own = (target ? target[row0 + t] : row0 + t) - col0;
  const float p = hit[row0 + t];
  int n = 0;
  for (int c = 0; c < cols; ++c) {
    const float x = s[t][c] * scale;
    n += x > p || (x == p && c < own);
  }
  rank[t] = n;
}
#endif
