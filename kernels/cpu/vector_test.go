package cpu

import (
	"fmt"
	"math"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
)

func usable() (l []*vector) {
	for _, v := range vectors {
		if haveISA() >= v.level {
			l = append(l, v)
		}
	}
	return l
}

// actBound is the largest error of an activation relative to its value (and to 1e-30), in units of 2^-24, over -80..80; what grows
// with |x| comes from the rounding of the exponential's argument.
var actBound = map[kernels.Act]func(x float64) float64{
	kernels.Exp:       func(x float64) float64 { return 4 },
	kernels.Sigmoid:   func(x float64) float64 { return 6 },
	kernels.SiLU:      func(x float64) float64 { return 6 },
	kernels.Tanh:      func(x float64) float64 { return 6 },
	kernels.QuickGELU: func(x float64) float64 { return 6 + 2*math.Abs(x) },
	kernels.GELUTanh:  func(x float64) float64 { return 6 + 6*math.Abs(x*(1+0.05*x*x)) },
	kernels.GELU:      func(x float64) float64 { return 8 + 3*x*x },
}

func TestActivationErrors(t *testing.T) {
	var xs []float32
	for i := -40000; i <= 40000; i++ {
		xs = append(xs, float32(i)/500)
	}
	for i := 1; i < 60; i++ {
		xs = append(xs, float32(math.Pow(0.5, float64(i))), -float32(math.Pow(0.5, float64(i))))
	}
	got := make([]float32, len(xs))
	for _, v := range usable() {
		for f, bound := range actBound {
			v.act[f](got, xs)
			worst, where := 0.0, float32(0)
			for i, x := range xs {
				want := f.Eval(float64(x))
				if f == kernels.GELU && x < 0 { // the reference loses digits there
					want = float64(x) * math.Erfc(-float64(x)/math.Sqrt2) / 2
				}
				if f == kernels.GELUTanh {
					u := 1.5957691216057308 * (float64(x) + 0.044715*math.Pow(float64(x), 3))
					want = float64(x) / (1 + math.Exp(-u))
				}
				e := math.Abs(float64(got[i])-want) / math.Max(math.Abs(want), 1e-30) * (1 << 24) / bound(float64(x))
				if !(e <= worst) {
					worst, where = e, x
				}
			}
			t.Logf("%v %v: %.2f of the bound at x = %g", v.level, f, worst, where)
			require.LessOrEqual(t, worst, 1.0, "%v %v at x = %g", v.level, f, where)
		}
	}
}

func TestActivationsAtTheEdges(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, v := range usable() {
		at := func(f kernels.Act, x float32) float32 {
			dst := []float32{0, 0, 0}
			v.act[f](dst, []float32{x, x, x})
			return dst[1]
		}
		require.Zero(t, at(kernels.Exp, -inf))
		require.Zero(t, at(kernels.Exp, -1000))
		require.Equal(t, inf, at(kernels.Exp, 89))
		require.Equal(t, inf, at(kernels.Exp, inf))
		require.InEpsilon(t, math.MaxFloat32, at(kernels.Exp, 88.72283), 1e-4)
		require.Equal(t, float32(1), at(kernels.Exp, 0))
		require.Zero(t, at(kernels.Sigmoid, -inf))
		require.Equal(t, float32(1), at(kernels.Sigmoid, inf))
		for f := range actBound {
			require.True(t, math.IsNaN(float64(at(f, nan))), "%v %v of NaN", v.level, f)
			require.Zero(t, at(f, -300)*0, "%v %v of a large negative number is finite", v.level, f)
		}
		require.True(t, math.IsNaN(float64(at(kernels.ReLU, nan))), v.level.String())
		for _, f := range []kernels.Act{kernels.GELU, kernels.GELUTanh, kernels.QuickGELU, kernels.SiLU} {
			require.Equal(t, float32(300), at(f, 300))
			require.Zero(t, at(f, 0))
			require.InDelta(t, 0, at(f, -300), 1e-30)
			slopes := make([]float32, 4)
			v.actGrad[f](slopes, []float32{300, -300, 0, nan}, []float32{2, 2, 2, 2})
			for i, want := range []float32{2, 0, 1} {
				require.InDelta(t, want, slopes[i], 2e-7, "%v gradient of %v", v.level, f)
			}
			require.True(t, math.IsNaN(float64(slopes[3])))
		}
	}
}

// TestVectorTwins calls every loop of every set with the operands of the Go twin, for every length around the register sizes, and
// looks at what lies beside the slices.
func TestVectorTwins(t *testing.T) {
	ref := reflect.ValueOf(goVector()).Elem()
	for _, v := range usable()[1:] {
		rv := reflect.ValueOf(v).Elem()
		for i := 0; i < rv.NumField(); i++ {
			name := rv.Type().Field(i).Name
			switch rv.Field(i).Kind() {
			case reflect.Array:
				for f := range rv.Field(i).Len() {
					if ref.Field(i).Index(f).IsNil() {
						continue
					}
					twin(t, v, fmt.Sprint(name, " ", kernels.Act(f)), fieldOf(ref, i, f), fieldOf(rv, i, f))
				}
			case reflect.Func:
				if name == "uniforms" { // see TestUniformsAreTheKeys
					continue
				}
				twin(t, v, name, fieldOf(ref, i, -1), fieldOf(rv, i, -1))
			}
		}
	}
}

// fieldOf reads an unexported function through its address.
func fieldOf(v reflect.Value, i, f int) reflect.Value {
	x := v.Field(i)
	if f >= 0 {
		x = x.Index(f)
	}
	return reflect.NewAt(x.Type(), x.Addr().UnsafePointer()).Elem()
}

func twin(t *testing.T, v *vector, name string, want, got reflect.Value) {
	for n := range 150 {
		var results [2][][]float32
		for side, fn := range []reflect.Value{want, got} {
			var args []reflect.Value
			for i := range fn.Type().NumIn() {
				key := kernels.Key{Seed: uint64(n), Item: uint64(i)}
				switch in := fn.Type().In(i); in.Kind() {
				case reflect.Slice:
					buf := make([]float32, n+8)
					key.Uniform(buf) // positive, for roots and logarithms
					results[side] = append(results[side], buf)
					args = append(args, reflect.ValueOf(buf[3:3+n]))
				case reflect.Float32:
					var x [1]float32
					key.Uniform(x[:])
					args = append(args, reflect.ValueOf(x[0]))
				default:
					args = append(args, reflect.ValueOf(&adamwConst{0.5, 0.9, 0.1, 0.99, 0.01, 0.95, 0.1, 1.1, 1e-3}))
				}
			}
			for _, r := range fn.Call(args) {
				results[side] = append(results[side], []float32{float32(r.Float())})
			}
		}
		for i, w := range results[0] {
			g := results[1][i]
			for j := range w {
				if w[j] == g[j] {
					continue
				}
				require.False(t, len(w) > 1 && (j < 3 || j >= 3+n), "%v %s of %d elements wrote beside slice %d", v.level, name, n, i)
				require.InDelta(t, w[j], g[j], 2e-6*math.Max(1, math.Abs(float64(w[j]))), "%v %s of %d elements, slice %d, element %d", v.level, name, n, i, j-3)
			}
		}
	}
}

func TestUniformsAreTheKeys(t *testing.T) {
	key := kernels.Key{Seed: 1<<63 + 5, Item: 1<<40 + 3, Step: 9}
	want, got := make([]float32, 1<<10), make([]float32, 640)
	key.Uniform(want)
	for _, v := range usable() {
		v.uniforms(got, &key, 50)
		require.Equal(t, want[200:840], got, v.level.String())
	}
}

// The larger of two numbers, in every place of registers and of the rest; NaN is larger than all.
func TestLarger(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	some := []float32{1, nan, -2, inf, -inf, 0.5, -1e30}
	var a, b []float32
	for i := range 7 * 7 {
		a, b = append(a, some[i/7]), append(b, some[i%7])
	}
	want := append([]float32(nil), a...)
	largerGo(want, b)
	require.True(t, math.IsNaN(float64(want[1])) && math.IsNaN(float64(want[7])))
	for _, v := range usable() {
		got := append([]float32(nil), a...)
		v.larger(got, b)
		require.Equal(t, fmt.Sprint(want), fmt.Sprint(got), "%v", v.level)
	}
}
