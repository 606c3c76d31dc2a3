// Package kernels says what each operation computes and lists every implementation of it.
//
// The map:
//
//   - op.go: [Op], [Variant], registration, choice by rank and by override; [Ops] is the list that tests and benchmarks walk.
//   - call.go: [Call], an op's arguments by name.
//   - view.go, dtype.go: [View], a dtype, a shape and memory, always contiguous and row-major; number formats.
//   - device.go: [Backend] (memory, copies, streams) and [Stream].
//   - rng.go, sample.go: Philox, the same random numbers on every device; random inputs and poisoned outputs of tests.
//   - one file an op (gemm.go, conv2d.go, attention.go, …): arguments, check, float64 reference, test sizes, cost; an op and its gradient together.
//   - kerneltest: the parity test that every variant of every op must pass.
//   - cpu: the Go and SIMD variants; importing it registers them.
//
// # Architecture
//
// Images are channels-last, [B, H, W, C], everywhere in the engine, and convolution weights are [O, KH, KW, I]: a pixel's channels are
// contiguous, so a convolution is a GEMM over gathered rows, attention reads an image as tokens without a copy, and norms and bias run along memory.
// Checkpoints keep their original [O, I, KH, KW]; package nn converts when it reads and writes.
//
// Every op's Ref is registered as its CPU variant "reference" with the lowest rank: a new op works, slowly, as soon as it is defined.
package kernels
