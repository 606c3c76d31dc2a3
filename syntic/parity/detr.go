package parity

import (
	"fmt"
	"strings"

	"syntic/nn"
	"syntic/syntic/detr"
	"syntic/tensor"
)

func (r *run) detr() error {
	m, err := detr.Load(r.dir, r.dev)
	if err != nil {
		return err
	}
	defer m.Close()
	s := r.scope(nn.Paths(m), detrLayer)
	defer s.Close()
	px := r.image(s, "pixel_values", 3)
	var mask *tensor.Tensor
	if r.has("pixel_mask") {
		mask = r.ints(s, "pixel_mask", 2, px.Shape()[:3]...)
	}
	logits, boxes := m.Forward(s, px, mask)
	r.give("logits", logits)
	r.give("pred_boxes", boxes)
	for _, stack := range []struct {
		name   string
		layers int
	}{{"encoder", len(m.Encoder)}, {"decoder", len(m.Decoder)}} { // the library gives the last state of each twice
		last := fmt.Sprintf("%s.hidden.%d", stack.name, stack.layers)
		for _, t := range r.out {
			if t.Name == last {
				t.Name = stack.name + "_last"
				r.out = append(r.out, t)
				break
			}
		}
	}
	return nil
}

// detrLayer leaves the model's own names and shortens the backbone's.
func detrLayer(path string) string {
	if rest, ok := strings.CutPrefix(path, "model.backbone.conv_encoder.model."); ok {
		return "backbone." + rest
	}
	return path
}
