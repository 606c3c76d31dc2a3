//go:build !amd64 || purego

package cpu

// microsASM is empty where there is no assembly.
func microsASM() []*micro { return nil }
