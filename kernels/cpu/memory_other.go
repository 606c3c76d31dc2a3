//go:build !linux && !darwin

package cpu

import "errors"

// mapMemory leaves everything to the garbage collector.
func mapMemory(int) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmapMemory([]byte) {}

func adviseHuge([]byte) {}
