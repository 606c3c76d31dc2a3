package nn

import (
	"math"

	"syntic/tensor"
)

// muonMomentum and muonRMS are the settings of Jordan et al. 2024 and of Liu et al. 2025 ("Muon is Scalable for LLM Training", section 2.2):
// the latter makes an update as large as AdamW's usually are, so that both take the same learning rate.
const muonMomentum, muonRMS = 0.95, 0.2

// minMatrix is the least number of rows and columns of what counts as a matrix here.
const minMatrix = 16

// asMatrix gives the sizes of a weight as a matrix: outputs by all the rest, as linear layers and convolutions lie in memory. Vectors and
// very narrow weights are none.
func asMatrix(t *tensor.Tensor) (rows, cols int, ok bool) {
	if t.Rank() < 2 {
		return 0, 0, false
	}
	rows = t.Dim(0)
	cols = t.Len() / rows
	return rows, cols, min(rows, cols) >= minMatrix
}

// matrixStep is what a step needs of a matrix: parameter, gradient and momentum.
type matrixStep struct {
	p, grad, m *tensor.Tensor
	lr, decay  float32
}

// muon is one step of Muon (Jordan et al. 2024): momentum m of the gradient, ahead by one step (Nesterov), made nearly orthogonal, and decay
// decoupled from the gradient. clip multiplies the gradient. The host waits for the norms of all matrices at once.
func muon(s *tensor.Scope, list []matrixStep, clip float32) {
	c := s.Child()
	defer c.Close()
	ahead, norms := make([]*tensor.Tensor, len(list)), make([]*tensor.Tensor, len(list))
	for i, x := range list {
		rows, cols, _ := asMatrix(x.p)
		g := x.grad
		if clip != 1 {
			g = c.Scale(g, clip)
		}
		c.Lerp(x.m, g, 1-muonMomentum)
		ahead[i] = c.Reshape(c.AddScaled(g, 1-muonMomentum, x.m, muonMomentum), rows, cols)
		norms[i] = c.SumSquares(ahead[i])
	}
	read := tensor.Fetch(norms...)
	for i, x := range list {
		one := c.Child()
		rows, cols, _ := asMatrix(x.p)
		u := orthogonal(one, ahead[i], math.Sqrt(float64(read[i].Floats[0])))
		one.Move(x.p, 1-x.lr*x.decay, one.Reshape(u, x.p.Shape()...), -x.lr*muonRMS*float32(math.Sqrt(float64(max(rows, cols)))))
		one.Close()
	}
}

// orthogonal moves the singular values of x [R, C] to about 1 (.7 to 1.2) and keeps its singular vectors: five Newton-Schulz steps with the
// polynomial 3.4445 x − 4.7750 x³ + 2.0315 x⁵ of Jordan et al. 2024, after a division by the norm.
func orthogonal(s *tensor.Scope, x *tensor.Tensor, norm float64) *tensor.Tensor {
	tall := x.Dim(0) > x.Dim(1)
	x = s.Scale(x, float32(1/(norm+1e-7)))
	for range 5 {
		a := s.MatMul(x, x, tall, !tall) // x·xᵀ, or xᵀ·x where that is smaller
		b := s.AddScaled(a, -4.7750, s.MatMul(a, a, false, false), 2.0315)
		y := b
		if tall {
			y = s.MatMul(x, b, false, false)
		} else {
			y = s.MatMul(b, x, false, false)
		}
		x = s.AddScaled(x, 3.4445, y, 1)
	}
	return x
}
