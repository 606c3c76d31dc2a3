// Elementwise ops: one element a thread, bound by memory: bytes / bandwidth.
#include "dev.cuh"

KERNEL(unary_f32, 256, 0, int f, const float *x, float *out, i64 n) {
  const i64 i = global_thread();
  if (i < n) out[i] = act(f, x[i]);
}

KERNEL(unary_grad_f32, 256, 0, int f, const float *x, const float *dout, float *dx, i64 n) {
  const i64 i = global_thread();
  if (i < n) dx[i] = dout[i] * act_deriv(f, x[i]);
}

// x [N, 2C] is value then gate, out [N, C] = value · f(gate)
KERNEL(glu_f32, 256, 0, int f, const float *x, float *out, i64 n, int c) {
  const i64 i = global_thread();
  if (i >= n) return;
  const float *row = x + i / c * 2 * c + i % c;
  out[i] = row[0] * act(f, row[c]);
}

KERNEL(glu_grad_f32, 256, 0, int f, const float *x, const float *dout, float *dx, i64 n, int c) {
  const i64 i = global_thread();
  if (i >= n) return;
  const i64 at = i / c * 2 * c + i % c;
  const float v = x[at], gate = x[at + c], d = dout[i];
  dx[at] = d * act(f, gate);
  dx[at + c] = d * v * act_deriv(f, gate);
}

// out [N, M, C] = alpha·a (kind) beta·b, b's steps 0 where it is broadcast
KERNEL(binary_f32, 256, 0, int kind, const float *a, const float *b, float *out, i64 n, i64 m, i64 c, i64 sn, i64 sm, i64 sc, float alpha, float beta) {
  const i64 i = global_thread();
  if (i >= n * m * c) return;
  const i64 k = i % c, j = i / c % m, l = i / c / m;
  const float u = a[i] * alpha, v = b[l * sn + j * sm + k * sc] * beta;
  out[i] = kind == 0 ? u + v : kind == 1 ? u - v : kind == 2 ? u * v : u / v;
}

KERNEL(affine_f32, 256, 0, const float *x, float *out, i64 n, float a, float b, float lo, float hi) {
  const i64 i = global_thread();
  if (i >= n) return;
  float v = fma_(a, x[i], b);
  if (lo != hi) v = fmin_(fmax_(v, lo), hi);
  out[i] = v;
}

KERNEL(lerp_f32, 256, 0, float *x, const float *y, i64 n, float t) {
  const i64 i = global_thread();
  if (i < n) x[i] = fma_(t, y[i] - x[i], x[i]);
}

// four elements a thread: one block of the generator
KERNEL(dropout_f32, 256, 0, const float *x, float *out, i64 n, float p, u64 seed, u64 item, u32 step) {
  const i64 i = global_thread() * 4;
  if (i >= n) return;
  u32 w[4];
  philox((u32)(i / 4), step, item, seed, w);
#pragma unroll
  for (int j = 0; j < 4; ++j)
    if (i + j < n) out[i + j] = uniform_of(w[j]) >= p ? x[i + j] / (1.f - p) : 0.f;
}

// c1, c2 are 1 − beta^step; keep1, keep2 are 1 − beta, shrink is 1 − lr·decay, all rounded once on the host
KERNEL(adamw_f32, 256, 0, float *param, const float *grad, float *m, float *v, i64 n, float beta1, float beta2, float keep1, float keep2, float c1, float c2, float lr, float eps, float shrink,
       float grad_scale, const float *norm, float clip) {
  const i64 i = global_thread();
  if (i >= n) return;
  if (norm) {  // of all gradients, squared: clips, and stops a step that has gone astray
    if (!(norm[0] < INF_)) return;
    if (clip > 0) grad_scale *= fmin_(1.f, clip / (sqrt_(norm[0]) + 1e-6f));
  }
  const float g = grad[i] * grad_scale, mi = fma_(beta1, m[i], keep1 * g), vi = fma_(beta2, v[i], keep2 * g * g);
  m[i] = mi, v[i] = vi;
  param[i] = param[i] * shrink - lr * (mi / c1) / (sqrt_(vi / c2) + eps);
}
