// InfoNCE, fifth rung: tiles of 128×256 similarities by wgmma (wgmma.cuh) whose statistics, ranks and gradients are made on the registers: no tile goes
// through shared memory, only what eight warps know of a column. The two products of the gradient's block are gemm_wgmma's (nn, tn). A row's own
// positive is never counted before itself, so ranks do not ask that wgmma and mma.sync (infonce_hit_bf16) round alike. Limit: two exp a pair, half the
// time of wgmma at D = 512, which do not overlap with it; the block's stores of 16 bytes. Measured: not yet, emulated only.
#include "infonce.cuh"
#include "wgmma_columns.cuh"

struct NceStats {
  Pass p;
  float *row_top, *row_sum;
  int *rank;
  float *col_top, *col_sum;

  DEV_METHOD void operator()(float (&acc)[kWide / 2], const Spot &t) const {
    const float scale = *p.scale;
    const int left = p.cols - t.col - lane_id() % 4 * 2;  // columns from the thread's first on
    const bool here[2] = {t.row + row_in(0) < p.rows, t.row + row_in(2) < p.rows};
#pragma unroll
    for (int i = 0; i < kWide / 2; ++i) acc[i] = here[i / 2 % 2] && i / 4 * 8 + i % 2 < left ? acc[i] * scale : -INF_;
#pragma unroll
    for (int h = 0; h < 2; ++h) of_row(acc, t, h);
    if (col_top) of_columns(acc, t);
  }

  // of_row has the four lanes of a row agree on its largest and its sum.
  DEV_METHOD void of_row(const float (&acc)[kWide / 2], const Spot &t, int h) const {
    const int row = t.row + row_in(2 * h);
    const i64 at = (i64)(t.col / kWide) * p.rows + row;
    float top = -INF_, sum = 0;
#pragma unroll
    for (int i = 0; i < kWide / 2; i += 4) top = fmax_(top, fmax_(acc[i + 2 * h], acc[i + 2 * h + 1]));
    top = fmax_(top, shfl_xor(top, 1));
    top = fmax_(top, shfl_xor(top, 2));
#pragma unroll
    for (int i = 0; i < kWide / 2; i += 4) sum += exp_of<true>(acc[i + 2 * h] - top) + exp_of<true>(acc[i + 2 * h + 1] - top);
    sum += shfl_xor(sum, 1);
    sum += shfl_xor(sum, 2);
    const bool mine = lane_id() % 4 == 0 && row < p.rows;
    if (mine) row_top[at] = top, row_sum[at] = sum;
    if (!rank) return;
    const i64 n = p.row0 + (row < p.rows ? row : 0);
    const int own = (int)((p.target ? p.target[n] : n) - p.col0 - t.col - lane_id() % 4 * 2);  // from the thread's first column
    const float hit = p.hit[n];
    int before = 0;
#pragma unroll
    for (int i = 0; i < kWide / 2; i += 4)
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const float x = acc[i + 2 * h + e];
        before += i * 2 + e != own && (x > hit || (x == hit && i * 2 + e < own));
      }
    before += shfl_xor(before, 1);
    before += shfl_xor(before, 2);
    if (mine) rank[at] = before;
  }

  DEV_METHOD void of_columns(const float (&acc)[kWide / 2], const Spot &t) const {
    SHARED(float, tops, [8][kWide]);  // of the 16 rows of each warp
    SHARED(float, sums, [8][kWide]);
    const int warp = warp_id() - 4, pair = lane_id() % 4;
#pragma unroll
    for (int q = 0; q < kWide / 32; ++q) {  // 32 columns: 8 a lane, in two rows
      float v[8], top[8];
#pragma unroll
      for (int i = 0; i < 8; ++i) v[i] = fmax_(acc[16 * q + i / 2 * 4 + i % 2], acc[16 * q + i / 2 * 4 + i % 2 + 2]);
      const float best = gather8(v, [](float a, float b) { return fmax_(a, b); });
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        top[i] = shfl(best, 4 * i + pair);
        const float x = acc[16 * q + i / 2 * 4 + i % 2], y = acc[16 * q + i / 2 * 4 + i % 2 + 2];
        v[i] = top[i] == -INF_ ? 0.f : exp_of<true>(x - top[i]) + exp_of<true>(y - top[i]);
      }
      const float sum = gather8(v, [](float a, float b) { return a + b; });
      const int col = column_of_lane(q);
      tops[warp][col] = best, sums[warp][col] = sum;
    }
    sync_workers();
    const int c = thread_x() - (kThreads - kWorkers);
    float top = -INF_, sum = 0;
    for (int w = 0; w < 8; ++w) top = fmax_(top, tops[w][c]);
    for (int w = 0; w < 8; ++w)
      if (tops[w][c] != -INF_) sum += sums[w][c] * exp_of<true>(tops[w][c] - top);
    if (t.col + c < p.cols) {
      const i64 at = (i64)(t.row / kHigh) * p.cols + t.col + c;
      col_top[at] = top, col_sum[at] = sum;
    }
    sync_workers();  // the next tile writes there again
  }
};

struct Gradient {
  Pass p;
  Own o;
  bf16 *g;
  i64 pitch;
  double *slots;
  int first;

  DEV_METHOD void operator()(float (&acc)[kWide / 2], const Spot &t) const {
    const float scale = *p.scale;
    float row_top[2], row_own[2];
    i64 target[2];
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const int row = t.row + row_in(2 * h);
      const i64 n = p.row0 + (row < p.rows ? row : 0);
      row_top[h] = o.row_top[n], row_own[h] = o.row[n], target[h] = (p.target ? p.target[n] : n) - p.col0;
    }
    double sum = 0;
#pragma unroll
    for (int i = 0; i < kWide / 2; i += 4) {
      const int col = t.col + col_in(i);
      if (col >= p.cols) continue;
      float part = 0, w[4];
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int h = e / 2, c = col + e % 2;
        const bool here = t.row + row_in(e) < p.rows && c < p.cols;
        const i64 m = p.col0 + (here ? c : 0);
        const float x = acc[i + e] * scale;
        float v = exp_of<true>(x - row_top[h]) * row_own[h];
        if (o.col) v += exp_of<true>(x - o.col_top[m]) * o.col[m];
        if (c == target[h]) v -= o.both;
        if (!here) v = 0;
        part += v * acc[i + e], w[e] = v * scale;
      }
      sum += part;
#pragma unroll
      for (int h = 0; h < 2; ++h)
        if (t.row + row_in(2 * h) < p.rows) *(u32 *)(g + (t.row + row_in(2 * h)) * pitch + col) = pack_bf16(w[2 * h], w[2 * h + 1]);
    }
    total(sum, slots + t.tile);
  }

  DEV_METHOD void total(double sum, double *slot) const {
    SHARED(double, scratch, [kWorkers]);
    const int w = thread_x() - (kThreads - kWorkers);
    scratch[w] = sum;
    sync_workers();
    if (w < 32) {
      for (int i = w + 32; i < kWorkers; i += 32) sum += scratch[i];
      scratch[w] = sum;
      sync_warp();
      if (w == 0) {
        for (int i = 1; i < 32; ++i) sum += scratch[i];
        *slot = first ? sum : *slot + sum;
      }
    }
    sync_workers();  // the next tile writes there again
  }
};

DEV Sweep sweep_of(int rows, int cols, int depth) { return Sweep{(rows + kHigh - 1) / kHigh, (cols + kWide - 1) / kWide, 1, 0, (depth + kDeep - 1) / kDeep}; }

KERNEL(infonce_stats_wgmma, kThreads, kRingBytes, GRID_CONSTANT TensorMap x, GRID_CONSTANT TensorMap y, int depth, const float *scale, const float *hit, const int *target, i64 row0, i64 col0, int rows,
       int cols, float *row_top, float *row_sum, int *rank, float *col_top, float *col_sum) {
  wgmma_tiles<0, 0, kWide, bf16>(Matrices<0, 0>{x, y, 0, 0}, sweep_of(rows, cols, depth), NceStats{Pass{scale, hit, target, row0, col0, rows, cols}, row_top, row_sum, rank, col_top, col_sum});
}
KERNEL(infonce_grad_wgmma, kThreads, kRingBytes, GRID_CONSTANT TensorMap x, GRID_CONSTANT TensorMap y, int depth, const float *scale, const int *target, i64 row0, i64 col0, int rows, int cols,
       const float *row_top, const float *row_own, const float *col_top, const float *col_own, float both, bf16 *g, i64 pitch, double *slots, int first) {
  wgmma_tiles<0, 0, kWide, bf16>(Matrices<0, 0>{x, y, 0, 0}, sweep_of(rows, cols, depth),
                                 Gradient{Pass{scale, nullptr, target, row0, col0, rows, cols}, Own{row_top, row_own, col_top, col_own, both}, g, pitch, slots, first});
}
