// Columns of a tile of 128×256 as wgmma leaves it in registers: what is made of the rows of each, for infonce_wgmma and linear_crossentropy_wgmma.
#ifndef SYNTIC_WGMMA_COLUMNS_CUH
#define SYNTIC_WGMMA_COLUMNS_CUH
#include "wgmma.cuh"

enum { kWide = 256 };

// gather8 has each lane keep one of eight values, combined over the eight lanes that differ in bits 2 to 4: lane l keeps number l / 4.
template <class F> DEV float gather8(float (&v)[8], F combine) {
#pragma unroll
  for (int m = 4; m; m /= 2) {
    const bool high = lane_id() / 4 & m;
#pragma unroll
    for (int i = 0; i < m; ++i) {
      const float keep = high ? v[i + m] : v[i], give = high ? v[i] : v[i + m];
      v[i] = combine(keep, shfl_xor(give, 4 * m));
    }
  }
  return v[0];
}

// column_of_lane is the column, of 32 from 32·q on, whose two-row values v[8] a lane keeps after gather8: v[i] is of column i / 2 · 8 + 2 · (lane % 4) + i % 2.
DEV int column_of_lane(int q) { return 32 * q + lane_id() / 8 * 8 + lane_id() % 4 * 2 + lane_id() / 4 % 2; }
#endif
