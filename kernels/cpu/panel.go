package cpu

import (
	"math"
	"unsafe"

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

	transposes []transpose // the widest first; none: Go loops

	// product is C[m, n] = A·B, or C += A·B with add. A's element (i, l) is a[i·ars + l·aks], C's (i, j) is c[i·ldc + j], B's (l, j) is
	// b[j/16·bo + l·ldb + j%16]: rows of a matrix with bo = 16, or packed panels. Sums run along l from zero.
	product  func(c []float32, ldc int, a []float32, ars, aks int, b []float32, ldb, bo int, m, n, k int, add bool)
	maxRow   func(x []float32) float32                                                   // the largest
	expRow   func(dst, src []float32, sub float32) float32                               // dst = exp(src − sub), and their sum
	expPair  func(dst, src, colSub, colScale []float32, sub, scale float32)              // dst = scale·exp(src − sub) + colScale·exp(src − colSub)
	maxCols  func(top, src []float32, ld, rows int)                                      // top[16] = max(top, rows of src)
	expCols  func(dst, sum, src, top []float32, ld, rows int)                            // dst = exp(src − top[16]), sum[16] += rows of dst
	topCols  func(top, keep, sum, src []float32, ld, rows int, mul float32) (moved bool) // top[16] = max(top, mul · rows of src), keep[16] = 2^(old top − top), sum[16] *= keep
	exp2Cols func(dst, sum, src, top []float32, ld, rows int, mul float32)               // dst = 2^(mul·src − top[16]), sum[16] += rows of dst
	mulCols  func(x, f []float32, ld, rows int)                                          // rows of x *= f[16]
	notBelow func(hits []uint32, src, least []float32, ld, rows int)                     // the bits of hits[row] tell which of src's 16 columns are not less than least
	mulSub   func(dst, p, x []float32, sub float32)                                      // dst = p·(x − sub)
	scale    func(x []float32, a, b float32)                                             // x = a·x + b
	dotRow   func(x, y []float32) float32                                                // Σ x·y

	// Of attention over few keys (attention_few.go); nil: it goes the way of many. soft is the softmax of 16 or 32 columns in place: src = 2^(mul·src − top), and what it found.
	// Of 16 columns, column c has c rows more than the first, which has `whole`; rows below become 0. attend is C[i] = f[i] · Σ_l p[l·ldp + i] · X[l] for
	// rows of d numbers, its sums in order of l from zero.
	// scores are products of `keys` rows of k numbers with n queries, nil: product does it.
	soft   func(s []float32, ld, cols, rows, whole int, mul float32, st softStats)
	attend func(c []float32, ldc int, p []float32, ldp int, x []float32, ldx int, f []float32, rows, k, d int, next *ahead)
	scores func(c []float32, ldc int, a []float32, ars int, b []float32, bo, keys, n, k int, next *ahead)

	// Of memory banks, for one query; nil: product does it. dots are the products of n rows of mem, d numbers each, with it, for n up to memRows and d multiples of 16;
	// blend adds n rows of mem, d numbers each, times w to acc, as product with add does, for d a multiple of 256. blend reads ahead.
	dots  func(dst, mem, query []float32, d, n int)
	blend func(acc, mem, w []float32, d, n int)
	scan  *scanner // nil: searches are in float32 throughout
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
		to, whole := dst[j*k:(j+16)*k], min(16, n-j)
		if whole < 16 {
			clear(to)
		}
		p.turn(to, 16, src[j*ld:], ld, whole, k)
	}
}

// turn transposes n rows of k numbers: dst[l·step + j] = src[j·ld + l].
func (p *panel) turn(dst []float32, step int, src []float32, ld, n, k int) {
	j := 0
	for _, t := range p.transposes {
		if k < 4 {
			break
		}
		for ; j+t.lanes <= n; j += t.lanes {
			from := src[j*ld:]
			_, _ = from[(t.lanes-1)*ld+k-1], dst[(k-1)*step+j+t.lanes-1]
			t.run(unsafe.Pointer(&dst[j]), uintptr(4*step), unsafe.Pointer(&from[0]), uintptr(4*ld), uintptr(k/4))
			for l := k &^ 3; l < k; l++ {
				for i := range t.lanes {
					dst[l*step+j+i] = from[i*ld+l]
				}
			}
		}
	}
	for ; j < n; j++ {
		out := dst[j:]
		for l, x := range src[j*ld:][:k:k] {
			out[l*step] = x
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

// loops are the vector loops of the same instruction set.
func (p *panel) loops() *vector {
	for _, v := range vectors {
		if v.level.String() == p.name {
			return v
		}
	}
	return vectors[0]
}
