package diffusion

import (
	"fmt"

	"syntic/tensor"
)

// Guide moves a prediction away from that without the text: without + scale·(with − without), for out [2B, …] that holds the predictions
// without the text (or under the negative one) first; the result is [B, …] (Ho and Salimans 2022, eq. 6, with scale = 1 + w).
func Guide(s *tensor.Scope, out *tensor.Tensor, scale float32) *tensor.Tensor {
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		b := out.Dim(0) / 2
		without, with := s.Slice(out, 0, 0, b), s.Slice(out, 0, b, 2*b)
		return s.AddScaled(without, 1, s.Sub(with, without), scale)
	})
}

// pairTexts puts the negative texts before the texts, [2B, L, C], for guidance; one row of either serves for all images.
func pairTexts(s *tensor.Scope, cond, uncond *tensor.Tensor, images int) (*tensor.Tensor, error) {
	for _, t := range []*tensor.Tensor{cond, uncond} {
		if t.Rank() != 3 || (t.Dim(0) != images && t.Dim(0) != 1) || t.Dim(1) != cond.Dim(1) || t.Dim(2) != cond.Dim(2) {
			return nil, fmt.Errorf("texts %v and negative texts %v: want both [%d or 1, L, C]", cond.Shape(), uncond.Shape(), images)
		}
	}
	all := func(t *tensor.Tensor) *tensor.Tensor {
		if t.Dim(0) < images {
			return s.Repeat0(t, images)
		}
		return t
	}
	return s.Concat(0, all(uncond), all(cond)), nil
}
