package parity

import (
	"fmt"
	"math"

	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// fail ends the run with an error, as the ops of package tensor do.
func fail(format string, args ...any) { panic(&tensor.Error{Err: fmt.Errorf(format, args...)}) }

// has tells whether an optional input was given.
func (r *run) has(name string) bool {
	_, ok := r.in.Info(name)
	return ok
}

// shape is the shape of an input, which must have as many dimensions as want; a size of want that is not 0 must agree.
func (r *run) shape(name string, want ...int) []int {
	info, ok := r.in.Info(name)
	if !ok {
		fail("the inputs have no tensor %q: want one of shape %s", name, sizes(want))
	}
	good := len(info.Shape) == len(want)
	for i := 0; good && i < len(want); i++ {
		good = info.Shape[i] > 0 && (want[i] == 0 || info.Shape[i] == want[i])
	}
	if !good {
		fail("input %q has shape %v: want %s", name, info.Shape, sizes(want))
	}
	return info.Shape
}

// sizes shows a shape in which 0 stands for any size.
func sizes(want []int) string {
	s := "["
	for i, n := range want {
		if i > 0 {
			s += " "
		}
		if n == 0 {
			s += "*"
		} else {
			s += fmt.Sprint(n)
		}
	}
	return s + "]"
}

// floats is an input as it lies in the file.
func (r *run) floats(s *tensor.Scope, name string, want ...int) *tensor.Tensor {
	shape := r.shape(name, want...)
	return s.FromFloat32s(r.values(name), shape...)
}

func (r *run) values(name string) []float32 {
	x, err := r.in.Float32s(name)
	if err != nil {
		fail("%w", err)
	}
	return x
}

// image is an input [B, C, H, W] as [B, H, W, C].
func (r *run) image(s *tensor.Scope, name string, channels int) *tensor.Tensor {
	return s.Permute(r.floats(s, name, 0, channels, 0, 0), 0, 2, 3, 1)
}

// ints is an input of whole numbers from 0 to below limit.
func (r *run) ints(s *tensor.Scope, name string, limit int, want ...int) *tensor.Tensor {
	shape := r.shape(name, want...)
	x, err := r.in.Int64s(name)
	if err != nil {
		fail("%w", err)
	}
	y := make([]int32, len(x))
	for i, v := range x {
		if v < 0 || v >= int64(limit) {
			fail("input %q: element %d is %d: want 0 to %d", name, i, v, limit-1)
		}
		y[i] = int32(v)
	}
	return s.FromInt32s(y, shape...)
}

// give adds a result. One of four dimensions is an image, [B, H, W, C] inside and [B, C, H, W] in the file. A later result takes the place
// of an earlier one of the same name.
func (r *run) give(name string, x *tensor.Tensor) {
	shape := append([]int{}, x.Shape()...)
	t := safetensors.Tensor{Name: name}
	if x.DType() == tensor.I32 {
		t.DType, t.Ints = safetensors.I64, make([]int64, 0, x.Len())
		for _, v := range x.Int32s() {
			t.Ints = append(t.Ints, int64(v))
		}
	} else {
		t.DType, t.Floats = safetensors.F32, x.Float32s()
		if len(shape) == 4 {
			t.Floats = channelsFirst(t.Floats, shape[0], shape[1]*shape[2], shape[3])
			shape = []int{shape[0], shape[3], shape[1], shape[2]}
		}
	}
	t.Shape = shape
	for i := range r.out {
		if r.out[i].Name == name {
			r.out[i] = t
			return
		}
	}
	r.out = append(r.out, t)
}

// channelsFirst turns [B, P, C] into [B, C, P].
func channelsFirst(x []float32, b, p, c int) []float32 {
	y := make([]float32, len(x))
	for i := range b {
		from, to := x[i*p*c:(i+1)*p*c], y[i*p*c:(i+1)*p*c]
		for j := range c {
			row := to[j*p : (j+1)*p]
			for k := range row {
				row[k] = from[k*c+j]
			}
		}
	}
	return y
}

// times is the timesteps of n images: one for all of them, or one each; whole numbers or not.
func (r *run) times(name string, n int) []float64 {
	info, ok := r.in.Info(name)
	if !ok || len(info.Shape) > 1 || len(info.Shape) == 1 && info.Shape[0] != 1 && info.Shape[0] != n {
		fail("the inputs have no tensor %q of shape [1] or [%d]", name, n)
	}
	var out []float64
	for i, x := range r.values(name) {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			fail("input %q: element %d is %g: want a finite number", name, i, x)
		}
		out = append(out, float64(x))
	}
	return out
}
