// Softmax of rows and its gradient. One block a row; the row is read from memory once per pass and stays in L2: three passes, bound by memory.
#include "dev.cuh"

// out [N, C] = softmax(x), or its logarithm; out may be x
KERNEL(softmax_f32, 256, 0, const float *x, float *out, int c, int log) {
  SHARED(float, scratch, [32]);
  const float *row = x + (i64)block_x() * c;
  float *o = out + (i64)block_x() * c;
  float top = -INF_, sum = 0;
  for (int j = thread_x(); j < c; j += threads_x()) top = fmax_(top, row[j]);
  top = block_max(top, scratch);
  for (int j = thread_x(); j < c; j += threads_x()) sum += exp_(row[j] - top);
  sum = block_sum(sum, scratch);
  const float shift = log ? log_(sum) : 1.f / sum;
  for (int j = thread_x(); j < c; j += threads_x()) o[j] = log ? row[j] - top - shift : exp_(row[j] - top) * shift;
}

// dx = out·(dout − Σ dout·out), or with log dout − exp(out)·Σ dout; dx may be dout
KERNEL(softmax_grad_f32, 256, 0, const float *out, const float *dout, float *dx, int c, int log) {
  SHARED(float, scratch, [32]);
  const i64 at = (i64)block_x() * c;
  float sum = 0;
  for (int j = thread_x(); j < c; j += threads_x()) sum += log ? dout[at + j] : dout[at + j] * out[at + j];
  sum = block_sum(sum, scratch);
  for (int j = thread_x(); j < c; j += threads_x()) {
    const float o = out[at + j], d = dout[at + j];
    dx[at + j] = log ? d - exp_(o) * sum : o * (d - sum);
  }
}
