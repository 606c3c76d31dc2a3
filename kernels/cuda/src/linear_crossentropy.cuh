// What linear_crossentropy makes of a tile of dot products of rows and words, for the tiled and the tensor core rungs.
#ifndef SYNTIC_LINEAR_CROSSENTROPY_CUH
#define SYNTIC_LINEAR_CROSSENTROPY_CUH
#include "tile.cuh"

// Words is one launch's part of the rows and words. bias: null, none; targets outside 0..V−1 meet no word.
struct Words {
  const float *bias;
  const int *target;
  i64 row0, col0;
  int rows, cols;
};

// Counts is what linear_crossentropy_own leaves of each row for the gradient: g = exp(z − top)·own − even, and −miss − even at the target.
typedef vec4 Counts;  // top, own, miss, even

// head_stats leaves a tile's share of the statistics of rows, [tile columns, rows]: the largest logit, Σ exp(z − largest) of the words that are not the
// target, so that a row that is nearly certain keeps its digits, and, if wanted, Σ z. hit [N] gets the logit of the target from the tile that has it.
template <int T, bool Fast> DEV void head_stats(float (*s)[T + 1], const Words &p, int tr, int tc, float *tops, float *sums, float *totals, float *hit) {
  constexpr int share = T * T / 256, lanes = T / share;  // a row has `lanes` neighbouring threads, each `share` columns
  const int r = thread_x() / lanes, row = tr * T + r, c0 = thread_x() % lanes * share, left = p.cols - tc * T;
  const i64 word0 = p.col0 + tc * T, n = p.row0 + (row < p.rows ? row : 0), own = p.target[n] - word0;
  float top = -INF_, sum = 0, total = 0;
  for (int c = c0; c < c0 + share && c < left; ++c) {
    const float z = p.bias ? s[r][c] + p.bias[word0 + c] : s[r][c];
    s[r][c] = z, top = fmax_(top, z), total += z;
  }
#pragma unroll
  for (int m = 1; m < lanes; m *= 2) top = fmax_(top, shfl_xor(top, m)), total += shfl_xor(total, m);
  for (int c = c0; c < c0 + share && c < left; ++c)
    if (c == own) {
      if (row < p.rows) hit[n] = s[r][c];
    } else if (top != -INF_) {
      sum += exp_of<Fast>(s[r][c] - top);
    }
#pragma unroll
  for (int m = 1; m < lanes; m *= 2) sum += shfl_xor(sum, m);
  if (thread_x() % lanes || row >= p.rows) return;
  const i64 at = (i64)tc * p.rows + row;
  tops[at] = top, sums[at] = sum;
  if (totals) totals[at] = total;
}

// head_gradient writes ∂Loss/∂z of a tile into g, and into dbias its sums over the tile's rows [tile rows, cols]; null: not wanted.
template <int T, bool Fast, class G>
DEV void head_gradient(float (*s)[T + 1], const Words &p, int tr, int tc, const Counts *counts, G *g, i64 pitch, float *dbias) {
  const int t = thread_x() % T, col = tc * T + t;
  const float bias = p.bias && col < p.cols ? p.bias[p.col0 + col] : 0.f;
  for (int r = thread_x() / T; r < T; r += 256 / T) {
    const int row = tr * T + r;
    float v = 0;
    if (row < p.rows && col < p.cols) {
      const Counts c = counts[p.row0 + row];
      v = (p.target[p.row0 + row] == p.col0 + col ? -c.z : exp_of<Fast>(s[r][t] + bias - c.x) * c.y) - c.w;
      if (g) store(g + row * pitch + col, v);
    }
    s[r][t] = v;
  }
  if (!dbias) return;
  sync_block();
  if (thread_x() >= T || col >= p.cols) return;
  float sum = 0;
  for (int r = 0; r < T; ++r) sum += s[r][t];
  dbias[(i64)tr * p.cols + col] = sum;
}
#endif
