//go:build !purego

package cpu

func vectorsASM() []*vector { return nil }
