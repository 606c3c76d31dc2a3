package detr

import (
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/nn"
	"syntic/tensor"
)

// A tiny detector learns three pictures by heart: every object is found at its place, and nothing else.
func TestTrainingLearns(t *testing.T) {
	m := smallModel(t)
	g := NewGuide(m.Config, tensor.CPU())
	nn.Init(g, 8)
	defer nn.Release(g)
	opt := nn.NewAdamW(tensor.CPU(), append(nn.Parameters(m), nn.Parameters(g)...), nn.AdamWOptions{Beta2: 0.99, ClipNorm: 1, LRScale: ToyRate})
	defer opt.Release()
	px, schedule := pictures(3), nn.Cosine(20, 0)
	const steps = 250
	var first, last float32
	for i := range steps {
		s := tensor.NewScope(tensor.CPU(), tensor.WithTape())
		l, err := m.LossWith(s, s.FromFloat32s(px, 3, 32, 32, 3), someTargets, LossOptions{Guide: g})
		require.NoError(t, err)
		if last = l.Total.Item(); i == 0 {
			first = last
		}
		opt.Step(s, s.Backward(l.Total), float32(3e-3*schedule(i, steps)))
		s.Close()
	}
	require.Less(t, last, first/10)

	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	x := s.FromFloat32s(px, 3, 32, 32, 3)
	require.NoError(t, m.Calibrate(x))
	logits, boxes := m.Forward(s, x, nil)
	sizes := [][2]int{{32, 32}, {32, 32}, {32, 32}}
	found := m.Select(logits.Float32s(), boxes.Float32s(), sizes, 0.5)
	for b, target := range someTargets {
		require.Len(t, found[b], len(target), "picture %d", b)
	}
	ap, _, err := MeanAP(found, someTargets, sizes, 0.75)
	require.NoError(t, err)
	require.Equal(t, 1.0, float64(float32(ap)))
}

// Dropout changes the loss, by the key alone.
func TestLossDropout(t *testing.T) {
	m := smallModel(t)
	m.LiveNorms(false)
	m.Config.Dropout = 0.2
	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	px := s.FromFloat32s(pictures(3), 3, 32, 32, 3)
	loss := func(key *tensor.Key) float32 {
		l, err := m.LossWith(s, px, someTargets, LossOptions{Dropout: key})
		require.NoError(t, err)
		return l.Total.Item()
	}
	a := loss(&tensor.Key{Seed: 1})
	require.Equal(t, a, loss(&tensor.Key{Seed: 1}))
	require.NotEqual(t, a, loss(&tensor.Key{Seed: 2}))
	require.NotEqual(t, a, loss(nil))
}
