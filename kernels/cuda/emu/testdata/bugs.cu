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
