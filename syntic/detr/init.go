package detr

import (
	"math"
	"strings"

	"syntic/nn"
	"syntic/tensor"
)

// Init gives every parameter the value that a training from nothing begins with, from the seed and the parameter's name alone: He et al.'s
// spread in convolutions, Glorot and Bengio's in the transformer, standard normal queries. The backbone's norms become trainable and live:
// see LiveNorms.
func (m *Model) Init(seed uint64) {
	nn.Init(m, seed)
	for _, p := range nn.Parameters(m) {
		factor := 1.0 // what nn.Init gives is uniform within ±1/√fan-in
		switch {
		case p.Tensor == m.Queries.Weight:
			factor = 1 / nn.InitStd
		case p.Layout == "oihw":
			factor = math.Sqrt(6)
		case p.Rank() == 2 && (strings.HasPrefix(p.Name, "model.encoder.") || strings.HasPrefix(p.Name, "model.decoder.")):
			out, in := float64(p.Dim(0)), float64(p.Dim(1))
			factor = math.Sqrt(6 * in / (in + out))
		case p.Tensor == m.Decoder[0].SelfAttention.Out.Bias:
			// The first layer's queries have no content yet: without this its norm would see zeros and blow gradients up by 1/√eps.
			x := make([]float32, p.Len())
			tensor.Key{Seed: seed, Item: 1}.Normal(x)
			p.SetData(x)
			continue
		default:
			continue
		}
		x := p.Float32s()
		for i := range x {
			x[i] *= float32(factor)
		}
		p.SetData(x)
	}
	m.trainNorms(true)
	m.LiveNorms(true)
}

// trainNorms tells whether weight and bias of the backbone's norms are learnt. Mean and variance never are.
func (m *Model) trainNorms(on bool) {
	m.eachConv(func(c *ConvNorm) {
		c.Norm.Weight.SetTrainable(on)
		c.Norm.Bias.SetTrainable(on)
	})
}

// Calibrate sets the running statistics of the backbone's norms to those of the images px [B, H, W, 3], layer by layer. The result depends
// on the images and the weights alone.
func (m *Model) Calibrate(px *tensor.Tensor) (err error) {
	defer tensor.Catch(&err)
	m.eachConv(func(c *ConvNorm) { c.calibrate = true })
	s := tensor.NewScope(m.dev)
	defer s.Close()
	m.Backbone.Forward(s, px)
	m.eachConv(func(c *ConvNorm) { c.calibrate = false }) // of stages that are not used
	return nil
}

func (m *Model) eachConv(do func(*ConvNorm)) {
	do(m.Backbone.Stem.Conv)
	for _, st := range m.Backbone.Stages {
		for _, l := range st.Layers {
			for _, c := range l.Convs {
				do(c)
			}
			if l.Shortcut != nil {
				do(l.Shortcut)
			}
		}
	}
}

// LiveNorms makes the backbone's norms ordinary batch norms in passes that record, for training from nothing: such a pass uses the statistics
// of its batch and moves the running ones, which other passes use, a tenth of the way to them.
func (m *Model) LiveNorms(on bool) { m.eachConv(func(c *ConvNorm) { c.Norm.live = on }) }
