package parity

import (
	"fmt"
	"strings"

	"syntic/clip"
	"syntic/diffusion"
	"syntic/nn"
	"syntic/syntic/pipeline"
	"syntic/tensor"
)

// towerLayer gives the library's names of hidden states: prefix + "hidden.0" after the embeddings, then one for each layer.
func towerLayer(prefix string) func(path string) string {
	return func(path string) string {
		var i int
		switch {
		case strings.HasSuffix(path, ".embeddings"), strings.HasSuffix(path, ".pre_layrnorm"):
			return prefix + "hidden.0"
		default:
			_, last, _ := strings.Cut(path, ".encoder.layers.")
			if n, err := fmt.Sscanf(last, "%d", &i); n != 1 || err != nil {
				return ""
			}
			return fmt.Sprintf("%shidden.%d", prefix, i+1)
		}
	}
}

func (r *run) clipVision() error {
	m, err := clip.Load(r.dir, r.dev)
	if err != nil {
		return err
	}
	defer m.Close()
	s := r.scope(nn.Paths(m.Image), towerLayer("vision."))
	defer s.Close()
	px := r.image(s, "pixel_values", m.Config.Image.Channels)
	h := m.Image.Hidden(s, px)
	pooled := m.Image.Pool(s, h)
	r.give("vision.last_hidden_state", h)
	r.give("vision.pooler_output", pooled)
	r.give("image_features", m.Image.Projection.Forward(s, pooled))
	plain := tensor.NewScope(r.dev)
	defer plain.Close()
	r.give("image_embeds", m.EncodeImage(plain, px)) // as syntic encode makes them: of the last layer only what is read
	return nil
}

func (r *run) clipText() error {
	t, err := clip.LoadText(r.dir, r.dev)
	if err != nil {
		return err
	}
	defer t.Close()
	r.text(t, "text.")
	s := tensor.NewScope(r.dev)
	defer s.Close()
	ids := r.ints(s, "input_ids", t.Config.VocabSize, 0, 0)
	if t.Projection != nil {
		r.give("text_features", t.Projection.Forward(s, t.Pooled(s, ids)))
		r.give("text_embeds", t.Encode(s, ids))
	}
	if r.has("attention_mask") {
		h := t.Hidden(s, ids, r.ints(s, "attention_mask", 2, ids.Shape()...))
		r.give("text_masked.last_hidden_state", h)
		r.give("text_masked.pooler_output", t.Pool(s, h, ids))
	}
	return nil
}

func (r *run) sdText() error {
	open := func() (*clip.TextModel, error) { return clip.LoadText(r.part("text_encoder"), r.dev) }
	if diffusion.IsLDM(r.dir) {
		open = func() (*clip.TextModel, error) { return pipeline.OpenText(r.dev, r.dir) }
	}
	t, err := open()
	if err != nil {
		return err
	}
	defer t.Close()
	r.text(t, "")
	return nil
}

// text runs all positions of all layers, without a mask, as both originals do.
func (r *run) text(t *clip.TextModel, prefix string) {
	s := r.scope(nn.Paths(t), towerLayer(prefix))
	defer s.Close()
	ids := r.ints(s, "input_ids", t.Config.VocabSize, 0, 0)
	h := t.Hidden(s, ids, nil)
	r.give(prefix+"last_hidden_state", h)
	r.give(prefix+"pooler_output", t.Pool(s, h, ids))
}
