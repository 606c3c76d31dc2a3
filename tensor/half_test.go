package tensor_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/kernels"
	"syntic/tensor"
)

// raw is values in format d, and those values as float32; odd puts them at an address that suits no number.
func raw(d tensor.DType, values []float32, odd int) ([]byte, []float32) {
	half, wide := make([]uint16, len(values)), make([]float32, len(values))
	kernels.Narrow(half, values, d)
	kernels.Widen(wide, half, d)
	b := make([]byte, odd, odd+2*len(values))
	for _, h := range half {
		b = binary.LittleEndian.AppendUint16(b, h)
	}
	return b[odd:], wide
}

// Ops on weights of 16 bits give the bits of ops on the same weights as float32.
func TestWeightsOf16Bits(t *testing.T) {
	dev := tensor.CPU()
	for _, d := range []tensor.DType{tensor.F16, tensor.BF16} {
		for _, odd := range []int{0, 1, 2} {
			s := tensor.NewScope(dev)
			param := func(item uint64, shape ...int) (half, full *tensor.Tensor) {
				half, full = tensor.NewParameter(dev, shape...), tensor.NewParameter(dev, shape...)
				b, wide := raw(d, s.Randn(tensor.Key{Seed: 3, Item: item}, shape...).Float32s(), odd)
				half.MapRaw(d, b)
				full.SetData(wide)
				require.Equal(t, d, half.DType())
				require.Equal(t, wide, half.Float32s())
				return half, full
			}
			x, img, ids := s.Randn(tensor.Key{Seed: 1}, 2, 5, 34), s.Randn(tensor.Key{Seed: 2}, 2, 6, 5, 7), s.FromInt32s([]int32{4, 0, 8}, 3)
			w, wf := param(1, 9, 34)
			c, cf := param(2, 4, 3, 3, 7)
			assert.Equal(t, s.Linear(x, wf, nil).Float32s(), s.Linear(x, w, nil).Float32s(), "linear")
			assert.Equal(t, s.Conv2D(img, cf, nil, 1, 1).Float32s(), s.Conv2D(img, c, nil, 1, 1).Float32s(), "conv2d")
			assert.Equal(t, s.Embedding(wf, ids).Float32s(), s.Embedding(w, ids).Float32s(), "embedding")
			assert.Equal(t, s.Slice(wf, 0, 2, 5).Float32s(), s.Slice(w, 0, 2, 5).Float32s(), "an op that needs float32")
			assert.Equal(t, s.Act(s.Reshape(wf, 34, 9), tensor.GELU).Float32s(), s.Act(s.Reshape(w, 34, 9), tensor.GELU).Float32s(), "and of a reshaped one")
			assert.Equal(t, s.Copy(wf).Float32s(), s.Copy(w).Float32s(), "copy")
			assert.Equal(t, d, w.DType(), "it stays")
			s.Close()
		}
	}
}

func TestWeightsOf16BitsTakeNoGradient(t *testing.T) {
	dev := tensor.CPU()
	w := tensor.NewParameter(dev, 3, 4)
	b, wide := raw(tensor.F16, []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0.1}, 0)
	w.MapRaw(tensor.F16, b)
	x := tensor.NewParameter(dev, 2, 4)
	x.SetData([]float32{1, -1, 2, 0, 3, 1, 1, 1})
	gradient := func(w *tensor.Tensor) (g []float32, err error) {
		defer tensor.Catch(&err)
		s := tensor.NewScope(dev, tensor.WithTape())
		defer s.Close()
		return s.Backward(s.MeanAll(s.Linear(x, w, nil))).Of(x).Float32s(), nil
	}
	_, err := gradient(w)
	assert.ErrorContains(t, err, "f16[3 4] is stored in 16 bits and takes no gradient")
	w.SetTrainable(false)
	got, err := gradient(w)
	require.NoError(t, err)
	full := tensor.NewParameter(dev, 3, 4)
	full.SetData(wide)
	want, err := gradient(full)
	require.NoError(t, err)
	assert.Equal(t, want, got, "it flows through a frozen one")

	w.SetTrainable(true)
	w.Own()
	assert.Equal(t, tensor.F32, w.DType())
	assert.Equal(t, wide, w.Data())
	_, err = gradient(w)
	assert.NoError(t, err)
}

func TestMapRawRefuses(t *testing.T) {
	w := tensor.NewParameter(tensor.CPU(), 3)
	try := func(f func()) (err error) {
		defer tensor.Catch(&err)
		f()
		return nil
	}
	assert.ErrorContains(t, try(func() { w.MapRaw(tensor.F16, make([]byte, 5)) }), "want a parameter and 6 bytes")
	assert.ErrorContains(t, try(func() { w.MapRaw(tensor.I32, make([]byte, 12)) }), "want f32, f16 or bf16")
	w.MapRaw(tensor.BF16, make([]byte, 6))
	assert.ErrorContains(t, try(func() { w.Data() }), "it has 16 bits")
	w.MapRaw(tensor.F32, make([]byte, 12))
	assert.Equal(t, []float32{0, 0, 0}, w.Data())
}

// A mapped weight is rounded once; what is mapped or set afterwards counts from then on.
func TestRoundedWeightsFollowTheirParameter(t *testing.T) {
	dev := tensor.CPU()
	s := tensor.NewScope(dev)
	defer s.Close()
	x := s.Randn(tensor.Key{Seed: 1}, 5, 34)
	before := kernels.GEMM.NewCase(0, 1).Chosen(kernels.CPU)
	defer func() { require.NoError(t, kernels.Override("gemm="+before)) }()
	require.NoError(t, kernels.Override("gemm=bf16_go"))
	w, plain := tensor.NewParameter(dev, 9, 34), tensor.NewParameter(dev, 9, 34)
	for i, fill := range []func(data []float32){w.Map, w.SetData, w.Map, func(d []float32) { b, _ := raw(tensor.F16, d, 0); w.MapRaw(tensor.F16, b) }} {
		data := s.Randn(tensor.Key{Seed: 2, Item: uint64(i)}, 9, 34).Float32s()
		fill(data)
		plain.SetData(w.Float32s())
		for range 2 {
			assert.Equal(t, s.Linear(x, plain, nil).Float32s(), s.Linear(x, w, nil).Float32s(), "%d", i)
		}
	}
	w.Own()
	assert.Equal(t, s.Linear(x, plain, nil).Float32s(), s.Linear(x, w, nil).Float32s())
}

// What products keep beside a mapped weight goes with the mapping: a weight that is set anew, or mapped anew, is read anew.
func TestMappedWeightsAreReadAnew(t *testing.T) {
	dev := tensor.CPU()
	s := tensor.NewScope(dev)
	defer s.Close()
	x, w, own := s.Randn(tensor.Key{Seed: 1}, 3, 40), tensor.NewParameter(dev, 9, 40), tensor.NewParameter(dev, 9, 40)
	for i := range uint64(3) {
		values := s.Randn(tensor.Key{Seed: 2, Item: i}, 9, 40).Float32s()
		own.SetData(values)
		if i == 2 {
			w.SetData(values)
		} else {
			w.Map(values)
		}
		for range 2 {
			assert.Equal(t, s.Linear(x, own, nil).Float32s(), s.Linear(x, w, nil).Float32s(), "weight %d", i)
		}
	}
	w.Release()
	own.Release()
}
