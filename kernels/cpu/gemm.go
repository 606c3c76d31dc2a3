package cpu

import "syntic/kernels"

func init() {
	for i, m := range micros {
		kernels.GEMM.Add(kernels.Variant[kernels.GEMMArgs]{
			Name: m.name, Device: kernels.CPU, Rank: 10 + i, Note: m.note, Available: needs(m.level),
			Usable: gemmUsable,
			Run:    func(_ *kernels.Stream, a *kernels.GEMMArgs) error { m.gemm(a); return nil },
		})
	}
}

func gemmF32(a *kernels.GEMMArgs) bool {
	_, m, n, k := a.Sizes()
	return a.A.DType == kernels.F32 && a.B.DType == kernels.F32 && a.Out.DType == kernels.F32 && m > 0 && n > 0 && k > 0
}

// gemmUsable is gemmF32 with B in any format in which weights are stored.
func gemmUsable(a *kernels.GEMMArgs) bool {
	_, m, n, k := a.Sizes()
	return a.A.DType == kernels.F32 && isWeight(&a.B) && a.Out.DType == kernels.F32 && m > 0 && n > 0 && k > 0
}

// gemm computes every product of the batch.
func (m *micro) gemm(a *kernels.GEMMArgs) {
	batch, mm, n, k := a.Sizes()
	if m.pairs != nil && n <= narrowN {
		m = m.pairs.plain
	}
	if batch > 1 && a.B.Dim(0) == 1 && a.A.Dim(0) == batch && !a.TransA {
		batch, mm = 1, batch*mm // one matrix of all rows
	}
	p := product{m: mm, n: n, k: k, alpha: a.Alpha, accumulate: a.Accumulate, act: a.Act, bias: a.Bias.F32(), res: a.Residual.F32(), out: a.Out.F32()}
	var panels []float32
	if mm <= keptRows && a.B.Dim(0) == 1 {
		panels = m.kept(&a.B, n, k, k, a.TransB)
	}
	if m.pairs == nil {
		p.a, p.b = matrix(a.A.F32(), mm, k, !a.TransA), weight(&a.B, n, k, a.TransB)
	} else {
		p.k = ceilDiv(k, 2)
		if a.TransA || batch > 1 {
			x := m.pairs.matrices(a.A.F32(), mm, k, !a.TransA)
			defer x.put()
			p.a = matrix(x.f, mm, p.k, !a.TransA)
		} else {
			p.a = matrix(a.A.F32(), mm, k, true)
			p.a.round, p.a.whole = m.pairs, k
		}
		if panels == nil {
			y, own := m.pairs.weight(m.level, &a.B, n, k, a.TransB)
			defer own.put()
			p.b = matrix(y, n, p.k, a.TransB)
		}
	}
	p.b.panels, p.b.width, p.b.whole = panels, m.nr, p.k
	if batch == 1 {
		m.multiply(&p, small(&p))
		return
	}
	m.batched(a, p)
}

// matrix is an operand of rows by depth k that lies in memory as such (deep), or transposed.
func matrix(data []float32, rows, k int, deep bool) operand {
	if deep {
		return operand{data: data, ld: k, deep: true}
	}
	return operand{data: data, ld: rows}
}

// batched computes products p of every operand of the batch: large ones share the processors one after the other, small ones are dealt out.
func (m *micro) batched(a *kernels.GEMMArgs, all product) {
	batch, mm, n, k := a.Out.Dim(0), all.m, all.n, all.k
	stepA, stepB := mm*k, k*n
	if a.A.Dim(0) == 1 {
		stepA = 0
	}
	if a.B.Dim(0) == 1 {
		stepB = 0
	}
	w := batchWork{m, all, stepA, stepB}
	if 2*mm*n*k >= 16*taskFLOPs {
		for i := range batch {
			w.one(i, false)
		}
		return
	}
	batchPieces.ranges(batch, max(1, taskFLOPs/4/(2*mm*n*k)), w)
}

// batchWork is a product of every operand of a batch.
type batchWork struct {
	m            *micro
	all          product
	stepA, stepB int // values from one operand to the next
}

var batchPieces = newSpread(func(w *batchWork, lo, hi int) {
	for i := lo; i < hi; i++ {
		w.one(i, true)
	}
})

// one computes the i-th product.
func (w *batchWork) one(i int, serial bool) {
	p, size := w.all, w.all.m*w.all.n
	p.a.skipRaw(i * w.stepA)
	p.b.skipRaw(i * w.stepB)
	p.out = p.out[i*size:]
	if p.res != nil {
		p.res = p.res[i*size:]
	}
	w.m.multiply(&p, serial)
}
