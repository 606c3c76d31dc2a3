// Top-k search, fourth rung (topk.cu tells how): maxima of chunks of 32 rows of the bank by wgmma (wgmma.cuh), straight from the registers of tiles of
// 128 queries × 256 rows; the chosen chunks are scored again by topk_mma.cu's kernels. Banks of bfloat16 or float16 read in place, D a multiple of 8.
// A bank in bfloat16 beside float32 rows gives bounds of the maxima instead (topk_near.cuh). The bank comes from memory once for 2048 queries. Limit: its bytes over bandwidth up to about 300 queries, wgmma beyond. Should wgmma and mma.sync
// round a sum apart in its last place, rows whose scores lie as near as that to the k-th may be taken for one another, no others.
// Measured: not yet, emulated only.
#include "topk_near.cuh"
#include "wgmma.cuh"

struct Maxima {
  const int *exclude;  // of the launch's first query
  int rows;
  i64 m;
  float *out;  // [rows, chunks]
  i64 chunks;

  template <int M> DEV_METHOD void operator()(float (&acc)[M], const Spot &t) const {
    const int row0 = t.row + row_in(0), t4 = lane_id() % 4;
    i64 gone[2] = {-1, -1};
    if (exclude) {
#pragma unroll
      for (int h = 0; h < 2; ++h)
        if (row0 + 8 * h < rows) gone[h] = exclude[row0 + 8 * h];
    }
#pragma unroll
    for (int c = 0; c < M / 16; ++c) {  // chunks of 32 columns: acc[16·c …]
      const i64 col0 = t.col + c * 32;
#pragma unroll
      for (int h = 0; h < 2; ++h) {
        float top = -INF_;
#pragma unroll
        for (int j = 0; j < 8; ++j) {
          const int i = 16 * c + j / 2 * 4 + 2 * h + j % 2;
          const i64 col = t.col + col_in(i);
          if (col < m && col != gone[h]) top = fmax_(top, acc[i]);
        }
        top = fmax_(top, shfl_xor(top, 1));
        top = fmax_(top, shfl_xor(top, 2));
        if (t4 == c % 4 && row0 + 8 * h < rows && col0 < m) out[(row0 + 8 * h) * chunks + col0 / 32] = top;
      }
    }
  }
};

#define MAXIMA(T)                                                                                                                               \
  KERNEL(topk_max_wgmma_##T, kThreads, kRingBytes, GRID_CONSTANT TensorMap query, GRID_CONSTANT TensorMap mem, const int *exclude, i64 q0, int rows, i64 m, \
         int d, float *maxima, i64 chunks) {                                                                                                    \
    wgmma_tiles<0, 0, 256, T>(Matrices<0, 0>{query, mem, 0, 0}, Sweep{(rows + kHigh - 1) / kHigh, (int)((m + 255) / 256), 1, 0, (d + kDeep - 1) / kDeep}, \
                              Maxima{exclude ? exclude + q0 : nullptr, rows, m, maxima, chunks});                                               \
  }
MAXIMA(bf16)
MAXIMA(f16)

// Bounds leaves what the largest score of each chunk is at most, and at least.
struct Bounds {
  const float *bounds, *sizes;  // of the bank's rows; of the launch's first query on
  float tiny;
  const int *exclude;
  int rows;
  i64 m;
  float *upper, *lower;  // [rows, chunks]
  i64 chunks;

  template <int M> DEV_METHOD void operator()(float (&acc)[M], const Spot &t) const {
    const int row0 = t.row + row_in(0), t4 = lane_id() % 4;
    i64 gone[2] = {-1, -1};
    float a[2] = {}, b[2] = {};
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      if (row0 + 8 * h >= rows) continue;
      a[h] = sizes[2 * (row0 + 8 * h)], b[h] = sizes[2 * (row0 + 8 * h) + 1];
      if (exclude) gone[h] = exclude[row0 + 8 * h];
    }
#pragma unroll
    for (int c = 0; c < M / 16; ++c) {  // chunks of 32 columns: acc[16·c …]
      float most[2] = {-INF_, -INF_}, least[2] = {-INF_, -INF_};
#pragma unroll
      for (int j = 0; j < 8; ++j) {
        const int i = 16 * c + j / 2 * 4 + j % 2;
        const i64 col = t.col + col_in(i);
        if (col >= m) continue;
        const float length = bounds[m + col], change = bounds[2 * m + col];
#pragma unroll
        for (int h = 0; h < 2; ++h)
          if (col != gone[h]) within(acc[i + 2 * h], a[h], b[h], length, change, tiny, most[h], least[h]);
      }
#pragma unroll
      for (int h = 0; h < 2; ++h) {
#pragma unroll
        for (int x = 1; x < 4; x *= 2) most[h] = fmax_(most[h], shfl_xor(most[h], x)), least[h] = fmax_(least[h], shfl_xor(least[h], x));
        if (t4 != c % 4 || row0 + 8 * h >= rows || t.col + c * 32 >= m) continue;
        const i64 at = (row0 + 8 * h) * chunks + (t.col + c * 32) / 32;
        upper[at] = most[h], lower[at] = least[h];
      }
    }
  }
};

KERNEL(topk_near_wgmma, kThreads, kRingBytes, GRID_CONSTANT TensorMap query, GRID_CONSTANT TensorMap near, const float *bounds, const float *sizes, float tiny, const int *exclude, i64 q0, int rows, i64 m,
       int d, float *upper, float *lower, i64 chunks) {
  wgmma_tiles<0, 0, 256, bf16>(Matrices<0, 0>{query, near, 0, 0}, Sweep{(rows + kHigh - 1) / kHigh, (int)((m + 255) / 256), 1, 0, (d + kDeep - 1) / kDeep},
                               Bounds{bounds, sizes + 2 * q0, tiny, exclude ? exclude + q0 : nullptr, rows, m, upper, lower, chunks});
}
