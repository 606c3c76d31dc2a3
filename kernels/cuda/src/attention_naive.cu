// Attention, first rung: one block a query (and a key, backward), keys in pieces of 128 with a running softmax; no scores leave the block.
// Limit: K and V are read from L2 once for every query. float32, any N and M, D up to 512. Kept to check the others against.
#include "attention.cuh"

enum { kPiece = 128, kMaxD = 512 };

DEV float dot(const float *a, const float *b, int d) {
  float s = 0;
  for (int i = 0; i < d; ++i) s = fma_(a[i], b[i], s);
  return s;
}

// q, out [B, N, H, D], k, v [B, M, H, D], lse [B, H, N]
KERNEL(attention_naive_f32, 128, 0, const float *q, const float *k, const float *v, const int *mask, const float *bias, float *out, float *lse, ATTENTION) {
  SHARED(float, scratch, [32]);
  SHARED(float, w, [kPiece]);
  SHARED(float, qs, [kMaxD]);
  const int row = block_x() % n, t = thread_x();
  const Head c = HEAD(block_x() / n / h, block_x() / n % h);
  q += c.q + row * c.step, k += c.k, v += c.k, out += c.out + row * c.row;
  for (int i = t; i < d; i += kPiece) qs[i] = q[i];
  sync_block();
  float top = -INF_, sum = 0, acc[kMaxD / kPiece] = {};
  for (int m0 = 0; m0 < m; m0 += kPiece) {
    const float s = m0 + t < m ? score(c, dot(qs, k + (m0 + t) * step, d), row, m0 + t) : -INF_;
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
        for (int j = 0; j < count; ++j) a = fma_(w[j], v[(m0 + j) * step + i * kPiece + t], a);
        acc[i] = a;
      }
    sync_block();
  }
#pragma unroll
  for (int i = 0; i < kMaxD / kPiece; ++i)
    if (i * kPiece + t < d) out[i * kPiece + t] = sum > 0 ? acc[i] / sum : 0.f;
  if (lse && t == 0) lse[c.stat + row] = sum > 0 ? top + log_(sum) : -INF_;
}

// Both gradients take the same arguments.
#define GRADIENT                                                                                                                                     \
  const float *q, const float *k, const float *v, const int *mask, const float *bias, const float *out, const float *lse, const float *dout, float *dq, \
      float *delta, float *dk, float *dv, ATTENTION

// delta[b, h, n] = ⟨dout, out⟩, and dq: one block a query. delta is summed in the order of ⟨dout, v⟩, so that a single key leaves exactly 0.
KERNEL(attention_grad_q_f32, 128, 0, GRADIENT) {
  SHARED(float, w, [kPiece]);
  SHARED(float, qs, [kMaxD]);
  SHARED(float, gs, [kMaxD]);
  SHARED(float, os, [kMaxD]);
  const int row = block_x() % n, t = thread_x();
  const Head c = HEAD(block_x() / n / h, block_x() / n % h);
  const i64 at = c.q + row * c.step, at_out = c.out + row * c.row;
  k += c.k, v += c.k;
  for (int i = t; i < d; i += kPiece) qs[i] = q[at + i], gs[i] = dout[at_out + i], os[i] = out[at_out + i];
  sync_block();
  const float own = dot(gs, os, d), l = lse[c.stat + row];
  if (t == 0) delta[c.stat + row] = own;
  float acc[kMaxD / kPiece] = {};
  for (int m0 = 0; m0 < m; m0 += kPiece) {
    float ds = 0;
    if (m0 + t < m && l != -INF_) {
      const float p = exp_(score(c, dot(qs, k + (m0 + t) * step, d), row, m0 + t) - l);
      ds = p * (dot(gs, v + (m0 + t) * step, d) - own) * scale;
    }
    w[t] = ds;
    sync_block();
    const int count = m - m0 < kPiece ? m - m0 : kPiece;
#pragma unroll
    for (int i = 0; i < kMaxD / kPiece; ++i)
      if (i * kPiece + t < d)
        for (int j = 0; j < count; ++j) acc[i] = fma_(w[j], k[(m0 + j) * step + i * kPiece + t], acc[i]);
    sync_block();
  }
#pragma unroll
  for (int i = 0; i < kMaxD / kPiece; ++i)
    if (i * kPiece + t < d) dq[at + i * kPiece + t] = acc[i];
}

// dk, dv: one block a key, queries in pieces
KERNEL(attention_grad_kv_f32, 128, 0, GRADIENT) {
  SHARED(float, w, [kPiece]);
  SHARED(float, p, [kPiece]);
  SHARED(float, ks, [kMaxD]);
  SHARED(float, vs, [kMaxD]);
  const int key = block_x() % m, t = thread_x();
  const Head c = HEAD(block_x() / m / h, block_x() / m % h);
  const i64 at = c.k + key * c.step;
  q += c.q, dout += c.out, lse += c.stat, delta += c.stat;
  for (int i = t; i < d; i += kPiece) ks[i] = k[at + i], vs[i] = v[at + i];
  sync_block();
  float ak[kMaxD / kPiece] = {}, av[kMaxD / kPiece] = {};
  for (int n0 = 0; n0 < n; n0 += kPiece) {
    const int row = n0 + t;
    float ds = 0, pr = 0;
    if (row < n && lse[row] != -INF_) {
      pr = exp_(score(c, dot(q + row * step, ks, d), row, key) - lse[row]);
      ds = pr * (dot(dout + row * c.row, vs, d) - delta[row]) * scale;
    }
    w[t] = ds, p[t] = pr;
    sync_block();
    const int count = n - n0 < kPiece ? n - n0 : kPiece;
#pragma unroll
    for (int i = 0; i < kMaxD / kPiece; ++i)
      if (i * kPiece + t < d)
        for (int j = 0; j < count; ++j) {
          ak[i] = fma_(w[j], q[(n0 + j) * step + i * kPiece + t], ak[i]);
          av[i] = fma_(p[j], dout[(n0 + j) * c.row + i * kPiece + t], av[i]);
        }
    sync_block();
  }
#pragma unroll
  for (int i = 0; i < kMaxD / kPiece; ++i)
    if (i * kPiece + t < d) dk[at + i * kPiece + t] = ak[i], dv[at + i * kPiece + t] = av[i];
}
