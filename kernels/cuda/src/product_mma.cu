// out[m, n] (+)= op(A) · B by mma.sync of bfloat16 or tf32 operands, for blocks of weights that kernels of similarities leave behind: A is [m, k] (nn) or
// [k, m] (tn), B is [k, n]. 128×128 tiles, three stages of cp.async. lda and ldb are multiples of 16 bytes. Limit: mma.sync. At most 128
// registers, no spills. Measured: not yet, emulated only.
#include "tile.cuh"

// rows of d numbers of any format in 16 bits, ld apart, 0 from d on
template <class T> DEV void pad(const void *x, int dtype, T *out, i64 n, int d, int ld) {
  const i64 i = global_thread();
  if (i >= n * ld) return;
  const i64 row = i / ld, col = i - row * ld;
  store(out + i, col < d ? load_any(x, dtype, row * d + col) : 0.f);
}
KERNEL(pad_bf16, 256, 0, const void *x, int dtype, bf16 *out, i64 n, int d, int ld) { pad(x, dtype, out, n, d, ld); }
KERNEL(pad_f16, 256, 0, const void *x, int dtype, f16 *out, i64 n, int d, int ld) { pad(x, dtype, out, n, d, ld); }

template <bool TA, class T> DEV void product(const T *a, i64 lda, const T *b, i64 ldb, float *out, i64 ldo, int m, int n, int k, int add) {
  SHARED_DYNAMIC(unsigned char, smem);
  const int across = (n + kTile - 1) / kTile, row0 = block_x() / across * kTile, col0 = block_x() % across * kTile;
  float acc[4][4][4] = {};
  tile_mma<TA, true, 3>(smem, a + (TA ? (i64)row0 : row0 * lda), lda, m - row0, b + col0, ldb, n - col0, k, acc);
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int row = row0 + acc_row(i, e), col = col0 + acc_col(j, e);
        if (row >= m || col >= n) continue;
        float *o = out + row * ldo + col;
        *o = add ? *o + acc[i][j][e] : acc[i][j][e];
      }
}

#define PRODUCT(name, TA, T)                                                                                                                                     \
  KERNEL(product_##name##_##T, 256, stage_bytes(3), const T *a, i64 lda, const T *b, i64 ldb, float *out, i64 ldo, int m, int n, int k, int add) {          \
    product<TA>(a, lda, b, ldb, out, ldo, m, n, k, add);                                                                                                      \
  }
PRODUCT(nn, false, bf16)
PRODUCT(tn, true, bf16)
PRODUCT(nn, false, tf32)
PRODUCT(tn, true, tf32)
