// linear_crossentropy, third rung: tiles of 128×256 logits by wgmma (wgmma.cuh) of bfloat16 operands, whose statistics and gradients are made on the
// registers: no tile goes through shared memory, only what eight warps know of a word where the bias has a gradient. Both products of the gradient's block are
// gemm_wgmma's (nn, tn). Limit: wgmma, then one exp a logit and pass, which does not overlap with it; a block's product with W leaves a device idle
// where N is small. Measured: not yet, emulated only.
#include "linear_crossentropy.cuh"
#include "wgmma_columns.cuh"

// with_bias adds the bias; columns and rows beyond the block become `outside`.
DEV void with_bias(float (&acc)[kWide / 2], const Words &p, const Spot &t, float outside) {
  const int col0 = t.col + lane_id() % 4 * 2, left = p.cols - col0;
#pragma unroll
  for (int i = 0; i < kWide / 2; i += 4)
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const bool in = i * 2 + e < left;
      const float b = p.bias && in ? p.bias[p.col0 + col0 + i * 2 + e] : 0.f;
#pragma unroll
      for (int h = 0; h < 2; ++h) acc[i + 2 * h + e] = in ? acc[i + 2 * h + e] + b : outside;
    }
}

struct WordStats {
  Words p;
  float *tops, *sums, *totals, *hit;

  DEV_METHOD void operator()(float (&acc)[kWide / 2], const Spot &t) const {
    with_bias(acc, p, t, -INF_);
#pragma unroll
    for (int h = 0; h < 2; ++h) of_row(acc, t, h);
  }

  // of_row has the four lanes of a row agree on its largest and its sums.
  DEV_METHOD void of_row(const float (&acc)[kWide / 2], const Spot &t, int h) const {
    const int row = t.row + row_in(2 * h), first = lane_id() % 4 * 2, left = p.cols - t.col - first;
    const i64 n = p.row0 + (row < p.rows ? row : 0), target = p.target[n] - p.col0 - t.col - first;  // from the thread's first column
    const int own = target < left ? (int)target : -1;
    float top = -INF_, sum = 0, total = 0;
#pragma unroll
    for (int i = 0; i < kWide / 2; i += 4) top = fmax_(top, fmax_(acc[i + 2 * h], acc[i + 2 * h + 1]));
    top = fmax_(top, shfl_xor(top, 1));
    top = fmax_(top, shfl_xor(top, 2));
    const float base = top == -INF_ ? 0.f : top;
#pragma unroll
    for (int i = 0; i < kWide / 2; i += 4)
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const float z = acc[i + 2 * h + e];
        if (i * 2 + e < left) total += z;
        if (i * 2 + e != own)
          sum += exp_of<true>(z - base);
        else if (row < p.rows)
          hit[n] = z;
      }
#pragma unroll
    for (int m = 1; m < 4; m *= 2) sum += shfl_xor(sum, m), total += shfl_xor(total, m);
    if (lane_id() % 4 || row >= p.rows) return;
    const i64 at = (i64)(t.col / kWide) * p.rows + row;
    tops[at] = top, sums[at] = sum;
    if (totals) totals[at] = total;
  }
};

struct WordGradient {
  Words p;
  const Counts *counts;
  bf16 *g;
  i64 pitch;
  float *dbias;

  DEV_METHOD void operator()(float (&acc)[kWide / 2], const Spot &t) const {
    with_bias(acc, p, t, -INF_);
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int row = t.row + row_in(2 * h), col0 = t.col + lane_id() % 4 * 2;
      const bool here = row < p.rows;
      const i64 n = p.row0 + (here ? row : 0), own = p.target[n] - p.col0 - col0;
      const Counts c = counts[n];
#pragma unroll
      for (int i = 0; i < kWide / 2; i += 4) {
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          float &v = acc[i + 2 * h + e];
          v = (i * 2 + e == own ? -c.z : exp_of<true>(v - c.x) * c.y) - c.w;
          if (!here || col0 + i * 2 + e >= p.cols) v = 0;
        }
        if (g && here && col0 + i * 2 < p.cols) *(u32 *)(g + row * pitch + col0 + i * 2) = pack_bf16(acc[i + 2 * h], acc[i + 2 * h + 1]);
      }
    }
    if (dbias) of_columns(acc, t);
  }

  DEV_METHOD void of_columns(const float (&acc)[kWide / 2], const Spot &t) const {
    SHARED(float, sums, [8][kWide]);  // of the 16 rows of each warp
#pragma unroll
    for (int q = 0; q < kWide / 32; ++q) {
      float v[8];
#pragma unroll
      for (int i = 0; i < 8; ++i) v[i] = acc[16 * q + i / 2 * 4 + i % 2] + acc[16 * q + i / 2 * 4 + i % 2 + 2];
      sums[warp_id() - 4][column_of_lane(q)] = gather8(v, [](float a, float b) { return a + b; });
    }
    sync_workers();
    const int c = thread_x() - (kThreads - kWorkers);
    float sum = 0;
    for (int w = 0; w < 8; ++w) sum += sums[w][c];
    if (t.col + c < p.cols) dbias[(i64)(t.row / kHigh) * p.cols + t.col + c] = sum;
    sync_workers();  // the next tile writes there again
  }
};

DEV Sweep sweep_of(int rows, int cols, int depth) { return Sweep{(rows + kHigh - 1) / kHigh, (cols + kWide - 1) / kWide, 1, 0, (depth + kDeep - 1) / kDeep}; }

KERNEL(linear_crossentropy_stats_wgmma, kThreads, kRingBytes, GRID_CONSTANT TensorMap x, GRID_CONSTANT TensorMap w, int depth, const float *bias, const int *target, i64 row0, i64 col0, int rows, int cols,
       float *tops, float *sums, float *totals, float *hit) {
  wgmma_tiles<0, 0, kWide, bf16>(Matrices<0, 0>{x, w, 0, 0}, sweep_of(rows, cols, depth), WordStats{Words{bias, target, row0, col0, rows, cols}, tops, sums, totals, hit});
}
KERNEL(linear_crossentropy_grad_wgmma, kThreads, kRingBytes, GRID_CONSTANT TensorMap x, GRID_CONSTANT TensorMap w, int depth, const float *bias, const int *target, i64 row0, i64 col0, int rows, int cols,
       const Counts *counts, bf16 *g, i64 pitch, float *dbias) {
  wgmma_tiles<0, 0, kWide, bf16>(Matrices<0, 0>{x, w, 0, 0}, sweep_of(rows, cols, depth), WordGradient{Words{bias, target, row0, col0, rows, cols}, counts, g, pitch, dbias});
}
