//go:build cuda

package cuda

import (
	"fmt"
	"math"
	"sync"
	"unsafe"

	"syntic/kernels"
	"syntic/kernels/cuda/cublaslt"
	"syntic/kernels/cuda/driver"
)

// loadLt loads the record once, before the first device is used.
var loadLt = sync.OnceValues(lt.load)

const (
	mostWays  = 8        // of the library that are measured
	workBytes = 32 << 20 // that a way may need
)

// WatchGEMM notes the products that are asked for.
func (backend) WatchGEMM(on bool) (list [][]int) {
	lt.mu.Lock()
	defer lt.mu.Unlock()
	for x := range lt.seen {
		list = append(list, x.dims())
	}
	if lt.seen = nil; on {
		lt.seen = map[ltShape]bool{}
	}
	lt.wake()
	return list
}

// wake is whether there is anything to ask; mu is held.
func (l *ltLibrary) wake() { l.awake.Store(l.seen != nil || l.trial != nil || l.record != nil) }

// dims are the sizes as kernels.GEMM has them in Dims.
func (x ltShape) dims() []int {
	bit := func(set bool, b int) int {
		if set {
			return b
		}
		return 0
	}
	extra := bit(x.bias, 1) | bit(x.residual, 2) | bit(x.accumulate, 4) | bit(x.oneB, 16) | bit(x.weight == kernels.BF16, 32) | bit(x.weight == kernels.F16, 64)
	return []int{x.batch, x.m, x.n, x.k, bit(x.transA, 1), bit(x.transB, 1), extra}
}

// shapeFrom is the product of such sizes.
func shapeFrom(t kernels.TunedShape) (x ltShape, ok bool) {
	d := t.Dims
	e := d[6]
	x = ltShape{format: t.Format, weight: kernels.F32, batch: d[0], m: d[1], n: d[2], k: d[3], transA: d[4] == 1, transB: d[5] == 1, oneB: d[0] > 1 && e&16 != 0,
		bias: e&1 != 0, residual: e&2 != 0, accumulate: e&4 != 0}
	switch {
	case e&32 != 0:
		x.weight = kernels.BF16
	case e&64 != 0:
		x.weight = kernels.F16
	}
	return x, !(x.residual && x.accumulate) && min(x.batch, x.m, x.n, x.k) > 0 && (x.weight == kernels.F32 || x.format.Size() == 2)
}

// TuneGEMM measures a product. A way of the library counts only if it gives what the engine's own kernels give, twice with the same bits.
func (backend) TuneGEMM(s *kernels.Stream, shape kernels.TunedShape, clock func(run func() error) (float64, error)) (t kernels.Tuned, err error) {
	t = kernels.Tuned{Shape: shape, OwnSeconds: math.Inf(1), Seconds: math.Inf(1), Variant: "cublaslt"}
	if shape.Format != kernels.F32 {
		t.Variant += "_" + shape.Format.String()
	}
	dims := append([]int(nil), shape.Dims...)
	dims[6] &^= 8 // an activation is a pass of its own, whatever it is
	c := kernels.GEMM.NewCaseOf(dims, 1)
	if err := c.Check(); err != nil {
		return t, fmt.Errorf("gemm: %w", err)
	}
	x, ok := shapeFrom(kernels.TunedShape{Format: shape.Format, Dims: dims})
	t.Class = x.class().String()
	if !ok {
		t.Why = "no product for it"
		return t, nil
	}
	m := &measuring{s: s, c: c, sums: dims[6]&4 != 0, b: kernels.BackendOf(kernels.CUDA)}
	back, err := c.MoveTo(m.b, s)
	if err != nil {
		return t, err
	}
	defer back(false)
	var want []float32
	for _, v := range kernels.GEMM.VariantList() {
		if v.Device != kernels.CUDA || v.Operands != shape.Format || v.Name == t.Variant || !v.Available || !c.Usable(v.Name) {
			continue
		}
		if want, err = m.result(v.Name); err != nil {
			return t, err
		}
		took, err := clock(func() error { return c.Run(s, v.Name) })
		if err != nil {
			return t, err
		}
		if took < t.OwnSeconds {
			t.Own, t.OwnSeconds = v.Name, took
		}
	}
	if t.Own == "" {
		t.Why = "no variant of ours to measure against"
		return t, nil
	}
	return t, m.ways(&t, x, want, clock)
}

// measuring is a product in memory of the device.
type measuring struct {
	s    *kernels.Stream
	c    *kernels.Case
	b    kernels.Backend
	sums bool // Out is added to
}

// result runs a variant on a fresh Out.
func (m *measuring) result(variant string) ([]float32, error) {
	out := m.c.Out[0]
	if m.sums {
		if err := m.b.(kernels.Filler).Fill(m.s, out.Ptr(), 0, out.Len()); err != nil {
			return nil, err
		}
	}
	if err := m.c.Run(m.s, variant); err != nil {
		return nil, err
	}
	host := make([]float32, out.Len())
	return host, m.b.CopyOut(m.s, unsafe.Pointer(&host[0]), out.Ptr(), out.Bytes())
}

// ways measures those that the library proposes.
func (m *measuring) ways(t *kernels.Tuned, x ltShape, want []float32, clock func(run func() error) (float64, error)) error {
	d := of(m.s)
	h, err := lt.handle(d)
	if err != nil {
		t.Why = err.Error()
		return nil
	}
	var ways []cublaslt.Way
	var needs []int
	p := x.product()
	err = d.ctx.Do(func() (err error) { ways, needs, err = h.Ways(&p, workBytes, mostWays); return err })
	if err != nil {
		t.Why = err.Error()
		return nil
	}
	defer lt.try(nil)
	for i, way := range ways {
		lt.try(&ltPlan{way, needs[i]})
		first, err := m.result(t.Variant)
		if err != nil {
			return err
		}
		again, err := m.result(t.Variant)
		if err != nil {
			return err
		}
		if why := unlike(want, first, again, x); why != "" {
			t.Why = why
			continue
		}
		took, err := clock(func() error { return m.c.Run(m.s, t.Variant) })
		if err != nil {
			return err
		}
		if t.Ways++; took < t.Seconds {
			t.Seconds, t.Entry = took, entryOf(x.class(), t.Own, t.OwnSeconds, took, way)
		}
	}
	if t.Ways > 0 {
		t.Why = ""
	}
	return nil
}

// unlike says what is wrong with the results of a way, "" if nothing is: sums of K rounded products in two orders differ by their roundings, relative to the largest.
// TF32 is cut off by the chip and rounded by our kernels.
func unlike(want, first, again []float32, x ltShape) string {
	top, far := 0.0, 0.0
	for i, w := range want {
		top, far = math.Max(top, math.Abs(float64(w))), math.Max(far, math.Abs(float64(w)-float64(first[i])))
		if math.Float32bits(first[i]) != math.Float32bits(again[i]) {
			return "its result was another the second time"
		}
	}
	allowed := 1e-5
	if x.format == kernels.TF32 {
		allowed = 2e-3
	}
	if !(far <= allowed*top) {
		return fmt.Sprintf("its result was off by %.2g of the largest value, of which %.2g is allowed", far/top, allowed)
	}
	return ""
}

// try makes a plan that of every product, nil those of the record.
func (l *ltLibrary) try(p *ltPlan) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trial = p
	l.wake()
}

// SaveTuned adds to the record of a device, or begins it anew if that was made with another version of the library.
func (backend) SaveTuned(device int, list []kernels.Tuned) (string, error) {
	name, err := driver.Name(device)
	if err != nil {
		return "", err
	}
	path, err := recordPath(name)
	if err != nil {
		return "", err
	}
	version, err := cublaslt.Version()
	if err != nil {
		return "", err
	}
	r, err := readRecord(path)
	if err != nil {
		return "", err
	}
	head := ltHead{Device: name, Library: version}
	if r == nil || r.head != head {
		r = &ltRecord{path: path, head: head}
	}
	for _, t := range list {
		e, ok := t.Entry.(*ltEntry)
		if !ok {
			continue
		}
		if old := r.find(e.shape); old != nil {
			*old = *e
		} else {
			r.all = append(r.all, e)
		}
	}
	return path, r.write()
}
