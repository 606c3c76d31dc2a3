//go:build !amd64 || purego

package cpu

func simdPanels() []*panel { return nil }
