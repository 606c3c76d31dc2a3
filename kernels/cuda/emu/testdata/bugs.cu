// Kernels with mistakes that the emulator must catch, each beside what would be right.
#include "wgmma.cuh"

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

// out[64][128] = A·Bᵀ by one warpgroup that multiplies and one thread that fetches, two stages of 64 along K; what `bug` names is wrong:
enum { kNone, kNoWait, kEarly, kParity, kNoFence, kNoWgmmaWait, kFewBytes, kOneWarp, kAlways };
KERNEL(bug_wgmma, 256, 2 * 24576, GRID_CONSTANT TensorMap a, GRID_CONSTANT TensorMap b, float *out, int slabs, int bug) {
  SHARED_DYNAMIC(unsigned char, ring);
  SHARED(u64, full, [2]);
  SHARED(u64, empty, [2]);
  if (thread_x() == 0) {
    for (int i = 0; i < 2; ++i) mbar_init(full + i, 1), mbar_init(empty + i, 4);
    fence_barrier_init();
  }
  sync_block();
  if (warp_id() < 4) {
    if (thread_x() != 0) return;
    for (int s = 0; s < slabs; ++s) {
      unsigned char *to = ring + s % 2 * 24576;
      if (bug != kAlways) mbar_wait(empty + s % 2, (s / 2 & 1) ^ 1);
      mbar_arrive_expect(full + s % 2, bug == kFewBytes ? 8192 : 24576);
      tma_load_3d(to, &a, s * 64, 0, 0, full + s % 2);
      tma_load_3d(to + 8192, &b, s * 64, 0, 0, full + s % 2);
    }
    return;
  }
  float acc[64] = {};
  for (int s = 0; s < slabs; ++s) {
    const u64 left = operand_at(ring + s % 2 * 24576, 0), right = operand_at(ring + s % 2 * 24576 + 8192, 0);
    if (bug != kNoWait) mbar_wait(full + s % 2, bug == kParity ? 0 : s / 2 & 1);
    if (bug != kNoFence) wgmma_fence();
    for (int k = 0; k < 4; ++k) wgmma_bf16<0, 0>(acc, left + 2 * k, right + 2 * k, s + k > 0);
    wgmma_commit();
    if (bug != kEarly && !(bug == kNoWgmmaWait && s == slabs - 1)) wgmma_wait_all(acc);
    if (lane_id() == 0 && (bug != kOneWarp || warp_id() == 4)) mbar_arrive(empty + s % 2);
  }
  if (bug == kEarly) wgmma_wait_all(acc);
  for (int i = 0; i < 64; ++i) out[((warp_id() - 4) * 16 + lane_id() / 4 + (i >> 1 & 1) * 8) * 128 + col_in(i)] = acc[i];
  if (bug == kNoWgmmaWait) wgmma_wait_all(acc);
}

// the accumulators are in the program's hands only between a wait and the next product
KERNEL(bug_accumulator, 128, 16384, GRID_CONSTANT TensorMap a, float *out, int correct) {
  SHARED_DYNAMIC(unsigned char, smem);
  SHARED(u64, full, [1]);
  if (thread_x() == 0) mbar_init(full, 1);
  sync_block();
  if (thread_x() == 0) {
    mbar_arrive_expect(full, 16384);
    tma_load_3d(smem, &a, 0, 0, 0, full);
  }
  mbar_wait(full, 0);
  float acc[64] = {};
  wgmma_fence();
  wgmma_bf16<0, 0>(acc, operand_at(smem, 0), operand_at(smem, 0), 1);
  wgmma_commit();
  if (correct) wgmma_wait_all(acc);
  acc[3] = 1;
  if (!correct) wgmma_wait_all(acc);
  out[thread_x()] = acc[3];
}
