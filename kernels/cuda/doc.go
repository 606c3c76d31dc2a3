// Package cuda holds the CUDA variants of the ops and the CUDA backend. Importing it (build tag cuda, package tensor does) registers them.
//
// The map: backend.go devices, memory, copies · recording.go graphs · clock.go time on the device · sample.go random numbers · adopt.go contexts of other libraries · kernel.go images, launches, registration · hopper.go what variants
// by wgmma share · near.go searches by banks in fewer bits · cublaslt.go products by NVIDIA's library where a record (cublaslt_record.go) of measurements (cublaslt_tune.go) says that it was faster · <op>.go the variants of one op or family: choice, launch, workspace · src/<op>.cu its kernels; src/dev.cuh what a kernel may use · image/ the compiled kernels · driver/ the
// binding · nvrtc/ the run-time compiler · cublaslt/ the library of products · emu/ the emulator · gorgonia/ a module that runs ops inside gorgonia.org/cu · scripts/toolkit.sh lays out a compiler ·
// scripts/gpu-check.sh, peers/ what a machine with a GPU is to show.
//
// # To add a kernel
//
//  1. src/NAME.cu: #include "dev.cuh", then KERNEL(name, threads, smem, params…) { … }. Parameters: const float* for a View, int for int32, i64 for
//     int64, float for float32, TensorMap by GRID_CONSTANT. What dev.cuh does not wrap is added to src/ptx.cuh and emu/ together.
//  2. NAME.go (//go:build cuda), in init: add(kernels.Op, kernels.Variant[…]{Name, Rank, Usable, Run}); Run ends in
//     launch(s, "name", grid(n), a.X, a.Out, int32(n), …): Views pass their address, nil where absent.
//  3. go test -tags cuda ./kernels -run 'TestParity/^op$' compiles the .cu by g++, runs it on the emulator at the op's test sizes under several
//     schedules, and holds it against the float64 reference; -count=1, for go test does not see that a .cu changed. SYNTIC_EMU_SEED=n takes other schedules; errors name kernel, block, thread and line.
//  4. kernels/cuda/scripts/toolkit.sh DIR once; CUDA_HOME=DIR go generate ./kernels/cuda compiles what changed. Commit .cu, .go and image/NAME.images.
//  5. Work space: ws, err := workspace(s, bytes); defer ws.free(). Dynamic shared memory that depends on sizes: launchWith(s, name, config, …).
//  6. Tiles of products: src/tiled.cuh by FFMA; src/tile.cuh by mma.sync and for similarities that are not kept, src/product.cuh the epilogue of those
//     that are; src/attention_mma.cuh for attention. Indices of elements are i64: index_test.go runs blocks beyond element 2³¹.
//     Products by wgmma and the tensor memory accelerator: src/wgmma.cuh with an epilogue; such a file is named *_wgmma.cu and compiled for sm_90a alone.
//  7. Keep earlier rungs with lower Rank. No atomics on floats in a variant that is not Unordered: the same call must give the same bits.
package cuda

//go:generate go run ./image/gen -dir image
