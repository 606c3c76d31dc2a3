package bench

import (
	"fmt"
	"slices"
	"strings"

	"syntic/tensor"
)

// Workload is something whole to measure at a fixed size: a model, or an op at the size at which the method needs it.
type Workload struct {
	Name  string        // clip-image
	Shape string        // b32
	DType kernelsDType  // f32 or bf16
	Items float64       // that one call handles
	Unit  string        // what an item is: image, text, token
	Kind  string        // model, op or other: what is counted as its limit, see [Ceiling.LimitOf]
	make  func(w *Work) // fills in what a call does
}

// kernelsDType is f32, or bf16: operands of products rounded to bfloat16, and weights stored so where the workload is inference.
type kernelsDType string

// The two precision classes.
const (
	InF32  kernelsDType = "f32"
	InBF16 kernelsDType = "bf16"
)

// String is the workload's name on command lines and in records, such as clip-image/b32/f32.
func (w Workload) String() string { return w.Name + "/" + w.Shape + "/" + string(w.DType) }

// Work is a workload ready to run: its weights and inputs are in memory, nothing has been computed yet.
type Work struct {
	Workload
	dev  *tensor.Device
	call func() error
	free []func()

	gauge *gauge  // of a GPU, from the first sample on
	first float64 // seconds of its first call
}

// Open makes weights and inputs on a device, random and from a fixed seed. Close frees them.
func (w Workload) Open(dev *tensor.Device) (work *Work, err error) {
	defer tensor.Catch(&err)
	work = &Work{Workload: w, dev: dev}
	w.make(work)
	return work, nil
}

// Call does the work once.
func (w *Work) Call() (err error) {
	if err := w.caught(); err != nil {
		return err
	}
	return w.dev.Sync()
}

func (w *Work) caught() (err error) {
	defer tensor.Catch(&err)
	return w.call()
}

// Close frees weights and inputs.
func (w *Work) Close() {
	for _, f := range slices.Backward(w.free) {
		f()
	}
	w.free = nil
	w.dev.Trim()
}

// onClose adds to what Close does.
func (w *Work) onClose(f func()) { w.free = append(w.free, f) }

// each makes fn, given a scope that begins anew each time, the call.
func (w *Work) each(fn func(s *tensor.Scope), options ...tensor.Option) {
	s := tensor.NewScope(w.dev, options...)
	w.onClose(s.Close)
	w.call = func() error {
		defer s.Reset()
		fn(s)
		s.Sync()
		return nil
	}
}

// must panics with what Open returns as an error.
func must[T any](x T, err error) T {
	if err != nil {
		panic(&tensor.Error{Err: err})
	}
	return x
}

// Workloads lists all, in the order of the pipeline.
func Workloads() []Workload {
	var all []Workload
	diffusion := diffusionWorkloads()
	for _, list := range [][]Workload{clipWorkloads(), diffusion, Graphs(diffusion), detectorWorkloads(), decoderWorkloads(), opWorkloads(), metricWorkloads(), startWorkloads()} {
		all = append(all, list...)
	}
	return all
}

// Graphs are the workloads that measure the same as these as one captured graph, which only GPUs have.
func Graphs(list []Workload) (graphs []Workload) {
	for _, w := range list {
		if w.Name == "sd-unet" {
			w.Name, w.make = w.Name+"-graph", unetGraph
			graphs = append(graphs, w)
		}
	}
	return graphs
}

// inBoth is a workload in both precision classes.
func inBoth(w Workload) []Workload {
	w.DType = InF32
	half := w
	half.DType = InBF16
	return []Workload{w, half}
}

// FindWorkloads are those whose name, or name and shape, or name, shape and class the patterns give; a part may be "*". No pattern finds all. A pattern that
// finds none is an error.
func FindWorkloads(patterns ...string) ([]Workload, error) {
	all := Workloads()
	if len(patterns) == 0 {
		return all, nil
	}
	wanted := map[string]bool{}
	for _, p := range patterns {
		found := false
		for _, w := range all {
			if matches(p, w.String()) {
				wanted[w.String()], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("no workload %q, there are %s", p, strings.Join(names(all), ", "))
		}
	}
	return slices.DeleteFunc(all, func(w Workload) bool { return !wanted[w.String()] }), nil
}

// matches tells whether the parts of a pattern are the first parts of a name; "*" is any part.
func matches(pattern, name string) bool {
	parts := strings.Split(name, "/")
	for i, p := range strings.Split(pattern, "/") {
		if i >= len(parts) || p != "*" && p != parts[i] {
			return false
		}
	}
	return true
}

// names are the names of workloads, each once.
func names(all []Workload) []string {
	var list []string
	for _, w := range all {
		if !slices.Contains(list, w.Name) {
			list = append(list, w.Name)
		}
	}
	return list
}
