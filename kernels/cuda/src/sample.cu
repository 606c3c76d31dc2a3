// Random numbers of a key, the bits that package kernels draws on the host (kernels/rng.go): the same words by Philox, and for normal ones the same operations in
// float64, each rounded alike, with every product that is added to something in a fused multiply-add, as there. Limit: float64 operations, some 90 a number.
// Measured: not yet, emulated only.
#include "dev.cuh"

// log_of is the natural logarithm of a normal float above 0: u = m·2^e with m about 1, and ln m = 2 artanh s with s = (m−1)/(m+1), by the series of artanh.
DEV double log_of(float u) {
  u32 bits = bits_of(u);
  int e = (int)(bits >> 23) - 127;
  bits = (bits & 0x7fffff) | 0x3f800000;
  if (bits > 0x3fb504f3) bits -= 1 << 23, ++e;  // √2
  const double f = (double)float_of(bits) - 1, s = f / (2 + f), z = s * s, t = s + s;
  const double c[9] = {1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13, 1.0 / 11, 1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3};
  double p = 1.0 / 21;
#pragma unroll
  for (int i = 0; i < 9; ++i) p = fma(p, z, c[i]);
  return fma((double)e, 0.693147180559945309417232121458, fma(t * z, p, t));
}

// sin_cos_of are sine and cosine of a turn times v, 0 to 1: of what is left of the nearest quarter, by their series.
DEV void sin_cos_of(float v, double &sine, double &cosine) {
  const int quarter = (int)(4 * (double)v + 0.5);
  const double a = ((double)v - 0.25 * quarter) * 6.28318530717958647692528676656, z = a * a;
  const double b[9] = {-1.0 / 121645100408832000, 1.0 / 355687428096000, -1.0 / 1307674368000, 1.0 / 6227020800, -1.0 / 39916800, 1.0 / 362880, -1.0 / 5040, 1.0 / 120, -1.0 / 6};
  const double c[9] = {-1.0 / 6402373705728000, 1.0 / 20922789888000, -1.0 / 87178291200, 1.0 / 479001600, -1.0 / 3628800, 1.0 / 40320, -1.0 / 720, 1.0 / 24, -1.0 / 2};
  double p = b[0], q = c[0];
#pragma unroll
  for (int i = 1; i < 9; ++i) p = fma(p, z, b[i]), q = fma(q, z, c[i]);
  sine = fma(a * z, p, a), cosine = fma(z, q, 1.0);
  if (quarter & 1) {
    const double was = sine;
    sine = cosine, cosine = -was;
  }
  if (quarter & 2) sine = -sine, cosine = -cosine;
}

// out [n]: a thread makes four numbers of the stream (seed, item, step), normal or uniform in (0, 1)
KERNEL(random_f32, 256, 0, float *out, i64 n, u64 seed, u64 item, u32 step, int normal) {
  const i64 i = 4 * global_thread();
  if (i >= n) return;
  u32 w[4];
  philox((u32)(i / 4), step, item, seed, w);
  float x[4];
#pragma unroll
  for (int j = 0; j < 4; j += 2) {
    x[j] = uniform_of(w[j]), x[j + 1] = uniform_of(w[j + 1]);
    if (normal) {
      double sine, cosine;
      sin_cos_of(x[j + 1], sine, cosine);
      const double r = sqrt(-2 * log_of(x[j]));
      x[j] = (float)(r * cosine), x[j + 1] = (float)(r * sine);
    }
  }
#pragma unroll
  for (int j = 0; j < 4; ++j)
    if (i + j < n) out[i + j] = x[j];
}
