// Package emu builds the emulator: a libcuda.so.1 that runs the kernels of ../src on the CPU, for tests and for writing kernels without a GPU.
//
// A CUDA thread is a fiber, blocks run one after the other. The map: emu.h, emu_mma.h, emu_hopper.h the twins of ../src/ptx.cuh · sched.cc fibers,
// barriers, warp collectives · driver.cc the driver's entry points · build.go compiles it all with g++ · apart.go finds two types of one name ·
// cublaslt.go, cublaslt/ a library of products in its memory, for tests.
//
// What it catches, as an error of the launch that names kernel, block, thread and place: a barrier or collective that not all threads reach
// (deadlock), lanes at different collectives, accesses outside allocations (guard pages, and words behind each that must not change), freed memory,
// pointers to host memory, misaligned vector accesses and copies, full stacks, too much shared memory. Memory that was never written, shared memory
// and the destinations of asynchronous copies read as NaN until the copy is waited for; so do the accumulators of
// wgmma until their group is waited for, and its products read shared memory only then. A wgmma without its fence, and registers of one under way that
// are written, are reported. Each launch has its own schedule (seed: SYNTIC_EMU_SEED + number of the launch): threads run in order, in reverse order or at random, so a missing barrier shows as wrong or changing bits.
//
// What it cannot tell: time, bank conflicts, coalescing, registers; weak order between warps and proxies (a missing fence); races between
// blocks; the fp32 summation order of tensor cores; approximate functions are exact. Emulator and kernels share one reading of the PTX manual:
// the first run on a GPU must repeat the tests there.
package emu
