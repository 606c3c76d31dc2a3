package cpu

import (
	"math"

	"syntic/kernels"
)

//go:generate go run ./gen/panel -out panel_amd64.s -stubs panel_stubs_amd64.go -pkg cpu

// panel is a set of inner routines for ops that work on small tiles in scratch: products of a few dozen rows with panels of 16 columns, and the
// exponentials of softmax. There is one set an instruction set, and one in Go. Lengths and numbers of columns are multiples of 16; tiles are padded.
// Sums run in an order that depends on the position of the result alone, not on how many rows or columns are asked for at once.
type panel struct {
	name      string
	rank      int
	note      string
	available func() bool // nil: always

	lanes     int                                           // rows that transpose takes at once; 0: there is none
	transpose func(dst []float32, src []float32, ld, n int) // dst[l·16 + j] = src[j·ld + l] for lanes rows j and 4n columns l

	// product is C[m, n] = A·B, or C += A·B with add. A's element (i, l) is a[i·ars + l·aks], C's (i, j) is c[i·ldc + j], B's (l, j) is
	// b[j/16·bo + l·ldb + j%16]: rows of a matrix with bo = 16, or packed panels. Sums run along l from zero.
	product func(c []float32, ldc int, a []float32, ars, aks int, b []float32, ldb, bo int, m, n, k int, add bool)
	maxRow  func(x []float32) float32                                      // the largest
	expRow  func(dst, src []float32, sub float32) float32                  // dst = exp(src − sub), and their sum
	expPair func(dst, src, colSub, colScale []float32, sub, scale float32) // dst = scale·exp(src − sub) + colScale·exp(src − colSub)
	maxCols func(top, src []float32, ld, rows int)                         // top[16] = max(top, rows of src)
	expCols func(dst, sum, src, top []float32, ld, rows int)               // dst = exp(src − top[16]), sum[16] += rows of dst
	mulSub  func(dst, p, x []float32, sub float32)                         // dst = p·(x − sub)
	scale   func(x []float32, a, b float32)                                // x = a·x + b
	dotRow  func(x, y []float32) float32                                   // Σ x·y
}

var panels = append(simdPanels(), goPanel())

// addPanelVariants registers one variant of an op a panel.
func addPanelVariants[A any](op *kernels.Op[A], run func(p *panel, a *A)) {
	for _, p := range panels {
		op.Add(kernels.Variant[A]{Name: p.name, Device: kernels.CPU, Rank: p.rank, Note: p.note, Available: p.available,
			Run: func(_ *kernels.Stream, a *A) error { run(p, a); return nil }})
	}
}

func round16(n int) int { return (n + 15) &^ 15 }

var (
	negInf = float32(math.Inf(-1))
	posInf = float32(math.Inf(1))
)

// packCols writes rows 0..n-1 of src, ld apart and k long, as the columns of panels: dst[j/16·k·16 + l·16 + j%16] = src[j·ld + l].
// Columns beyond n up to a multiple of 16 are zero. It fills round16(n)·k numbers.
func (p *panel) packCols(dst, src []float32, ld, n, k int) {
	for j := 0; j < n; j += 16 {
		to, c, whole := dst[j*k:(j+16)*k], 0, min(16, n-j)
		if whole < 16 {
			clear(to)
		}
		if p.lanes > 0 && k >= 4 {
			for ; c+p.lanes <= whole; c += p.lanes {
				at := (j + c) * ld
				p.transpose(to[c:], src[at:at+(p.lanes-1)*ld+k], ld, k/4)
				for l := k &^ 3; l < k; l++ {
					for i := range p.lanes {
						to[l*16+c+i] = src[at+i*ld+l]
					}
				}
			}
		}
		for ; c < whole; c++ {
			at, out := (j+c)*ld, to[c:]
			for l, x := range src[at : at+k : at+k] {
				out[l*16] = x
			}
		}
	}
}

// packRows copies n rows of src, ld apart and k long, to rows round16(k) apart, times scale and padded with zeros.
func packRows(dst, src []float32, ld, n, k int, scale float32) {
	kp := round16(k)
	for i := range n {
		to, from := dst[i*kp:(i+1)*kp], src[i*ld:i*ld+k]
		if scale == 1 {
			copy(to, from)
		} else {
			for l, x := range from {
				to[l] = scale * x
			}
		}
		clear(to[k:])
	}
}

// take cuts the first n numbers off scratch memory.
func take(s *[]float32, n int) []float32 {
	t := (*s)[:n:n]
	*s = (*s)[n:]
	return t
}
