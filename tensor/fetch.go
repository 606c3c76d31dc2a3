package tensor

import (
	"unsafe"

	"syntic/kernels"
)

// Values are the numbers of a tensor on the host: floats, or whole numbers of an int32 tensor.
type Values struct {
	Floats []float32
	Ints   []int32
}

// Fetch copies tensors of one device to the host and waits for all of them once; each call of [Tensor.Float32s] and the like waits for itself.
func Fetch(list ...*Tensor) []Values {
	out := make([]Values, len(list))
	gatherer, ok := list[0].dev.backend.(kernels.Gatherer)
	var copies []kernels.HostCopy
	for i, t := range list {
		whole, v := t.v.DType == I32, t.stored()
		switch {
		case t.dev != list[0].dev:
			fail("fetch %v and %v: they are on %v and %v", list[0], t, list[0].dev, t.dev)
		case whole && (!ok || t.host != nil || t.Len() == 0):
			out[i].Ints = t.Int32s()
		case !whole && (!ok || t.isHalf() || t.Len() == 0):
			out[i].Floats = t.Float32s()
		case whole:
			out[i].Ints = make([]int32, t.Len())
			copies = append(copies, kernels.HostCopy{Dst: unsafe.Pointer(unsafe.SliceData(out[i].Ints)), Src: v.Ptr(), Bytes: 4 * t.Len()})
		default:
			out[i].Floats = make([]float32, t.Len())
			copies = append(copies, kernels.HostCopy{Dst: unsafe.Pointer(unsafe.SliceData(out[i].Floats)), Src: v.Ptr(), Bytes: 4 * t.Len()})
		}
	}
	if len(copies) > 0 {
		s, err := list[0].dev.backend.NewStream(list[0].dev.info.Index)
		check(err)
		check(gatherer.CopyAllOut(s, copies))
	}
	return out
}
