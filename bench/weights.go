package bench

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"unsafe"

	"syntic/kernels"
	"syntic/nn"
	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// inFile is the largest number of parameters that are laid in a file: of Stable Diffusion's UNet, writing one would take longer than measuring.
const inFile = 1 << 28

// weights gives a module random weights as a user's checkpoint gives them: mapped from a file, of float32 or, in bf16, of bfloat16. It lies in the folder for temporary
// files and is removed at once. On a GPU, and where there are more than [inFile] parameters, they are made in memory. The module is closed with the workload.
func (w *Work) weights(module interface{ Close() }) {
	randomWeights(module, w.DType)
	if !w.dev.IsCPU() || nn.Count(module) > inFile {
		w.onClose(module.Close)
		return
	}
	dir := must(os.MkdirTemp("", "syntic-bench-"))
	path, format := filepath.Join(dir, "model.safetensors"), "F32"
	if w.DType == InBF16 {
		format = "BF16"
	}
	err := nn.Save(path, module, format, nil)
	var f *safetensors.File
	if err == nil {
		f, err = safetensors.Open(path)
	}
	if err == nil {
		w.onClose(func() { f.Close() })
		err = nn.Load(module, f, nn.LoadOptions{Map: true})
	}
	w.onClose(module.Close)
	if gone := os.RemoveAll(dir); gone != nil { // a system that keeps files as long as they are mapped
		w.free = append([]func(){func() { os.RemoveAll(dir) }}, w.free...)
	}
	must(0, err)
}

// randomWeights gives every parameter of a module random numbers from a fixed seed, in memory that the module does not own, as weights of a mapped checkpoint lie.
// Matrices and filters keep the spread of what goes through them, gains are near 1, biases small, so that no layer sees zeros, infinities or denormal
// numbers, which would be faster or slower than what real weights give. In bf16 the matrices are stored in 16 bits.
func randomWeights(module any, class kernelsDType) {
	for i, p := range nn.Parameters(module) {
		mean, spread := 0.0, 0.02
		switch {
		case p.Rank() >= 2:
			spread = math.Sqrt(3 / float64(p.Len()/p.Dim(0)))
		case p.Init == "ones":
			mean = 1
		}
		if p.Rank() == 0 {
			continue
		}
		if class == InBF16 && p.Rank() >= 2 {
			half := make([]uint16, p.Len())
			fill(len(half), uint64(i), func(at int, x float64) { half[at] = uint16(math.Float32bits(float32(mean+spread*x)) >> 16) })
			p.MapRaw(kernels.BF16, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(half))), 2*len(half)))
			continue
		}
		x := make([]float32, p.Len())
		fill(len(x), uint64(i), func(at int, v float64) { x[at] = float32(mean + spread*v) })
		p.Map(x)
	}
}

// fill calls set for 0..n-1 with numbers from -1 to 1 that depend on index and stream alone. It is quick rather than good: a model has a billion.
func fill(n int, stream uint64, set func(at int, x float64)) {
	workers := runtime.GOMAXPROCS(0)
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			for i := w * n / workers; i < (w+1)*n/workers; i++ {
				set(i, mixed(uint64(i), stream))
			}
		})
	}
	wait.Wait()
}

// mixed is a number from -1 to 1: the finaliser of splitmix64 (Steele et al. 2014).
func mixed(i, stream uint64) float64 {
	x := (i + stream<<40 + 1) * 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return float64(int64(x^x>>31)) / (1 << 63)
}

// numbers are n of them, times spread.
func numbers(n int, stream uint64, spread float64) []float32 {
	x := make([]float32, n)
	fill(n, stream, func(at int, v float64) { x[at] = float32(spread * v) })
	return x
}

// units are n rows of d numbers, of unit length.
func units(n, d int, stream uint64) []float32 {
	x := numbers(n*d, stream, 1)
	for i := range n {
		row, sum := x[i*d:(i+1)*d], 0.0
		for _, v := range row {
			sum += float64(v) * float64(v)
		}
		for j := range row {
			row[j] *= float32(1 / math.Sqrt(sum))
		}
	}
	return x
}

// frozen is a parameter that takes no gradient, of values that it does not own; stored in 16 bits where the class is bf16.
func frozen(dev *tensor.Device, x []float32, class kernelsDType, shape ...int) *tensor.Tensor {
	p := tensor.NewParameter(dev, shape...)
	p.SetTrainable(false)
	if class == InBF16 {
		half := make([]uint16, len(x))
		kernels.Narrow(half, x, kernels.BF16)
		p.MapRaw(kernels.BF16, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(half))), 2*len(half)))
		return p
	}
	p.Map(x)
	return p
}
