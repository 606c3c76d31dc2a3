package tensor

import "syntic/kernels"

// BoxObjects are the objects of the images of a batch, one image after another.
type BoxObjects struct {
	Labels []int32
	Boxes  []float32 // (cx, cy, w, h) of each
	First  []int32   // of each image its first object, and how many there are in all
}

// BoxMatchOptions are the weights of DETR's matching.
type BoxMatchOptions struct {
	Layers           int     // decoder layers, each of which is matched by itself
	Class, Box, GIoU float32 // of the costs
	Nothing          float32 // the weight of a query without object
}

// BoxMatch are the targets of the queries, on their device.
type BoxMatch struct {
	Class  *Tensor // i32 [rows], the last class where there is no object
	Weight *Tensor // [rows]
	Index  *Tensor // i32 [Layers·N], the rows that have an object, by rising number
	Target *Tensor // [Layers·N, 4], the objects' boxes
}

// MatchBoxes gives every object a query of its own such that the costs are least (Carion et al. 2020, eq. 1; kernels.BoxMatchArgs has them), for
// logits [Layers·B·Q, C] and boxes [Layers·B·Q, 4]. Nothing waits for the device, and no gradient flows through. There must be an object. It panics with an *Error if shapes
// disagree, a label is not 0 to C−2 or an image has more objects than queries.
func (s *Scope) MatchBoxes(logits, boxes *Tensor, x BoxObjects, o BoxMatchOptions) BoxMatch {
	n, images := len(x.Labels), len(x.First)-1
	if logits.Rank() != 2 || o.Layers < 1 || images < 1 || n < 1 || len(x.Boxes) != 4*n || logits.Dim(0)%(o.Layers*images) != 0 || x.First[0] != 0 || int(x.First[images]) != n {
		fail("matching of logits %v in %d layers, %d objects, %d numbers of their boxes, first %v: want logits [L·B·Q, C], one object or more, 4 numbers each, first from 0 to their number", logits, o.Layers, n, len(x.Boxes), x.First)
	}
	rows, queries := logits.Dim(0), logits.Dim(0)/(o.Layers*images)
	for b := range images {
		if k := int(x.First[b+1]) - int(x.First[b]); k < 0 || k > queries {
			fail("matching: image %d has %d objects: want 0 to %d, the number of queries", b, k, queries)
		}
	}
	for i, l := range x.Labels {
		if l < 0 || int(l) > logits.Dim(1)-2 {
			fail("matching: object %d has label %d: want 0 to %d", i, l, logits.Dim(1)-2)
		}
	}
	m := BoxMatch{s.EmptyInts(rows), s.Empty(rows), s.EmptyInts(o.Layers * n), s.Empty(o.Layers*n, 4)}
	run(s, kernels.BoxMatch, kernels.BoxMatchArgs{Logits: logits.View(), Boxes: boxes.View(), Label: s.FromInt32s(x.Labels, n).v, Object: s.FromFloat32s(x.Boxes, n, 4).v, First: s.FromInt32s(x.First, images+1).v,
		Class: m.Class.v, Weight: m.Weight.v, Index: m.Index.v, Target: m.Target.v, Layers: o.Layers, ClassCost: o.Class, BoxCost: o.Box, GIoUCost: o.GIoU, Nothing: o.Nothing})
	return m
}
