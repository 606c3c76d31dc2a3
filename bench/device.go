package bench

import (
	"errors"
	"math"
	"strings"
	"time"

	"syntic/kernels"
	"syntic/tensor"
)

// nominal are the rates that vendors' data sheets give for dense products, by a part of the device's name, the most specific first: float32 without tensor
// cores, 16 bits on tensor cores with float32 sums, memory.
var nominal = []struct {
	name                string
	flops, half, memory float64
}{
	{"H200", 66.9e12, 989e12, 4.8e12},
	{"H100 NVL", 60e12, 835e12, 3.9e12},
	{"H100 PCIe", 51.2e12, 756e12, 2.0e12},
	{"H100", 66.9e12, 989e12, 3.35e12},
	{"A100-SXM4-40GB", 19.5e12, 312e12, 1.555e12},
	{"A100-PCIE-40GB", 19.5e12, 312e12, 1.555e12},
	{"A100 80GB PCIe", 19.5e12, 312e12, 1.935e12},
	{"A100", 19.5e12, 312e12, 2.039e12},
	{"L40S", 91.6e12, 362e12, 0.864e12},
	{"RTX 4090", 82.6e12, 165e12, 1.008e12},
	{"RTX 3090", 35.6e12, 71e12, 0.936e12},
}

// Nominal is the ceiling that the data sheet of a GPU names; false if it is not known here.
func Nominal(name string) (Ceiling, bool) {
	for _, n := range nominal {
		if strings.Contains(name, n.name) {
			return Ceiling{FLOPs: n.flops, Half: n.half, Bytes: n.memory}, true
		}
	}
	return Ceiling{}, false
}

// gauge times work on a device, by its own clock, with caches that hold something else.
type gauge struct {
	b kernels.Backend
	c kernels.Clock
	s *kernels.Stream
}

func newGauge(kind kernels.DeviceKind, index int) (*gauge, error) {
	b := kernels.BackendOf(kind)
	c, ok := b.(kernels.Clock)
	if !ok {
		return nil, errors.New("the device has no clock of its own")
	}
	s, err := b.NewStream(index)
	return &gauge{b, c, s}, err
}

// once is the time of one call, after what filled the caches.
func (g *gauge) once(fn func() error) (float64, error) {
	if err := g.c.Flush(g.s); err != nil {
		return 0, err
	}
	return g.c.Elapsed(g.s, fn)
}

// steady calls until three calls in a row are no more than 3 % slower than the fastest so far, for at most most; with most 0 twice.
func (g *gauge) steady(fn func() error, most time.Duration) error {
	best, calm := math.Inf(1), 0
	for began, i := time.Now(), 0; calm < 3 && (i < 2 || time.Since(began) < most); i++ {
		took, err := g.once(fn)
		if err != nil {
			return err
		}
		if calm++; took > best/stable || i == 0 {
			calm = 0
		}
		best = min(best, took)
	}
	return nil
}

// fastest is the least of n calls after a warm-up.
func (g *gauge) fastest(n int, fn func() error) (float64, error) {
	if err := g.steady(fn, time.Second); err != nil {
		return 0, err
	}
	best := math.Inf(1)
	for range n {
		took, err := g.once(fn)
		if err != nil {
			return 0, err
		}
		best = min(best, took)
	}
	return best, nil
}

// MeasureDevice is the most that a GPU was seen to do: a copy within its memory, read and written, and the fastest variants of a large product, of float32 and
// of 16 bits. They are this engine's own kernels: Nominal says what the chip could do.
func MeasureDevice(dev *tensor.Device) (c Ceiling, err error) {
	const kind = kernels.CUDA
	index := dev.Index()
	g, err := newGauge(kind, index)
	if err != nil {
		return c, err
	}
	bytes, side, tries := 1<<30, 8192, 5
	if dev.Emulated() {
		bytes, side, tries = 1<<16, 64, 1
	}
	from, err := g.b.Alloc(index, bytes)
	if err != nil {
		return c, err
	}
	defer g.b.Free(index, from)
	to, err := g.b.Alloc(index, bytes)
	if err != nil {
		return c, err
	}
	defer g.b.Free(index, to)
	took, err := g.fastest(tries, func() error { return g.b.Copy(g.s, to, from, bytes) })
	if err != nil {
		return c, err
	}
	c.Bytes = 2 * float64(bytes) / took
	product := kernels.GEMM.NewCaseOf([]int{1, side, side, side, 0, 1, 0}, 1)
	back, err := product.MoveTo(g.b, g.s)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, back(false)) }()
	for _, v := range kernels.GEMM.VariantList() {
		if v.Device != kind || !v.Available || !product.Usable(v.Name) {
			continue
		}
		took, err := g.fastest(tries, func() error { return product.Run(g.s, v.Name) })
		if err != nil {
			return c, err
		}
		rate := &c.FLOPs
		if onTensorCores(v) {
			rate = &c.Half
		}
		*rate = max(*rate, product.Cost.FLOPs/took)
	}
	return c, nil
}

// onTensorCores tells whether a variant multiplies 16-bit operands there.
func onTensorCores(v kernels.VariantInfo) bool {
	return v.Operands != kernels.F32 || strings.Contains(v.Name, "mma")
}

// of is the ceiling with the rate of products that a variant has.
func (c Ceiling) of(v kernels.VariantInfo) Ceiling {
	if onTensorCores(v) && c.Half > 0 {
		c.FLOPs = c.Half
	}
	return c
}
