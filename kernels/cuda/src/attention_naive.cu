// Attention, first rung: one block a query (and a key, backward), keys in pieces of 128 with a running softmax; no scores leave the block.
// Limit: K and V are read from L2 once for every query. float32, any N and M, D up to 512. Kept to check the others against.
#include "dev.cuh"

enum { kPiece = 128, kMaxD = 512 };

// One score, −inf where key m takes no part. q and k point to rows of D numbers.
DEV float score(const float *q, const float *k, const int *mask, const float *bias, int n, int m, int causal_from, int d, float scale) {
  if ((mask && !mask[m]) || m > n + causal_from) return -INF_;
  float s = 0;
  for (int i = 0; i < d; ++i) s = fma_(q[i], k[i], s);
  s *= scale;
  return bias ? s + bias[m] : s;
}

// q, out [B, N, H, D], k, v [B, M, H, D], mask [B, M], bias with steps along B and H, lse [B, H, N]; causal_from is M − N, or M without causality
KERNEL(attention_naive_f32, 128, 0, const float *q, const float *k, const float *v, const int *mask, const float *bias, float *out, float *lse, int n, int m, int h, int d, i64 bias_b, i64 bias_h,
       float scale, int causal_from) {
  SHARED(float, scratch, [32]);
  SHARED(float, w, [kPiece]);
  SHARED(float, qs, [kMaxD]);
  const int row = block_x() % n, head = block_x() / n % h, b = block_x() / n / h, t = thread_x();
  const i64 stride = (i64)h * d, at = (((i64)b * n + row) * h + head) * d;
  k += ((i64)b * m * h + head) * d, v += ((i64)b * m * h + head) * d;
  if (mask) mask += (i64)b * m;
  if (bias) bias += b * bias_b + head * bias_h + (i64)row * m;
  for (int i = t; i < d; i += kPiece) qs[i] = q[at + i];
  sync_block();
  float top = -INF_, sum = 0, acc[kMaxD / kPiece] = {};
  for (int m0 = 0; m0 < m; m0 += kPiece) {
    const float s = m0 + t < m ? score(qs, k + (m0 + t) * stride, mask, bias, row, m0 + t, causal_from, d, scale) : -INF_;
    const float next = fmax_(top, block_max(s, scratch));
    if (next == -INF_) continue;
    const float keep = exp_(top - next), p = exp_(s - next);
    w[t] = p;
    sum = sum * keep + block_sum(p, scratch);
    top = next;
    const int count = m - m0 < kPiece ? m - m0 : kPiece;
#pragma unroll
    for (int i = 0; i < kMaxD / kPiece; ++i)
      if (i * kPiece + t < d) {
        float a = acc[i] * keep;
        for (int j = 0; j < count; ++j) a = fma_(w[j], v[(m0 + j) * stride + i * kPiece + t], a);
        acc[i] = a;
      }
    sync_block();
  }
#pragma unroll
  for (int i = 0; i < kMaxD / kPiece; ++i)
    if (i * kPiece + t < d) out[at + i * kPiece + t] = sum > 0 ? acc[i] / sum : 0.f;
  if (lse && t == 0) lse[((i64)b * h + head) * n + row] = sum > 0 ? top + log_(sum) : -INF_;
}

// delta[b, h, n] = ⟨dout, out⟩, and dq: one block a query. delta is summed in the order of ⟨dout, v⟩, so that a single key leaves exactly 0.
KERNEL(attention_grad_q_f32, 128, 0, const float *q, const float *k, const float *v, const int *mask, const float *bias, const float *out, const float *lse, const float *dout, float *dq, float *delta,
       int n, int m, int h, int d, i64 bias_b, i64 bias_h, float scale, int causal_from) {
  SHARED(float, w, [kPiece]);
  SHARED(float, qs, [kMaxD]);
  SHARED(float, gs, [kMaxD]);
  SHARED(float, os, [kMaxD]);
  const int row = block_x() % n, head = block_x() / n % h, b = block_x() / n / h, t = thread_x();
  const i64 stride = (i64)h * d, at = (((i64)b * n + row) * h + head) * d, stat = ((i64)b * h + head) * n + row;
  k += ((i64)b * m * h + head) * d, v += ((i64)b * m * h + head) * d;
  if (mask) mask += (i64)b * m;
  if (bias) bias += b * bias_b + head * bias_h + (i64)row * m;
  for (int i = t; i < d; i += kPiece) qs[i] = q[at + i], gs[i] = dout[at + i], os[i] = out[at + i];
  sync_block();
  float dot = 0;
  for (int i = 0; i < d; ++i) dot = fma_(gs[i], os[i], dot);
  if (t == 0) delta[stat] = dot;
  const float l = lse[stat];
  float acc[kMaxD / kPiece] = {};
  for (int m0 = 0; m0 < m; m0 += kPiece) {
    float ds = 0;
    if (m0 + t < m && l != -INF_) {
      const float p = exp_(score(qs, k + (m0 + t) * stride, mask, bias, row, m0 + t, causal_from, d, scale) - l);
      float dp = 0;
      for (int i = 0; i < d; ++i) dp = fma_(gs[i], v[(m0 + t) * stride + i], dp);
      ds = p * (dp - dot) * scale;
    }
    w[t] = ds;
    sync_block();
    const int count = m - m0 < kPiece ? m - m0 : kPiece;
#pragma unroll
    for (int i = 0; i < kMaxD / kPiece; ++i)
      if (i * kPiece + t < d)
        for (int j = 0; j < count; ++j) acc[i] = fma_(w[j], k[(m0 + j) * stride + i * kPiece + t], acc[i]);
    sync_block();
  }
#pragma unroll
  for (int i = 0; i < kMaxD / kPiece; ++i)
    if (i * kPiece + t < d) dq[at + i * kPiece + t] = acc[i];
}

// dk, dv: one block a key, queries in pieces
KERNEL(attention_grad_kv_f32, 128, 0, const float *q, const float *k, const float *v, const int *mask, const float *bias, const float *lse, const float *delta, const float *dout, float *dk, float *dv,
       int n, int m, int h, int d, i64 bias_b, i64 bias_h, float scale, int causal_from) {
  SHARED(float, w, [kPiece]);
  SHARED(float, p, [kPiece]);
  SHARED(float, ks, [kMaxD]);
  SHARED(float, vs, [kMaxD]);
  const int key = block_x() % m, head = block_x() / m % h, b = block_x() / m / h, t = thread_x();
  const i64 stride = (i64)h * d, at = (((i64)b * m + key) * h + head) * d, stat = ((i64)b * h + head) * n;
  q += ((i64)b * n * h + head) * d, dout += ((i64)b * n * h + head) * d;
  if (mask) mask += (i64)b * m;
  if (bias) bias += b * bias_b + head * bias_h;
  for (int i = t; i < d; i += kPiece) ks[i] = k[at + i], vs[i] = v[at + i];
  sync_block();
  float ak[kMaxD / kPiece] = {}, av[kMaxD / kPiece] = {};
  for (int n0 = 0; n0 < n; n0 += kPiece) {
    const int row = n0 + t;
    float ds = 0, pr = 0;
    if (row < n && lse[stat + row] != -INF_) {
      const float *qr = q + row * stride, *gr = dout + row * stride;
      pr = exp_(score(qr, ks, mask, bias ? bias + (i64)row * m : nullptr, row, key, causal_from, d, scale) - lse[stat + row]);
      float dp = 0;
      for (int i = 0; i < d; ++i) dp = fma_(gr[i], vs[i], dp);
      ds = pr * (dp - delta[stat + row]) * scale;
    }
    w[t] = ds, p[t] = pr;
    sync_block();
    const int count = n - n0 < kPiece ? n - n0 : kPiece;
#pragma unroll
    for (int i = 0; i < kMaxD / kPiece; ++i)
      if (i * kPiece + t < d)
        for (int j = 0; j < count; ++j) {
          ak[i] = fma_(w[j], q[(n0 + j) * stride + i * kPiece + t], ak[i]);
          av[i] = fma_(p[j], dout[(n0 + j) * stride + i * kPiece + t], av[i]);
        }
    sync_block();
  }
#pragma unroll
  for (int i = 0; i < kMaxD / kPiece; ++i)
    if (i * kPiece + t < d) dk[at + i * kPiece + t] = ak[i], dv[at + i * kPiece + t] = av[i];
}
