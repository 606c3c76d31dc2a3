//go:build cuda

package cuda

import (
	"unsafe"

	"syntic/kernels"
)

func init() {
	add(kernels.BoxMatch, kernels.Variant[kernels.BoxMatchArgs]{Name: "block_f32", Rank: 10,
		Usable: func(a *kernels.BoxMatchArgs) bool { return isF32(&a.Logits, &a.Boxes, &a.Object, &a.Weight, &a.Target) },
		Run:    boxMatch})
}

func boxMatch(s *kernels.Stream, a *kernels.BoxMatchArgs) error {
	rows, n, images := a.Logits.Dim(0), a.Label.Dim(0), a.First.Dim(0)-1
	queries := rows / a.Pictures()
	wide := 8 * (a.Layers*n*(queries+1) + 2*rows) // costs and potentials of objects, potentials and distances of queries
	ws, err := workspace(s, wide+4*3*rows)
	if err != nil {
		return err
	}
	defer ws.free()
	return launch(s, "box_match_f32", blocks(a.Pictures()), a.Logits, a.Boxes, a.Label, a.Object, a.First, a.Class, a.Weight, a.Index, a.Target, ws.ptr, unsafe.Add(ws.ptr, wide),
		int32(a.Layers), int32(images), int32(queries), int32(a.Logits.Dim(1)), int32(n), a.ClassCost, a.BoxCost, a.GIoUCost, a.Nothing)
}
