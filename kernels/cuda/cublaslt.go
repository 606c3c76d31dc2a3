//go:build cuda

package cuda

import (
	"fmt"
	"sync"
	"sync/atomic"

	"syntic/kernels"
	"syntic/kernels/cuda/cublaslt"
	"syntic/kernels/cuda/driver"
)

func init() {
	for _, format := range append([]kernels.DType{kernels.F32}, productFormats...) {
		v := kernels.Variant[kernels.GEMMArgs]{Name: "cublaslt", Rank: 50, Operands: format, Note: "NVIDIA's library, where a record says that it was faster",
			Usable: func(a *kernels.GEMMArgs) bool { return lt.takes(a, format) },
			Run:    func(s *kernels.Stream, a *kernels.GEMMArgs) error { return gemmLt(s, a, format) }}
		if format != kernels.F32 {
			v.Name, v.Rank, v.Note = "cublaslt_"+format.String(), 4, onlyByName(format)+" or of another variant of them, where a record says that it was faster"
			v.Instead = []string{"mma_" + format.String(), "wgmma_" + format.String()}
		}
		add(kernels.GEMM, v)
	}
}

// ltShape is a product as the library sees it, and a class of products if the sizes that vary most, batch and M, are rounded up to powers of two.
type ltShape struct {
	format, weight                                         kernels.DType // of products; of B in memory
	batch, m, n, k                                         int
	transA, transB, oneA, oneB, bias, residual, accumulate bool
}

// shapeOf is false for products that the library does not take.
func shapeOf(a *kernels.GEMMArgs, format kernels.DType) (x ltShape, ok bool) {
	x = ltShape{format: format, weight: a.B.DType, transA: a.TransA, transB: a.TransB, bias: !a.Bias.Absent(), residual: !a.Residual.Absent(), accumulate: a.Accumulate}
	x.batch, x.m, x.n, x.k = a.Sizes()
	x.oneA, x.oneB = x.batch > 1 && a.A.Dim(0) == 1, x.batch > 1 && a.B.Dim(0) == 1
	for _, v := range []*kernels.View{&a.A, &a.B, &a.Out, &a.Bias, &a.Residual} {
		if !v.Absent() && uintptr(v.Ptr())%16 != 0 {
			return x, false
		}
	}
	if !isF32(&a.A, &a.Out, &a.Bias, &a.Residual) || x.residual && x.accumulate || min(x.batch, x.m, x.n, x.k) < 1 {
		return x, false
	}
	return x, x.weight == kernels.F32 || x.weight <= kernels.F16 && format.Size() == 2
}

// class is the class of products whose measurement counts for this one.
func (x ltShape) class() ltShape {
	x.batch, x.m = powerOfTwo(x.batch), powerOfTwo(x.m)
	return x
}

func powerOfTwo(n int) int {
	p := 1
	for p < n {
		p *= 2
	}
	return p
}

// rounded is how many numbers lie from row to row of operands that are rounded, along K.
func (x ltShape) rounded() int { return roundUp(x.k, 8) }

// inPlace tells whether B is read where it lies.
func (x ltShape) inPlace() bool {
	inner := x.n
	if x.transB {
		inner = x.k
	}
	return x.format.Size() == 4 || x.weight == x.format && inner%8 == 0
}

// product is what the library is told.
func (x ltShape) product() cublaslt.Product {
	p := cublaslt.Product{Compute: cublaslt.InF32, Numbers: cublaslt.F32, TransA: x.transA, TransB: x.transB, M: x.m, N: x.n, K: x.k, Batch: x.batch, LDA: x.k, LDB: x.n}
	switch x.format {
	case kernels.TF32:
		p.Compute = cublaslt.InTF32
	case kernels.BF16:
		p.Numbers = cublaslt.BF16
	case kernels.F16:
		p.Numbers = cublaslt.F16
	}
	rowsA, rowsB := x.m, x.k
	if x.transA {
		p.LDA, rowsA = x.m, x.k
	}
	if x.transB {
		p.LDB, rowsB = x.k, x.n
	}
	if x.format.Size() == 2 {
		p.TransA, p.LDA, rowsA = false, x.rounded(), x.m
		if !x.inPlace() {
			p.TransB, p.LDB, rowsB = true, x.rounded(), x.n
		}
	}
	if !x.oneA {
		p.StepA = rowsA * p.LDA
	}
	if !x.oneB {
		p.StepB = rowsB * p.LDB
	}
	p.Biased = x.bias
	if p.Alpha = 1; x.residual || x.accumulate {
		p.Beta = 1
	}
	return p
}

// ltPlan is how a product is computed.
type ltPlan struct {
	way   cublaslt.Way
	needs int // bytes of work space
}

// ltLibrary is what this process knows of the library: the record, and which ways take which products.
type ltLibrary struct {
	awake    atomic.Bool // there is a record, or it is being made
	mu       sync.Mutex
	record   *ltRecord
	plans    map[ltShape]*ltPlan // nil: not taken
	trial    *ltPlan             // taken for every product meanwhile
	seen     map[ltShape]bool    // what is asked for; nil: nobody wants to know
	handles  map[*driver.Context]*cublaslt.Handle
	starting sync.Mutex
}

var lt ltLibrary

// takes tells whether the library computes this product.
func (l *ltLibrary) takes(a *kernels.GEMMArgs, format kernels.DType) bool {
	if !l.awake.Load() {
		return false
	}
	x, ok := shapeOf(a, format)
	l.see(x)
	return ok && l.plan(x) != nil
}

// see notes a product for whoever wants to know, whatever its format.
func (l *ltLibrary) see(x ltShape) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen != nil {
		x.format = kernels.F32
		l.seen[x.class()] = true
	}
}

// plan is how the record wants a product computed; nil if it does not, or if the way that it names does not take just this product.
func (l *ltLibrary) plan(x ltShape) *ltPlan {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.trial != nil || l.record == nil {
		return l.trial
	}
	p, known := l.plans[x]
	if known {
		return p
	}
	if e := l.record.find(x.class()); e != nil && e.Micros < e.OwnMicros {
		if d, err := open(0); err == nil {
			if needs, err := l.check(d, x, &e.way); err == nil {
				p = &ltPlan{e.way, needs}
			}
		}
	}
	if l.plans == nil {
		l.plans = map[ltShape]*ltPlan{}
	}
	l.plans[x] = p
	return p
}

func (l *ltLibrary) check(d *device, x ltShape, way *cublaslt.Way) (needs int, err error) {
	h, err := l.handle(d)
	if err != nil {
		return 0, err
	}
	err = d.ctx.Do(func() error {
		p := x.product()
		needs, err = h.Check(&p, way)
		return err
	})
	return needs, err
}

// handle is the library in a device's context.
func (l *ltLibrary) handle(d *device) (h *cublaslt.Handle, err error) {
	l.starting.Lock()
	defer l.starting.Unlock()
	if h = l.handles[d.ctx]; h != nil {
		return h, nil
	}
	if err = d.ctx.Do(func() error { h, err = cublaslt.New(); return err }); err != nil {
		return nil, err
	}
	if l.handles == nil {
		l.handles = map[*driver.Context]*cublaslt.Handle{}
	}
	l.handles[d.ctx] = h
	return h, nil
}

// gemmLt rounds the operands, where a format of 16 bits asks for it, has the library multiply them and add what is to be added, and applies the activation.
func gemmLt(s *kernels.Stream, a *kernels.GEMMArgs, format kernels.DType) error {
	d := of(s)
	x, ok := shapeOf(a, format)
	plan := lt.plan(x)
	if !ok || plan == nil {
		return fmt.Errorf("cuBLASLt: no record that it was faster for %s", x.class())
	}
	h, err := lt.handle(d)
	if err != nil {
		return err
	}
	p, left, right := x.product(), a.A.Ptr(), a.B.Ptr()
	var ws arena
	need, at, bt := ws.take(plan.needs), part(-1), part(-1)
	if format.Size() == 2 {
		at = ws.take(2 * a.A.Dim(0) * x.m * p.LDA)
		if !x.inPlace() {
			bt = ws.take(2 * a.B.Dim(0) * x.n * p.LDB)
		}
	}
	if ws.bytes > 0 {
		if err := ws.alloc(s); err != nil {
			return err
		}
		defer ws.space.free()
	}
	if at >= 0 {
		left = ws.at(at, 0)
		if err := roundRows(s, format, &a.A, left, a.A.Dim(0), x.m, x.k, p.LDA, a.TransA); err != nil {
			return err
		}
	}
	if bt >= 0 {
		right = ws.at(bt, 0)
		if err := roundRows(s, format, &a.B, right, a.B.Dim(0), x.n, x.k, p.LDB, !a.TransB); err != nil {
			return err
		}
	}
	adds := a.Out.Ptr()
	if x.residual {
		adds = a.Residual.Ptr()
	}
	p.Alpha, p.Bias = a.Alpha, a.Bias.Ptr()
	if err := d.stream.Put("cublasLtMatmul", func() error {
		return h.Run(&p, left, right, adds, a.Out.Ptr(), &plan.way, ws.at(need, 0), plan.needs, d.stream.Handle())
	}); err != nil || a.Act == kernels.ActNone {
		return err
	}
	return launch(s, "unary_f32", each(a.Out.Len()), int32(a.Act), a.Out, a.Out, int64(a.Out.Len()))
}
