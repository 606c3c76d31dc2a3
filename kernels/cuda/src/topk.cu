// Top-k search, first rung and what all rungs share. topk_naive_f32: one block a query goes through the bank once for each of the k; limit: k·M·D
// multiply-adds a query; kept to check the others against. The faster rungs rest on one fact: the k best rows lie in the k chunks of rows with the
// largest maxima (else k other chunks each hold a better one), so tiles leave a maximum for every 32 rows (topk_tiled.cu, topk_mma.cu), the k best
// chunks are chosen and scored again, bit by bit as the tiles did, and the k best of those rows are the answer: exact for any k, ties by index.
// Measured: not yet, emulated only.
#include "tile.cuh"

KERNEL(topk_naive_f32, 256, 0, const void *query, int dtype_q, const void *mem, int dtype_m, const int *exclude, i64 q0, i64 m, int d, int k, float *score, int *index) {
  SHARED(float, best, [256]);
  SHARED(int, at, [256]);
  const int t = thread_x();
  const i64 q = q0 + block_x(), out = exclude ? exclude[q] : -1;
  float last = INF_;
  int last_at = -1;
  for (int r = 0; r < k; ++r) {
    float top = -INF_;
    int where = 0x7fffffff;
    for (i64 j = t; j < m; j += 256) {
      if (j == out) continue;
      const float s = dot_f32(query, dtype_q, q, mem, dtype_m, j, d);
      if ((s < last || (s == last && j > last_at)) && s > top) top = s, where = (int)j;
    }
    best[t] = top, at[t] = where;
    sync_block();
    for (int half = 128; half; half /= 2) {
      if (t < half && (best[t + half] > best[t] || (best[t + half] == best[t] && at[t + half] < at[t]))) best[t] = best[t + half], at[t] = at[t + half];
      sync_block();
    }
    last = best[0], last_at = at[0];
    if (t == 0) score[(i64)block_x() * k + r] = last, index[(i64)block_x() * k + r] = last_at;
    sync_block();
  }
}

// the k chunks of each query with the largest maxima, by index: chosen [rows, k]
KERNEL(topk_choose, 256, 0, const float *maxima, i64 chunks, int k, int *chosen) {
  int *out = chosen + (i64)block_x() * k;
  select_best(maxima + block_x() * chunks, chunks, k, [&](int p, i64 i) { out[p] = (int)i; });
}

// the k best of the candidates, 32 for each of c chosen chunks, by index: score, index [rows, k]
KERNEL(topk_take, 256, 0, const float *candidates, const int *chosen, int c, int k, float *score, int *index) {
  const float *v = candidates + (i64)block_x() * c * kChunk;
  const int *from = chosen + (i64)block_x() * c;
  const i64 at = (i64)block_x() * k;
  select_best(v, (i64)c * kChunk, k, [&](int p, i64 i) { score[at + p] = v[i], index[at + p] = from[i / kChunk] * kChunk + (int)(i % kChunk); });
}

// the same, best first: one thread an element counts those before it
KERNEL(topk_sort, 256, 0, const float *score, const int *index, float *score_out, int *index_out, i64 q0, int k) {
  const i64 at = (i64)block_x() * k, to = (q0 + block_x()) * k;
  for (int i = thread_x(); i < k; i += 256) {
    const float s = score[at + i];
    const int x = index[at + i];
    int before = 0;
    for (int j = 0; j < k; ++j) before += score[at + j] > s || (score[at + j] == s && index[at + j] < x);
    score_out[to + before] = s, index_out[to + before] = x;
  }
}
