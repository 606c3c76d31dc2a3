package clip

import (
	"hash/fnv"
	"math"
	"strings"

	"syntic/nn"
	"syntic/tensor"
)

// initialise gives the parameters the initial values of openai/CLIP: normal numbers with the standard deviations of its initialize_parameters
// (both towers by the rule of the text tower); biases 0, gains 1, patches as a convolution's default. They depend on the seed and the names alone.
func (m *Model) initialise(seed uint64) {
	nn.Init(m, seed)
	for _, p := range nn.Parameters(m) {
		width, layers := m.Config.Text.Width, m.Config.Text.Layers
		if strings.HasPrefix(p.Name, "vision_model.") || strings.HasPrefix(p.Name, "visual_") {
			width, layers = m.Config.Image.Width, m.Config.Image.Layers
		}
		std := initStd(p.Name, float64(width), float64(layers))
		if std == 0 {
			continue
		}
		h := fnv.New64a()
		h.Write([]byte(p.Name))
		x := make([]float32, p.Len())
		tensor.Key{Seed: seed, Item: h.Sum64()}.Normal(x)
		for i := range x {
			x[i] *= float32(std)
		}
		p.SetData(x)
	}
	m.LogitScale.SetData([]float32{m.Config.ScaleInit})
}

// initStd is the standard deviation of a parameter's initial values, 0 for those that nn.Init does.
func initStd(name string, width, layers float64) float64 {
	has := func(suffix string) bool { return strings.HasSuffix(name, suffix) }
	switch {
	case has("token_embedding.weight"):
		return 0.02
	case has("text_model.embeddings.position_embedding.weight"):
		return 0.01
	case has("position_embedding.weight"), has("class_embedding"), has("_projection.weight"):
		return math.Pow(width, -0.5)
	case has("q_proj.weight"), has("k_proj.weight"), has("v_proj.weight"):
		return math.Pow(width, -0.5)
	case has("out_proj.weight"), has("fc2.weight"):
		return math.Pow(width, -0.5) * math.Pow(2*layers, -0.5)
	case has("fc1.weight"):
		return math.Pow(2*width, -0.5)
	}
	return 0
}
