//go:build !amd64 || purego

package cpu

// microsASM and bf16ASM are empty where there is no assembly.
func microsASM() []*micro { return nil }

func bf16ASM() []*micro { return nil }
