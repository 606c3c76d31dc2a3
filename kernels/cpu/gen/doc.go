// Command gen writes the assembly of package cpu with avo: one routine a file here, <routine>_amd64.s beside package cpu.
//
//	go generate ./kernels/cpu/...
//
// regenerates all of it; the results are committed, and generating them anew must change nothing. The Go declarations of the
// routines are written by hand in <routine>_amd64.go, beside the table that says which instruction set each needs.
//
// The map: main.go the command · gemm.go the micro-kernels of the matrix product and the dot products for few rows ·
// pack.go the copies that fill their panels · bf16.go the micro-kernels and copies of products with bfloat16 operands ·
// widen.go float32 from 16 bits · winograd.go the transforms of convolutions of 3×3, winograd_fixed.go their whole numbers.
package main
