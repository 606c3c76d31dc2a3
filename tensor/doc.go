// Package tensor gives the ops of package kernels shapes, memory and gradients.
//
// The map: device.go and memory.go where tensors live · tensor.go [Tensor], [NewParameter]; half.go parameters of 16 bits · scope.go [Scope], which owns what its ops make ·
// tape.go record.go gradients · trace.go a look at intermediate results · errors.go · one file a family of ops, each op beside its gradient: math.go matmul.go conv.go norm.go attention.go
// loss.go memory ops in index.go · safetensors/ checkpoints.
//
// # Architecture
//
// Execution is eager: an op runs when it is called, and returns a new tensor of the Scope. A Scope made with [WithTape] records one
// closure for each op whose operands need a gradient; [Scope.Backward] walks them in reverse. Layers write no backward code.
// Buffers come from a free list of size classes of the device, so a training step that repeats allocates nothing from the system.
// There are no strides: Reshape is free, GEMM takes transpose flags, anything else is a copy that shows in a profile.
// Images are channels-last; see package kernels.
package tensor
