// What attention kernels are told, and which pairs of query and key count.
#ifndef SYNTIC_ATTENTION_CUH
#define SYNTIC_ATTENTION_CUH
#include "dev.cuh"

// Every kernel takes these last. The heads of a token lie side by side, D numbers each; tokens of q, k, v and of their gradients are `step` apart: H·D,
// or 3·H·D where one projection made all three. mask is [B, M], bias has steps along B and H; a key's index may exceed the query's by causal_from.
#define ATTENTION int n, int m, int h, int d, i64 step, i64 bias_b, i64 bias_h, float scale, int causal_from
#define PASS n, m, h, d, step, bias_b, bias_h, scale, causal_from
#define HEAD(batch, head) head_of(batch, head, mask, bias, PASS)

// Head is an attention seen from one batch item and head.
struct Head {
  const int *mask;          // of the batch item; null: every key counts
  const float *bias;        // [N, M]; null: none
  int n, m, d, from;
  i64 step, row;            // between tokens of q, k, v and their gradients; of out and its gradient
  i64 q, k, out, stat;      // where the head begins in q, in k and v, in out, in lse
  float scale;
};
DEV Head head_of(int b, int head, const int *mask, const float *bias, ATTENTION) {
  return {mask ? mask + (i64)b * m : nullptr, bias ? bias + b * bias_b + head * bias_h : nullptr, n, m, d, causal_from, step, (i64)h * d,
          (i64)b * n * step + (i64)head * d, (i64)b * m * step + (i64)head * d, ((i64)b * n * h + head) * d, ((i64)b * h + head) * n, scale};
}

// score of query n and key m from their dot product; −∞ where the key takes no part
DEV float score(const Head &c, float dot, int n, int m) {
  if (n >= c.n || m >= c.m || m > n + c.from || (c.mask && !c.mask[m])) return -INF_;
  const float s = dot * c.scale;
  return c.bias ? s + c.bias[(i64)n * c.m + m] : s;
}
#endif
