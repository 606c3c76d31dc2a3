package detr

import (
	"syntic/nn"
	"syntic/tensor"
)

// Guide is a training aid for models that begin from nothing: a linear layer that names the object at every cell of the backbone's result.
// It stands for the pre-training that DETR's backbone has had, because the queries alone give it too little to learn from at first.
// It is no part of the detector and is not saved with it.
type Guide struct {
	Class  *nn.Linear `name:"guide"`
	Weight float32    // of its loss beside the set loss
}

// NewGuide makes a guide for models of a configuration.
func NewGuide(c Config, dev *tensor.Device) *Guide {
	return &Guide{nn.NewLinear(dev, c.BackboneConfig.HiddenSizes[c.BackboneConfig.out()], len(c.Labels)+1, true), 5}
}

// guideEmpty weighs the cells without an object, which are several times as many as the others.
const guideEmpty = 0.3

// loss is the weighted cross entropy of the features' cells [B, h, w, F]: a cell belongs to the smallest box that its centre lies in.
func (g *Guide) loss(s *tensor.Scope, m *Model, features *tensor.Tensor, targets []Target) *tensor.Tensor {
	b, h, w, k := features.Dim(0), features.Dim(1), features.Dim(2), len(m.Config.Labels)
	n := h * w
	class, weight := make([]int32, b*n), make([]float32, b*n)
	for i := range class {
		y, x := (float64(i%n/w)+0.5)/float64(h), (float64(i%n%w)+0.5)/float64(w)
		class[i], weight[i] = int32(k), guideEmpty
		least := 2.0
		for _, o := range targets[i/n] {
			c := corners(o.Box)
			if area := (c[2] - c[0]) * (c[3] - c[1]); c[0] <= x && x < c[2] && c[1] <= y && y < c[3] && area < least {
				class[i], weight[i], least = int32(o.Label), 1, area
			}
		}
	}
	logits := g.Class.Forward(s, s.Reshape(features, b*n, -1))
	return s.CrossEntropy(logits, s.FromInt32s(class, b*n), tensor.CrossEntropyOptions{Weight: s.FromFloat32s(weight, b*n)})
}
