//go:build !amd64 || purego

package cpu

func peakLoops() (f32, half func(n uintptr), f32Ops, halfOps float64) { return nil, nil, 0, 0 }
