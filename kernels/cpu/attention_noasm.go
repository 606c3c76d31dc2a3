//go:build !amd64 || purego

package cpu

func addresses(_, _ []uintptr, _ uintptr) {}
