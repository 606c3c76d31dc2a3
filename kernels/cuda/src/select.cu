// select: the k largest values of rows, falling, ties by index. A block has one row and goes through it once for each of the k, as topk_naive_f32 does: a
// beam search asks for ten of 49,408, which stay in L2. Limit: k·C reads of the cache a row, and log₂ 256 barriers. Measured: not yet, emulated only.
#include "dev.cuh"

KERNEL(select_f32, 256, 0, const float *x, float *value, int *index, i64 c, int k) {
  SHARED(float, best, [256]);
  SHARED(int, at, [256]);
  enum { kNone = 0x7fffffff };
  const int t = thread_x();
  const float *row = x + block_x() * c;
  float last = INF_;
  int last_at = -1;
  for (int r = 0; r < k; ++r) {
    float top = -INF_;
    int where = kNone;
    for (i64 j = t; j < c; j += 256) {
      const float v = row[j];
      if ((v < last || (v == last && j > last_at)) && (v > top || where == kNone)) top = v, where = (int)j;
    }
    best[t] = top, at[t] = where;
    sync_block();
    for (int half = 128; half; half /= 2) {
      if (t < half && (best[t + half] > best[t] || (best[t + half] == best[t] && at[t + half] < at[t]))) best[t] = best[t + half], at[t] = at[t + half];
      sync_block();
    }
    last = best[0], last_at = at[0];
    if (t == 0) value[block_x() * (i64)k + r] = last, index[block_x() * (i64)k + r] = last_at == kNone ? -1 : last_at;
    sync_block();
  }
}
