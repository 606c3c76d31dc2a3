package detr

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/nn"
	"syntic/tensor"
)

// smallModel is a detector of tiny pictures with random parameters.
func smallModel(t *testing.T) *Model {
	t.Helper()
	c := ToyConfig([]string{"cup", "car", "cat"})
	c.Width, c.Queries, c.EncoderLayers, c.DecoderLayers, c.EncoderFFN, c.DecoderFFN = 16, 5, 1, 2, 24, 24
	c.BackboneConfig.EmbeddingSize, c.BackboneConfig.HiddenSizes, c.BackboneConfig.Depths = 6, []int{8, 12}, []int{1, 1}
	m, err := New(c, tensor.CPU())
	require.NoError(t, err)
	t.Cleanup(m.Close)
	m.Init(7)
	return m
}

func pictures(b int) []float32 {
	x := make([]float32, b*32*32*3)
	tensor.Key{Seed: 5}.Normal(x)
	return x
}

var someTargets = []Target{
	{{Label: 0, Box: [4]float32{0.3, 0.4, 0.2, 0.3}}, {Label: 2, Box: [4]float32{0.7, 0.6, 0.3, 0.5}}}, {},
	{{Label: 1, Box: [4]float32{0.5, 0.2, 0.6, 0.4}}},
}

// The loss of one image worked out by hand: the definition of the paper, in float64, over all ways to match.
func TestLossAgainstDefinition(t *testing.T) {
	m := smallModel(t)
	m.Config.AuxiliaryLoss = false
	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	px := s.FromFloat32s(pictures(3), 3, 32, 32, 3)
	got, err := m.Loss(s, px, someTargets)
	require.NoError(t, err)
	lt, bt := m.Forward(s, px, nil)
	logits, boxes := lt.Float32s(), bt.Float32s()
	const q, k = 5, 3
	var ce, weights, l1, gi float64
	for b, target := range someTargets {
		least, at := math.Inf(1), []int(nil)
		var choose func(chosen []int, cost float64)
		choose = func(chosen []int, cost float64) {
			if len(chosen) == len(target) {
				if cost < least {
					least, at = cost, append([]int(nil), chosen...)
				}
				return
			}
			o := target[len(chosen)]
		next:
			for i := range q {
				for _, c := range chosen {
					if c == i {
						continue next
					}
				}
				row := b*q + i
				box := [4]float32(boxes[4*row : 4*row+4])
				p := probabilities(logits[row*(k+1) : (row+1)*(k+1)])
				choose(append(chosen, i), cost-p[o.Label]+5*distance(box, o.Box)-2*giou(corners(box), corners(o.Box)))
			}
		}
		choose(nil, 0)
		label := []int{k, k, k, k, k}
		for j, i := range at {
			label[i] = target[j].Label
			box := [4]float32(boxes[4*(b*q+i) : 4*(b*q+i)+4])
			l1 += distance(box, target[j].Box) / 3
			gi += (1 - giou(corners(box), corners(target[j].Box))) / 3
		}
		for i, c := range label {
			w, row := 0.1, b*q+i
			if c < k {
				w = 1
			}
			ce -= w * math.Log(probabilities(logits[row*(k+1) : (row+1)*(k+1)])[c])
			weights += w
		}
	}
	require.InDelta(t, ce/weights, float64(got.Class.Item()), 1e-5)
	require.InDelta(t, l1, float64(got.L1.Item()), 1e-5)
	require.InDelta(t, gi, float64(got.GIoU.Item()), 1e-5)
	require.InDelta(t, ce/weights+5*l1+2*gi, float64(got.Total.Item()), 1e-4)
}

// The slope of the loss along a random direction of all parameters agrees with the gradients.
func TestLossGradient(t *testing.T) {
	m := smallModel(t)
	g := NewGuide(m.Config, tensor.CPU())
	nn.Init(g, 8)
	defer nn.Release(g)
	px := pictures(3)
	cal := tensor.NewScope(tensor.CPU())
	defer cal.Close()
	require.NoError(t, m.Calibrate(cal.FromFloat32s(px, 3, 32, 32, 3)))
	eval := func(s *tensor.Scope) *Losses {
		l, err := m.LossWith(s, s.FromFloat32s(px, 3, 32, 32, 3), someTargets, LossOptions{Guide: g})
		require.NoError(t, err)
		return l
	}
	params := append(nn.Parameters(m), nn.Parameters(g)...)
	s := tensor.NewScope(tensor.CPU(), tensor.WithTape())
	defer s.Close()
	grads := s.Backward(eval(s).Total)
	var slope, norm float64
	direction := map[*tensor.Tensor][]float32{}
	for i, p := range params {
		d := grads.Of(p.Tensor)
		if strings.Contains(p.Name, "running_") {
			require.Nil(t, d, p.Name)
			continue
		}
		require.NotNil(t, d, p.Name)
		dir := make([]float32, p.Len())
		tensor.Key{Seed: 9, Item: uint64(i)}.Normal(dir)
		for j, x := range d.Float32s() {
			dir[j] = x + 0.02*dir[j]
			slope += float64(x) * float64(dir[j])
			norm += float64(dir[j]) * float64(dir[j])
		}
		direction[p.Tensor] = dir
	}
	step := 2e-4 / math.Sqrt(norm)
	at := func(h float64) float64 {
		old := map[*tensor.Tensor][]float32{}
		for p, dir := range direction {
			old[p] = p.Float32s()
			x := p.Float32s()
			for j := range x {
				x[j] += float32(h) * dir[j]
			}
			p.SetData(x)
		}
		s := tensor.NewScope(tensor.CPU(), tensor.WithTape()) // records, so that all layers count
		defer s.Close()
		l := float64(eval(s).Total.Item())
		for p, x := range old {
			p.SetData(x)
		}
		return l
	}
	require.InEpsilon(t, slope, (at(step)-at(-step))/(2*step), 0.01)
}

func TestLossRefusesBadTargets(t *testing.T) {
	m := smallModel(t)
	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	px := s.FromFloat32s(pictures(1), 1, 32, 32, 3)
	for want, targets := range map[string][]Target{
		"2 targets":          {{}, {}},
		"label 3":            {{{Label: 3, Box: [4]float32{0.5, 0.5, 0.1, 0.1}}}},
		"shares":             {{{Label: 1, Box: [4]float32{20, 20, 10, 10}}}},
		"at most num_querie": {make(Target, 6)},
	} {
		_, err := m.Loss(s, px, targets)
		require.ErrorContains(t, err, want)
	}
}

// What follows is the definition of the costs, in float64.

func probabilities(logits []float32) []float64 {
	p, sum := make([]float64, len(logits)), 0.0
	for i, x := range logits {
		p[i] = math.Exp(float64(x))
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// distance is the sum of the absolute differences.
func distance(a, b [4]float32) (d float64) {
	for i := range a {
		d += math.Abs(float64(a[i]) - float64(b[i]))
	}
	return d
}

// giou is the generalised intersection over union, -1..1 (Rezatofighi et al. 2019).
func giou(a, b [4]float64) float64 {
	inter, union := overlap(a, b)
	hull := (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
	if union <= 0 || hull <= 0 {
		return 0
	}
	return inter/union - (hull-union)/hull
}

// Images without any object are compared with "no object" alone.
func TestLossOfNothing(t *testing.T) {
	m := smallModel(t)
	m.Config.AuxiliaryLoss = false
	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	px := s.FromFloat32s(pictures(1), 1, 32, 32, 3)
	l, err := m.Loss(s, px, []Target{{}})
	require.NoError(t, err)
	logits, _ := m.Forward(s, px, nil)
	want, x := 0.0, logits.Float32s()
	for q := range 5 {
		want -= math.Log(probabilities(x[4*q : 4*q+4])[3]) / 5
	}
	require.InDelta(t, want, l.Class.Item(), 1e-5)
	require.InDelta(t, want, l.Total.Item(), 1e-5)
	require.Zero(t, l.L1.Item())
}
