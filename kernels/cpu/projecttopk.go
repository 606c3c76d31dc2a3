package cpu

import (
	"math"
	"unsafe"

	"syntic/kernels"
)

func init() {
	addPanelVariants(kernels.ProjectTopK, (*panel).projectTopK)
	addPanelVariants(kernels.ProjectTopKGrad, (*panel).projectTopKGrad)
	addPanelVariants(kernels.TopK, (*panel).topK)
}

// answer takes what a search finds: it is a search's scores and indices, a projection on the rows that were found, or its gradient.
type answer struct {
	*bank
	score   []float32
	index   []int32
	project *kernels.ProjectTopKArgs
	grad    *kernels.ProjectTopKGradArgs
	all     softmaxes

	listFn, projectFn, gradFn func(q int, found []rank)
}

func (t *answer) init() { t.listFn, t.projectFn, t.gradFn = t.list, t.blend, t.gradient }

// doubles is scratch memory, which begins at a cache line, as float64.
func doubles(f []float32) []float64 {
	return unsafe.Slice((*float64)(unsafe.Pointer(&f[0])), len(f)/2)
}

// weights are the softmax of the scores over tau; they begin with the largest.
func weights(w []float64, found []rank, tau float32) {
	sum := 0.0
	for i, r := range found {
		w[i] = math.Exp((float64(r.score) - float64(found[0].score)) / float64(tau))
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
}

var none = new(kernels.View)

// find is search, by a scan in fewer bits where that is faster.
func (b *bank) find(k int, near, bounds *kernels.View, done func(q int, found []rank)) {
	if s := b.scanned(k, near, bounds); s != nil {
		s.run(done)
		s.put()
		return
	}
	b.search(k, done)
}

func (p *panel) topK(a *kernels.TopKArgs) {
	b := newBank(p, &a.Query, &a.Mem, &a.Exclude)
	t := &b.answer
	t.score, t.index = a.Score.F32(), a.Index.I32()
	b.find(a.Score.Dim(1), &a.Near, &a.Bounds, t.listFn)
	t.score, t.index = nil, nil
	b.put()
}

func (t *answer) list(q int, found []rank) {
	for i, r := range found {
		t.score[q*len(found)+i], t.index[q*len(found)+i] = r.score, r.index
	}
}

func (p *panel) projectTopK(a *kernels.ProjectTopKArgs) {
	mem := &a.Mem
	if mem.DType != kernels.F32 {
		copied := a.Bank()
		mem = &copied
	}
	b := newBank(p, &a.Query, mem, &a.Exclude)
	if a.K == 0 {
		b.blends.tau, b.blends.to, b.blends.scale = a.Tau, a.Out.F32(), 1
		b.blends.run()
	} else {
		b.allRows(a)
		b.answer.project = a
		b.find(a.K, none, none, b.answer.projectFn)
		b.answer.project = nil
	}
	b.put()
}

func (t *answer) blend(q int, found []rank) {
	a, d := t.project, t.d
	t.all.tell(a, q, found)
	sc := getScratch(2 * (len(found) + d))
	defer sc.put()
	f := doubles(sc.f)
	w, o := f[:len(found)], f[len(found):][:d]
	weights(w, found, a.Tau)
	clear(o)
	for i, r := range found {
		for l, x := range t.mem[int(r.index)*d:][:d] {
			o[l] += w[i] * float64(x)
		}
	}
	out := a.Out.F32()[q*d:][:d]
	for l, x := range o {
		out[l] = float32(x)
	}
}

func (p *panel) projectTopKGrad(a *kernels.ProjectTopKGradArgs) {
	if a.Mem.DType == kernels.I8 {
		f, widened := a.Forward(), *a
		widened.Mem, widened.Scale = f.Bank(), kernels.View{}
		a = &widened
	}
	b := newBank(p, &a.Query, &a.Mem, &a.Exclude)
	if a.K == 0 {
		t := &b.blends
		t.tau, t.out, t.dout, t.to, t.scale = a.Tau, a.Out.F32(), a.DOut.F32(), a.DQuery.F32(), 1/a.Tau
		t.run()
	} else {
		b.answer.grad = a
		b.find(a.K, none, none, b.answer.gradFn)
		b.answer.grad = nil
	}
	b.put()
}

func (t *answer) gradient(q int, found []rank) {
	a, d := t.grad, t.d
	sc := getScratch(2 * (2*len(found) + d))
	defer sc.put()
	f := doubles(sc.f)
	w, g, o := f[:len(found)], f[len(found):][:len(found)], f[2*len(found):][:d]
	weights(w, found, a.Tau)
	clear(g)
	clear(o)
	dout := a.DOut.F32()[q*d:][:d]
	mean := 0.0
	for i, r := range found {
		for l, x := range t.mem[int(r.index)*d:][:d] {
			g[i] += float64(x) * float64(dout[l])
		}
		mean += w[i] * g[i]
	}
	for i, r := range found {
		f := w[i] * (g[i] - mean) / float64(a.Tau)
		for l, x := range t.mem[int(r.index)*d:][:d] {
			o[l] += f * float64(x)
		}
	}
	dq := a.DQuery.F32()[q*d:][:d]
	for l, x := range o {
		dq[l] = float32(x)
	}
}
