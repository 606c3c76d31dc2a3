//go:build !amd64 || purego

package cpu

func vectorsASM() []*vector { return nil }
