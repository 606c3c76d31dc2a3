// Package cpu holds the Go and SIMD variants of the ops and the CPU backend. Importing it registers them.
//
// The map: backend.go memory and streams, memory_*.go memory of the system · pool.go fixed-grain parallel loops on workers that stay awake for a moment · isa.go what this CPU has · gen/ the avo programs that
// write <routine>_amd64.s · vector.go loops over contiguous numbers that most ops are made of, vector_math.go their functions · <op>.go the variants of one op · gonum.go the variants that call gonum.
//
// Matrix products: gemm.go the op · gemm_product.go blocks, tasks, epilogue; gemm_split.go few tiles and much depth; gemm_narrow.go few columns; gemm_dots.go few rows, only by name ·
// bf16.go operands rounded to bfloat16, only by name, attention_bf16.go and infonce_bf16.go the same for attention and InfoNCE; widen.go weights of 16 bits ·
// gemm_pack.go panels, and the windows of convolutions · gemm_tile.go what a micro-kernel is, and the one in Go; gemm_amd64.go those in assembly ·
// conv2d.go convolutions as products over windows.
//
// Tiles in scratch: panel.go the routines that attention.go (attention_grad.go), infonce.go (infonce_passes.go), crossentropy.go, projecttopk.go and topk.go are made of, so that none stores its
// N×M scores; panel_generic.go those in Go, panel_amd64.go those in assembly (gen/panel).
//
// peak.go measures the multiply-adds that no kernel can exceed, on registers alone, for benchmarks.
//
// Work is cut into pieces whose sizes depend on the operands alone, never on the number of workers, and every sum has one order:
// results are the same bits for any GOMAXPROCS.
package cpu
