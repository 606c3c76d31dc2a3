// Layer, group and row normalisation, forward and backward. First rung: one block a row or group, three passes over it from L2; column sums by one
// block for 32 columns, rows in a fixed order. Bound by memory. group_norm_part and group_norm_join are the second rung of group_norm_f32.
#include "dev.cuh"

// x, out [N, C]; gain, bias [C], mean, rstd [N] may be absent; out may be x
KERNEL(layer_norm_f32, 256, 0, const float *x, const float *gain, const float *bias, float *out, float *mean_out, float *rstd_out, int c, float eps) {
  SHARED(float, scratch, [32]);
  const i64 at = (i64)block_x() * c;
  float sum = 0, sq = 0;
  for (int j = thread_x(); j < c; j += threads_x()) sum += x[at + j];
  const float mean = block_sum(sum, scratch) / c;
  for (int j = thread_x(); j < c; j += threads_x()) {
    const float d = x[at + j] - mean;
    sq += d * d;
  }
  const float rstd = rsqrt_(block_sum(sq, scratch) / c + eps);
  for (int j = thread_x(); j < c; j += threads_x()) {
    float y = (x[at + j] - mean) * rstd;
    if (gain) y *= gain[j];
    if (bias) y += bias[j];
    out[at + j] = y;
  }
  if (thread_x() == 0) {
    if (mean_out) mean_out[block_x()] = mean;
    if (rstd_out) rstd_out[block_x()] = rstd;
  }
}

// dx may be dout: the column sums run before it
KERNEL(layer_norm_grad_f32, 256, 0, const float *x, const float *gain, const float *mean, const float *rstd, const float *dout, float *dx, int c) {
  SHARED(float, scratch, [32]);
  const i64 at = (i64)block_x() * c;
  const float m = mean[block_x()], r = rstd[block_x()];
  float sg = 0, sgh = 0;
  for (int j = thread_x(); j < c; j += threads_x()) {
    const float g = dout[at + j] * (gain ? gain[j] : 1.f);
    sg += g, sgh += g * (x[at + j] - m) * r;
  }
  sg = block_sum(sg, scratch) / c, sgh = block_sum(sgh, scratch) / c;
  for (int j = thread_x(); j < c; j += threads_x()) {
    const float g = dout[at + j] * (gain ? gain[j] : 1.f);
    dx[at + j] = r * (g - sg - (x[at + j] - m) * r * sgh);
  }
}

// dgain[c] = Σ v·x̂, dbias[c] = Σ v over all rows, v = dout · act'(x̂·gain + bias). Row n has its statistics at n / per · groups + c / width.
// 32 columns a block, a warp takes every eighth row.
KERNEL(norm_columns_f32, 256, 0, const float *x, const float *gain, const float *bias, const float *mean, const float *rstd, const float *dout, float *dgain, float *dbias, i64 n, int c, i64 per,
       int groups, int width, int f) {
  SHARED(float, part, [2][8][32]);
  const int col = block_x() * 32 + lane_id();
  float sg = 0, sb = 0;
  if (col < c)
    for (i64 i = warp_id(); i < n; i += 8) {
      const i64 stat = i / per * groups + col / width;
      const float h = (x[i * c + col] - mean[stat]) * rstd[stat];
      float v = dout[i * c + col];
      if (f) v *= act_deriv(f, h * gain[col] + bias[col]);
      sg += v * h, sb += v;
    }
  part[0][warp_id()][lane_id()] = sg, part[1][warp_id()][lane_id()] = sb;
  sync_block();
  if (warp_id() > 1 || col >= c) return;
  float s = 0;
  for (int i = 0; i < 8; ++i) s += part[warp_id()][i][lane_id()];
  float *to = warp_id() ? dbias : dgain;
  if (to) to[col] = s;
}

// x, out [B, P, C]; one block for a group of `width` channels of one image
KERNEL(group_norm_f32, 256, 0, const float *x, const float *gain, const float *bias, float *out, float *mean_out, float *rstd_out, i64 p, int c, int groups, float eps, int f) {
  SHARED(float, scratch, [32]);
  const int width = c / groups, b = block_x() / groups, g = block_x() % groups;
  const i64 base = (i64)b * p * c + g * width, n = p * width;
  float sum = 0, sq = 0;
  for (i64 e = thread_x(); e < n; e += threads_x()) sum += x[base + e / width * c + e % width];
  const float mean = block_sum(sum, scratch) / n;
  for (i64 e = thread_x(); e < n; e += threads_x()) {
    const float d = x[base + e / width * c + e % width] - mean;
    sq += d * d;
  }
  const float rstd = rsqrt_(block_sum(sq, scratch) / n + eps);
  for (i64 e = thread_x(); e < n; e += threads_x()) {
    const i64 at = base + e / width * c + e % width;
    const int k = g * width + (int)(e % width);
    out[at] = act(f, (x[at] - mean) * rstd * gain[k] + bias[k]);
  }
  if (thread_x() == 0) {
    if (mean_out) mean_out[block_x()] = mean;
    if (rstd_out) rstd_out[block_x()] = rstd;
  }
}

// Second rung of group_norm_f32: an image is cut into `parts` runs of `run` pixels, so that many blocks share it and each reads whole pixels. First every
// run leaves its groups' means and sums of squares about them, then each block joins those of its image in a fixed order (Chan et al. 1983) and writes
// its run. At most 256 groups. Limit: two reads and a write of memory. Measured: not yet, emulated only.
struct Moment { float mean, square; };
KERNEL(group_norm_part, 256, 0, const float *x, Moment *part, i64 p, int c, int groups, int parts, i64 run) {
  const int width = c / groups, s = block_x() % parts;
  const i64 from = s * run, rows = p - from < run ? p - from : run, n = rows * width;
  x += ((i64)(block_x() / parts) * p + from) * c;
  for (int g = warp_id(); g < groups; g += 8) {
    float sum = 0, sq = 0;
    for (i64 e = lane_id(); e < n; e += 32) sum += x[e / width * c + g * width + e % width];
    const float mean = warp_sum(sum) / n;
    for (i64 e = lane_id(); e < n; e += 32) {
      const float d = x[e / width * c + g * width + e % width] - mean;
      sq += d * d;
    }
    sq = warp_sum(sq);
    if (lane_id() == 0) part[(i64)block_x() * groups + g] = {mean, sq};
  }
}

KERNEL(group_norm_join, 256, 0, const float *x, const Moment *part, const float *gain, const float *bias, float *out, float *mean_out, float *rstd_out, i64 p, int c, int groups, int parts,
       i64 run, float eps, int f) {
  SHARED(Moment, stat, [256]);  // mean and 1/σ
  const int width = c / groups, s = block_x() % parts, b = block_x() / parts, g = thread_x();
  const i64 from = s * run, rows = p - from < run ? p - from : run;
  if (g < groups) {
    part += (i64)b * parts * groups + g;
    float mean = 0, sq = 0;
    for (int i = 0; i < parts; ++i) mean += part[i * groups].mean * ((float)(p - i * run < run ? p - i * run : run) / p);
    for (int i = 0; i < parts; ++i) {
      const float d = part[i * groups].mean - mean;
      sq += part[i * groups].square + d * d * ((float)(p - i * run < run ? p - i * run : run) * width);
    }
    stat[g] = {mean, rsqrt_(sq / ((float)p * width) + eps)};
    if (s == 0 && mean_out) mean_out[(i64)b * groups + g] = mean;
    if (s == 0 && rstd_out) rstd_out[(i64)b * groups + g] = stat[g].square;
  }
  sync_block();
  const i64 base = ((i64)b * p + from) * c;
  for (i64 e = thread_x(); e < rows * c; e += 256) {
    const int k = (int)(e % c);
    const Moment m = stat[k / width];
    out[base + e] = act(f, (x[base + e] - m.mean) * m.square * gain[k] + bias[k]);
  }
}

KERNEL(group_norm_grad_f32, 256, 0, const float *x, const float *gain, const float *bias, const float *mean, const float *rstd, const float *dout, float *dx, i64 p, int c, int groups, int f) {
  SHARED(float, scratch, [32]);
  const int width = c / groups, b = block_x() / groups, g = block_x() % groups;
  const i64 base = (i64)b * p * c + g * width, n = p * width;
  const float m = mean[block_x()], r = rstd[block_x()];
  float sg = 0, sgh = 0;
  for (i64 e = thread_x(); e < n; e += threads_x()) {
    const i64 at = base + e / width * c + e % width;
    const int k = g * width + (int)(e % width);
    const float h = (x[at] - m) * r, v = dout[at] * act_deriv(f, h * gain[k] + bias[k]) * gain[k];
    sg += v, sgh += v * h;
  }
  sg = block_sum(sg, scratch) / n, sgh = block_sum(sgh, scratch) / n;
  for (i64 e = thread_x(); e < n; e += threads_x()) {
    const i64 at = base + e / width * c + e % width;
    const int k = g * width + (int)(e % width);
    const float h = (x[at] - m) * r, v = dout[at] * act_deriv(f, h * gain[k] + bias[k]) * gain[k];
    dx[at] = r * (v - sg - h * sgh);
  }
}

// out[n] = x[n] / max(|x[n]|, eps)
KERNEL(row_norm_f32, 128, 0, const float *x, float *out, float *norm, int d, float eps) {
  SHARED(float, scratch, [32]);
  const i64 at = (i64)block_x() * d;
  float sq = 0;
  for (int j = thread_x(); j < d; j += threads_x()) sq += x[at + j] * x[at + j];
  const float s = sqrt_(block_sum(sq, scratch));
  for (int j = thread_x(); j < d; j += threads_x()) out[at + j] = x[at + j] / fmax_(s, eps);
  if (norm && thread_x() == 0) norm[block_x()] = s;
}

// dx may be dout
KERNEL(row_norm_grad_f32, 128, 0, const float *out, const float *norm, const float *dout, float *dx, int d, float eps) {
  SHARED(float, scratch, [32]);
  const i64 at = (i64)block_x() * d;
  const float s = norm[block_x()];
  float dot = 0;
  for (int j = thread_x(); j < d; j += threads_x()) dot += out[at + j] * dout[at + j];
  dot = block_sum(dot, scratch);
  for (int j = thread_x(); j < d; j += threads_x()) dx[at + j] = s > eps ? (dout[at + j] - out[at + j] * dot) / s : dout[at + j] / eps;
}
