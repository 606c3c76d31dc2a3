// Copies and sums: permute, copy_block, embedding and its gradient, reduce, sum_squares. Bound by memory.
#include "dev.cuh"

// out's dimension i has size n_i and step s_i in x; words of 4 bytes. Reads are scattered where the last dimension moves.
KERNEL(permute_b32, 256, 0, const u32 *x, u32 *out, i64 n, int n1, int n2, int n3, int n4, int n5, i64 s0, i64 s1, i64 s2, i64 s3, i64 s4, i64 s5) {
  i64 i = global_thread();
  if (i >= n) return;
  i64 rest = i, from = 0;
  from += rest % n5 * s5, rest /= n5;
  from += rest % n4 * s4, rest /= n4;
  from += rest % n3 * s3, rest /= n3;
  from += rest % n2 * s2, rest /= n2;
  from += rest % n1 * s1, rest /= n1;
  out[i] = x[from + rest * s0];
}

// width columns of each of the rows; with add (floats) they are added
KERNEL(copy_block_b32, 256, 0, const u32 *src, u32 *dst, i64 n, int s, int d, int src_at, int dst_at, int width, int add) {
  const i64 i = global_thread();
  if (i >= n * width) return;
  const u32 v = src[i / width * s + src_at + i % width];
  u32 *to = dst + i / width * d + dst_at + i % width;
  *to = add ? bits_of(float_of(*to) + float_of(v)) : v;
}

// an id outside the table gives NaN
KERNEL(embedding_f32, 256, 0, const void *table, const int *ids, float *out, i64 n, int v, int c, int dtype) {
  const i64 i = global_thread();
  if (i >= n * c) return;
  const int id = ids[i / c];
  out[i] = id >= 0 && id < v ? load_any(table, dtype, (i64)id * c + i % c) : float_of(0x7fc00000);
}

// dtable, zero or what is added to, gains dout[n] at row ids[n] in order of n: the first n of each id adds them all. One block an n.
KERNEL(embedding_grad_f32, 128, 0, const int *ids, const float *dout, float *dtable, int n, int v, int c) {
  SHARED(int, seen, [1]);
  const int first = block_x(), id = ids[first];
  if (id < 0 || id >= v) return;
  if (thread_x() == 0) seen[0] = 0;
  sync_block();
  for (int i = thread_x(); i < first; i += threads_x())
    if (ids[i] == id) seen[0] = 1;
  sync_block();
  if (seen[0]) return;
  for (int j = thread_x(); j < c; j += threads_x()) {
    float s = dtable[(i64)id * c + j];
    for (int i = first; i < n; ++i)
      if (ids[i] == id) s += dout[(i64)i * c + j];
    dtable[(i64)id * c + j] = s;
  }
}

// out[o] = scale · Σ x (+ out): x [N, M, C], out [on, om, oc] with 1 where it is summed. One block an output: a fixed order, in float64,
// which costs nothing beside the reads.
KERNEL(reduce_block_f32, 256, 0, const float *x, float *out, int n, int m, int c, int on, int om, int oc, float scale, int accumulate) {
  SHARED(double, scratch, [256]);
  const int k = block_x() % oc, j = block_x() / oc % om, i = block_x() / oc / om;
  const int rn = on == 1 ? n : 1, rm = om == 1 ? m : 1, rc = oc == 1 ? c : 1;
  const i64 total = (i64)rn * rm * rc;
  double s = 0;
  for (i64 e = thread_x(); e < total; e += threads_x()) {
    const i64 z = e % rc, y = e / rc % rm, w = e / rc / rm;
    s += x[((i + w) * m + j + y) * c + k + z];
  }
  s = block_sum_f64(s, scratch) * scale;
  if (thread_x() == 0) out[block_x()] = (float)(accumulate ? out[block_x()] + s : s);
}

// the same with one thread an output, for many outputs of few terms
KERNEL(reduce_thread_f32, 256, 0, const float *x, float *out, i64 outputs, int n, int m, int c, int on, int om, int oc, float scale, int accumulate) {
  const i64 o = global_thread();
  if (o >= outputs) return;
  const i64 k = o % oc, j = o / oc % om, i = o / oc / om;
  const int rn = on == 1 ? n : 1, rm = om == 1 ? m : 1, rc = oc == 1 ? c : 1;
  float s = 0;
  for (int w = 0; w < rn; ++w)
    for (int y = 0; y < rm; ++y)
      for (int z = 0; z < rc; ++z) s += x[((i + w) * m + j + y) * c + k + z];
  out[o] = accumulate ? out[o] + s * scale : s * scale;
}

// part[b] = Σ x² over every grid-th element; then the sum of the parts
KERNEL(sum_squares_f32, 256, 0, const float *x, float *part, i64 n) {
  SHARED(float, scratch, [32]);
  float s = 0;
  for (i64 i = global_thread(); i < n; i += (i64)grid_x() * threads_x()) s += x[i] * x[i];
  s = block_sum(s, scratch);
  if (thread_x() == 0) part[block_x()] = s;
}
KERNEL(sum_parts_f32, 256, 0, const float *part, float *out, int n, int accumulate) {
  SHARED(float, scratch, [32]);
  float s = 0;
  for (int i = thread_x(); i < n; i += threads_x()) s += part[i];
  s = block_sum(s, scratch);
  if (thread_x() == 0) out[0] = accumulate ? out[0] + s : s;
}
