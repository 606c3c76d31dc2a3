//go:build !amd64 || purego

package cpu

func winogradASM(isa) *winograd { return nil }

func fetchRows(_, _, _, _ uintptr) {}
