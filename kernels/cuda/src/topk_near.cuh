// Exact search by a bank in fewer bits. Its rows ŷ lie beside the float32 ones, y, with a scale, a length Y ≥ ‖y‖ and a change Ye ≥ ‖y − ŷ‖ each
// (kernels.Nearby). Of a score ŝ of query x̂ and row ŷ it is known that
//
//   |s − ŝ| ≤ A·Ye + B·Y + t,   A = (X + Xe)(1 + γ), B = Xe + γ(2X + Xe),   X ≥ ‖x‖, Xe ≥ ‖x − x̂‖
//
// where s is the score in float32, t covers what is too small for float32, and γ what sums of D products lose: kernels/cpu/scan.go derives it. There
// γ = (D + 8)·2⁻²³ is twice what sums of correctly rounded steps need. Tensor cores cut 16 products and the sum so far at the last place of the largest of
// them (Fasi et al. 2021, Numerical behavior of NVIDIA tensor cores): at most 17 units in it for 16 products, 17/16·D·2⁻²³ in all, so they take 4 times γ.
// So each chunk of 32 rows has a largest score between two bounds. The k-th largest of the lower ones is a floor: the k best rows lie in chunks whose upper
// bound reaches it, of which the float32 rows are read; topk.cu goes on from their maxima. The result is that of a search in float32, to the bit.
#ifndef SYNTIC_TOPK_NEAR_CUH
#define SYNTIC_TOPK_NEAR_CUH
#include "dev.cuh"

// within widens the bounds of the largest score by a row whose score in fewer bits is s. Where nothing is known, for numbers so large or none at all, the
// row may be the best.
DEV void within(float s, float a, float b, float length, float change, float tiny, float &upper, float &lower) {
  const float e = (a * change + b * length + tiny) * 1.0001f;
  if (!(e < 1e30f) || s != s) {
    upper = INF_;
    return;
  }
  upper = fmax_(upper, s + e), lower = fmax_(lower, s - e);
}
#endif
