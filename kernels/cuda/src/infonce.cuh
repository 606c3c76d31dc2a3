// What InfoNCE makes of a tile of dot products, for the tiled and the tensor core rungs.
#ifndef SYNTIC_INFONCE_CUH
#define SYNTIC_INFONCE_CUH
#include "tile.cuh"

// Pass is one launch's part of the rows of x and y.
struct Pass {
  const float *scale, *hit;
  const int *target;
  i64 row0, col0;
  int rows, cols;
};

// Own are the statistics that turn scores into gradients; null columns: only rows count.
struct Own {
  const float *row_top, *row, *col_top, *col;
  float both;  // wx + wy
};

// nce_gradient replaces dot products by scale·∂Loss/∂s, g has them row by row, pitch apart. slot collects Σ ∂Loss/∂s · s/scale.
template <int T, bool Fast, class G>
DEV void nce_gradient(float (*s)[T + 1], const Pass &p, const Own &o, int tr, int tc, G *g, i64 pitch, double *slot, int first) {
  SHARED(double, scratch, [256]);
  const float scale = *p.scale;
  double sum = 0;
  for (int c = thread_x() % T, r = thread_x() / T; r < T; r += 256 / T) {
    const int row = tr * T + r, col = tc * T + c;
    if (row >= p.rows || col >= p.cols) continue;
    const i64 i = p.row0 + row, j = p.col0 + col;
    const float x = s[r][c] * scale;
    float v = exp_of<Fast>(x - o.row_top[i]) * o.row[i];
    if (o.col) v += exp_of<Fast>(x - o.col_top[j]) * o.col[j];
    if (j == (p.target ? p.target[i] : i)) v -= o.both;
    sum += (double)v * s[r][c];
    store(g + row * pitch + col, v * scale);
  }
  sum = block_sum_f64(sum, scratch);
  if (thread_x() == 0) *slot = first ? sum : *slot + sum;
}

// nce_stats writes a tile's share of the statistics: those of rows [tile columns, rows], those of columns [tile rows, cols]; ranks and columns if wanted.
template <int T, bool Fast>
DEV void nce_stats(const float (*s)[T + 1], const Pass &p, int tr, int tc, float *row_top, float *row_sum, int *rank, float *col_top, float *col_sum) {
  const int rows = p.rows - tr * T < T ? p.rows - tr * T : T, cols = p.cols - tc * T < T ? p.cols - tc * T : T;
  const i64 r = (i64)tc * p.rows + tr * T, c = (i64)tr * p.cols + tc * T;
  tile_stats<T, Fast>(s, rows, cols, *p.scale, row_top + r, row_sum + r, col_top ? col_top + c : nullptr, col_top ? col_sum + c : nullptr);
  if (rank) tile_ranks<T>(s, rows, cols, *p.scale, p.hit, p.target, p.row0 + tr * T, p.col0 + tc * T, rank + r);
}
#endif
