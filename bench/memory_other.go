//go:build !linux

package bench

func resident(int) (now, peak int64) { return 0, 0 }

func resetPeak(int) bool { return false }

func governor() string { return "" }

func release() string { return "" }
