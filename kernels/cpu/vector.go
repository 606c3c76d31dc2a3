package cpu

import "syntic/kernels"

// vector is a set of loops over contiguous float32, one set for each instruction set; slices of a call have the same length. Elementwise
// results may overwrite an operand of the same place. Sums are taken in an order that depends on the length alone.
type vector struct {
	level   isa
	act     [16]func(dst, x []float32)              // dst = F(x), by kernels.Act
	actGrad [16]func(dx, x, dout []float32)         // dx = dout·F'(x)
	axpby   func(dst, a, b []float32, p, q float32) // dst = p·a + q·b
	mul     func(dst, a, b []float32, p float32)    // dst = p·a·b
	affine  func(dst, x []float32, p, q float32)    // dst = p·x + q
	lerp    func(x, y []float32, t float32)         // x += t·(y − x)
	larger  func(dst, x []float32)                  // dst = the larger of both; NaN is larger than all
	sum     func(x []float32) float32
	dot     func(a, b []float32) float32
	sqDev   func(x []float32, m float32) float32             // Σ (x − m)²
	maxOf   func(x []float32) float32                        // NaN is ignored
	expSum  func(dst, x []float32, top float32) float32      // dst = exp(x − top), and its sum
	subMul  func(dst, d, o []float32, s float32)             // dst = (d − s)·o
	normRow func(dst, x, gain, bias []float32, m, r float32) // dst = (x − m)·r·gain + bias
	dotDev  func(x, d, gain []float32, m float32) float32    // Σ (x − m)·d·gain
	rowGrad func(dx, x, d, gain []float32, m, a, b, c float32)
	addDev  func(acc, d, x []float32, m, r float32) // acc += d·(x − m)·r

	normCols  func(dst, x, mean, scale, bias []float32) // dst = (x − mean)·scale + bias
	sqDevCols func(acc, x, mean []float32)              // acc += (x − mean)²
	mulDev    func(acc, d, x, mean []float32)           // acc += d·(x − mean)
	gradCols  func(dx, d, x, mean, k1, k2, k3 []float32)
	adamw     func(p, g, m, v []float32, c *adamwConst)

	keep     func(dst, x, u []float32, p, scale float32)     // dst = x·scale where u ≥ p, else 0
	uniforms func(dst []float32, key *kernels.Key, i uint32) // Key.Uniform's numbers from block i on; the length is a multiple of 64
}

// adamwConst are AdamW's factors, in the order in which the assembly reads them.
type adamwConst struct{ grad, b1, c1, b2, c2, keep, step, root, eps float32 }

// vectors lists the sets, the slowest first.
var vectors = append([]*vector{goVector()}, vectorsASM()...)

// addVector registers a variant of op for every set.
func addVector[A any](op *kernels.Op[A], note string, run func(v *vector, a *A)) {
	for _, v := range vectors {
		op.Add(kernels.Variant[A]{Name: v.level.String(), Device: kernels.CPU, Rank: 10 * int(v.level), Available: needs(v.level), Note: note,
			Run: func(_ *kernels.Stream, a *A) error { run(v, a); return nil }})
	}
}

// addGo registers a variant that no instruction set makes faster.
func addGo[A any](op *kernels.Op[A], note string, run func(a *A)) {
	op.Add(kernels.Variant[A]{Name: "go", Device: kernels.CPU, Note: note, Run: func(_ *kernels.Stream, a *A) error { run(a); return nil }})
}

// grain is how many elements a piece of elementwise work has: 64 KiB an operand, so that a chain of loops over a piece stays in the L2 cache.
const grain = 1 << 14

// rowGrain is how many rows of c elements make a piece.
func rowGrain(c int) int { return max(1, grain/c) }

// pieceRows is how many rows of c elements are added up in float32 before float64 takes over.
func pieceRows(c int) int { return min(64, rowGrain(c)) }
