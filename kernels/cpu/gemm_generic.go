//go:build !amd64 || purego

package cpu

import "syntic/kernels"

// microsASM, bf16ASM, widenASM and partASM are empty where there is no assembly.
func microsASM() []*micro { return nil }

func bf16ASM() []*micro { return nil }

func widenASM(isa, []float32, []uint16, kernels.DType) int { return 0 }

func partASM(isa, kernels.DType) partFunc { return nil }
