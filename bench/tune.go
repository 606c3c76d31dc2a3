package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"syntic/kernels"
	"syntic/tensor"
)

// Tuned is what was measured of a product.
type Tuned = kernels.Tuned

// ProductFormats are the names of the formats to which operands of products may be rounded; f32 is not at all.
func ProductFormats(names ...string) ([]kernels.DType, error) {
	var list []kernels.DType
	for _, name := range names {
		i := slices.IndexFunc(productFormats, func(f kernels.DType) bool { return f.String() == name })
		if i < 0 {
			return nil, fmt.Errorf("format %q: want f32, bf16, f16 or tf32", name)
		}
		list = append(list, productFormats[i])
	}
	return list, nil
}

var productFormats = []kernels.DType{kernels.F32, kernels.BF16, kernels.F16, kernels.TF32}

// tunerOf is a device's backend if it has variants that a record of measurements decides on.
func tunerOf(dev *tensor.Device) (kernels.Tuner, error) {
	if !dev.IsCPU() {
		if t, ok := kernels.BackendOf(kernels.CUDA).(kernels.Tuner); ok {
			return t, nil
		}
	}
	return nil, fmt.Errorf("device %s has no products of another library to measure: want --device cuda", dev)
}

// ProductsOf are the sizes of the products of a workload's call, those of one class once.
func ProductsOf(dev *tensor.Device, w Workload) ([][]int, error) {
	t, err := tunerOf(dev)
	if err != nil {
		return nil, err
	}
	work, err := w.Open(dev)
	if err != nil {
		return nil, err
	}
	defer work.Close()
	t.WatchGEMM(true)
	err = work.Call()
	list := t.WatchGEMM(false)
	slices.SortFunc(list, slices.Compare)
	return list, err
}

// Tune measures products by the device's own variants and by another library, hands each to each, and writes what it found to the device's record, from
// which later processes choose. With tries 0 each is timed until it is steady. It stops between products when ctx ends; what was measured is kept.
func Tune(ctx context.Context, dev *tensor.Device, formats []kernels.DType, sizes [][]int, tries int, each func(Tuned) error) (path string, err error) {
	t, err := tunerOf(dev)
	if err != nil {
		return "", err
	}
	g, err := newGauge(kernels.CUDA, dev.Index())
	if err != nil {
		return "", err
	}
	clock := func(run func() error) (float64, error) { return g.median(tries, run) }
	var all []kernels.Tuned
	for _, dims := range sizes {
		for _, f := range formats {
			if err = ctx.Err(); err != nil {
				break
			}
			var one kernels.Tuned
			if one, err = t.TuneGEMM(g.s, kernels.TunedShape{Format: f, Dims: dims}, clock); err == nil {
				all = append(all, one)
				err = each(one)
			}
			if err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	if !slices.ContainsFunc(all, func(t kernels.Tuned) bool { return t.Ways > 0 }) {
		return "", err
	}
	path, failed := t.SaveTuned(dev.Index(), all)
	if err == nil {
		err = failed
	}
	return path, err
}

// median is the time in the middle of n calls behind a warm-up until they are steady; with n 0 as many as take half a second, 5 at least.
func (g *gauge) median(n int, fn func() error) (float64, error) {
	if err := g.steady(fn, time.Second); err != nil {
		return 0, err
	}
	var all []float64
	for began := time.Now(); len(all) < max(n, 1) || n == 0 && (len(all) < 5 || len(all) < maxSamples && time.Since(began) < time.Second/2); {
		took, err := g.once(fn)
		if err != nil {
			return 0, err
		}
		all = append(all, took)
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}
