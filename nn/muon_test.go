package nn_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/nn"
	"syntic/tensor"
)

// reference of a matrix's steps in float64, written out from the formulas of Jordan et al. 2024
type muonRef struct {
	rows, cols int
	p, m       []float64
}

func (r *muonRef) step(g []float32, lr, decay float64) (norm float64) {
	u, n := make([]float64, len(g)), 0.0
	for i, x := range g {
		r.m[i] = 0.95*r.m[i] + 0.05*float64(x)
		u[i] = 0.05*float64(x) + 0.95*r.m[i]
		n += u[i] * u[i]
	}
	for i := range u {
		u[i] /= math.Sqrt(n) + 1e-7
	}
	for range 5 { // x = a·x + (b·A + c·A²)·x with A = x·xᵀ
		a := product(u, r.cols, 1, u, 1, r.cols, r.rows, r.cols, r.rows)
		aa := product(a, r.rows, 1, a, r.rows, 1, r.rows, r.rows, r.rows)
		for i := range a {
			a[i] = -4.7750*a[i] + 2.0315*aa[i]
		}
		y := product(a, r.rows, 1, u, r.cols, 1, r.rows, r.rows, r.cols)
		for i := range u {
			u[i] = 3.4445*u[i] + y[i]
		}
	}
	for i, x := range u {
		r.p[i] = r.p[i]*(1-lr*decay) - lr*0.2*math.Sqrt(float64(max(r.rows, r.cols)))*x
		norm += x * x
	}
	return norm
}

// product is a [m, k] times b [k, n] with the strides of each.
func product(a []float64, ai, ak int, b []float64, bk, bj, m, k, n int) []float64 {
	out := make([]float64, m*n)
	for i := range m {
		for j := range n {
			for l := range k {
				out[i*n+j] += a[i*ai+l*ak] * b[l*bk+j*bj]
			}
		}
	}
	return out
}

func TestMuonAgainstItsFormulas(t *testing.T) {
	dev := tensor.CPU()
	type model struct {
		Wide *nn.Linear `name:"wide"`
		Tall *nn.Linear `name:"tall"`
		Conv *nn.Conv2D `name:"conv"`
		Left *nn.Linear `name:"left"` // takes AdamW's step by name
		Thin *nn.Linear `name:"thin"` // and this one by its size
	}
	m := &model{nn.NewLinear(dev, 40, 24, true), nn.NewLinear(dev, 17, 50, false), nn.NewConv2D(dev, 5, 18, 3, 1, 1), nn.NewLinear(dev, 20, 20, false), nn.NewLinear(dev, 15, 90, false)}
	nn.Init(m, 3)
	ps := nn.Parameters(m)
	const lr, decay = 0.01, 0.5
	muon := nn.NewAdamW(dev, ps, nn.AdamWOptions{Decay: decay, Muon: func(name string) bool { return name != "left.weight" }})
	refs, start := map[string]*muonRef{}, map[string][]float32{}
	for _, p := range ps {
		start[p.Name] = p.Float32s()
		r := &muonRef{rows: p.Dim(0), cols: p.Len() / p.Dim(0), p: make([]float64, p.Len()), m: make([]float64, p.Len())}
		for i, x := range start[p.Name] {
			r.p[i] = float64(x)
		}
		refs[p.Name] = r
	}
	grads := map[string][][]float32{}
	for step := range uint32(3) {
		s := tensor.NewScope(dev, tensor.WithTape())
		loss := s.Zeros(1)
		for i, p := range ps { // whose gradient is a given one
			g := s.Randn(tensor.Key{Seed: 5, Item: uint64(i), Step: step}, p.Shape()...)
			grads[p.Name] = append(grads[p.Name], g.Float32s())
			loss = s.Add(loss, s.SumAll(s.Mul(p.Tensor, g)))
		}
		muon.Step(s, s.Backward(loss), lr)
		s.Close()
	}
	for _, name := range []string{"wide.weight", "tall.weight", "conv.weight"} {
		r := refs[name]
		for _, g := range grads[name] {
			size := r.step(g, lr, decay)
			require.InEpsilon(t, min(r.rows, r.cols), size, 0.35, name) // singular values near 1
		}
		for _, p := range ps {
			if p.Name == name {
				for i, x := range p.Float32s() {
					require.InDelta(t, r.p[i], x, 2e-5, name)
				}
			}
		}
	}
	for _, name := range []string{"wide.bias", "left.weight", "thin.weight"} { // as without Muon
		for i, p := range ps {
			if p.Name != name {
				continue
			}
			x := tensor.NewParameter(dev, p.Shape()...)
			x.SetData(start[name])
			a := nn.NewAdamW(dev, []nn.Named{{Name: name, Tensor: x}}, nn.AdamWOptions{Decay: decay})
			for step := range uint32(3) {
				s := tensor.NewScope(dev, tensor.WithTape())
				a.Step(s, s.Backward(s.SumAll(s.Mul(x, s.Randn(tensor.Key{Seed: 5, Item: uint64(i), Step: step}, p.Shape()...)))), lr)
				s.Close()
			}
			require.Equal(t, x.Float32s(), p.Float32s(), name)
		}
	}
}
