//go:build cuda

package cuda

import (
	"unsafe"

	"syntic/kernels"
)

// Draw makes the numbers of a key where they are needed: nothing is copied from the host.
func (backend) Draw(s *kernels.Stream, dst unsafe.Pointer, n int, key kernels.Key, normal bool) error {
	return launch(s, "random_f32", each(ceilDiv(n, 4)), dst, int64(n), key.Seed, key.Item, key.Step, normal)
}
