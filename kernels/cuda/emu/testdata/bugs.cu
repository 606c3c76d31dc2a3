// Kernels with mistakes that the emulator must catch, each beside what would be right.
#include "dev.cuh"

// reverses 256 numbers through shared memory; without the barrier a thread reads what another has not written
KERNEL(bug_barrier, 256, 0, const float *x, float *out, int correct) {
  SHARED(float, tile, [256]);
  const int i = thread_x();
  tile[i] = x[i];
  if (correct) sync_block();
  out[i] = tile[255 - i];
}

// copies through cp.async; without the wait the bytes are not there yet
KERNEL(bug_wait, 64, 0, const float *x, float *out, int correct) {
  SHARED(vec4, tile, [64]);
  const int i = thread_x();
  cp_async16(&tile[i], x + 4 * i);
  cp_async_commit();
  if (correct) cp_async_wait<0>();
  sync_block();
  ((vec4 *)out)[i] = tile[63 - i];
}

// half of the threads do not come to the barrier
KERNEL(bug_deadlock, 64, 0, float *out, int correct) {
  if (correct || thread_x() < 32) sync_block();
  out[thread_x()] = 1;
}

// one lane does not come to the shuffle
KERNEL(bug_lane, 32, 0, float *out, int correct) {
  float v = (float)lane_id();
  if (correct || lane_id() != 7) v = shfl_xor(v, 1);
  out[lane_id()] = v;
}

// lanes of one warp at different collectives
KERNEL(bug_divergent, 32, 0, float *out, int correct) {
  float v = 1;
  if (correct || lane_id() < 16)
    v = shfl_xor(v, 1);
  else
    v = (float)warp_ballot(true);
  out[lane_id()] = v;
}

// out has n elements: writes and reads beside them
KERNEL(bug_write, 32, 0, float *out, i64 at) {
  if (thread_x() == 0) out[at] = 1;
}
KERNEL(bug_read, 32, 0, const float *x, float *out, i64 at) {
  if (thread_x() == 0) out[0] = x[at];
}

// writes behind a shared variable
KERNEL(bug_shared, 32, 0, float *out, int at) {
  SHARED(float, a, [32]);
  SHARED(float, b, [32]);
  a[at] = 1, b[0] = 2;
  out[0] = a[0];
}

// 16 bytes at an address that is a multiple of 4 only
KERNEL(bug_aligned, 32, 0, const float *x, float *out, int at) {
  SHARED(vec4, v, [1]);
  if (thread_x() == 0) {
    cp_async16(v, x + at);
    cp_async_commit();
    cp_async_wait<0>();
    out[0] = v[0].x;
  }
}

// leaves for ever
KERNEL(bug_stack, 32, 0, float *out, int n) {
  volatile char big[100000];
  big[n] = 1;
  volatile char more[100000];
  more[n] = big[n];
  out[0] = more[n];
}

// out[16][8] = a[16][16] · b[8][16]ᵀ by ldmatrix and mma.sync; a and b are given as float
KERNEL(check_mma, 32, 0, const float *a, const float *b, float *out) {
  SHARED(bf16, sa, [16 * 16]);
  SHARED(bf16, sb, [8 * 16]);
  for (int i = lane_id(); i < 256; i += 32) store(&sa[i], a[i]);
  for (int i = lane_id(); i < 128; i += 32) store(&sb[i], b[i]);
  sync_block();
  u32 fa[4], fb[2];
  float d[4] = {};
  ldmatrix_x4(fa, &sa[lane_id() % 16 * 16 + lane_id() / 16 * 8]);
  ldmatrix_x2(fb, &sb[lane_id() % 8 * 16 + lane_id() / 8 % 2 * 8]);
  mma_m16n8k16_bf16(d, fa, fb);
  for (int i = 0; i < 4; ++i) out[(lane_id() / 4 + i / 2 * 8) * 8 + lane_id() % 4 * 2 + i % 2] = d[i];
}

// out[64][64] = a[64][K] · b[64][K]ᵀ: a producer loads tiles of 64 columns into two stages, a warpgroup multiplies them.
// Not correct: a stage is given back before the products that read it are waited for.
KERNEL(bug_release, 256, 4 * 8192, GRID_CONSTANT TensorMap a, GRID_CONSTANT TensorMap b, float *out, int k, int correct) {
  SHARED_DYNAMIC(u8, tiles);
  SHARED(u64, full, [2]);
  SHARED(u64, empty, [2]);
  const int steps = (k + 63) / 64;
  if (thread_x() == 0) {
    for (int s = 0; s < 2; ++s) mbar_init(&full[s], 1), mbar_init(&empty[s], 128);
    fence_barrier_init();
  }
  sync_block();
  if (thread_x() == 0)
    for (int i = 0; i < steps; ++i) {
      const int s = i % 2;
      if (i >= 2) mbar_wait(&empty[s], i / 2 - 1);
      mbar_arrive_expect(&full[s], 2 * 8192);
      tma_load_2d(tiles + s * 16384, &a, i * 64, 0, &full[s]);
      tma_load_2d(tiles + s * 16384 + 8192, &b, i * 64, 0, &full[s]);
    }
  if (warp_id() < 4) return;
  float d[32];
  for (int i = 0; i < steps; ++i) {
    const int s = i % 2;
    mbar_wait(&full[s], i / 2);
    const u64 da = wgmma_desc(tiles + s * 16384), db = wgmma_desc(tiles + s * 16384 + 8192);
    wgmma_fence();
    for (int j = 0; j < 4; ++j) wgmma_m64n64k16_bf16(d, da + 2 * j, db + 2 * j, i + j > 0);
    wgmma_commit();
    if (!correct) mbar_arrive(&empty[s]);
    wgmma_wait<0>();
    if (correct) mbar_arrive(&empty[s]);
  }
  const int t = thread_x() - 128, row = t / 32 * 16 + t % 32 / 4;
  for (int i = 0; i < 32; ++i) out[(row + (i >> 1 & 1) * 8) * 64 + i / 4 * 8 + t % 4 * 2 + (i & 1)] = d[i];
}
