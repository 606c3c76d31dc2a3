package nn_test

import (
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"syntic/nn"
	"syntic/tensor"
	"syntic/tensor/safetensors"
)

type block struct {
	Norm *nn.LayerNorm  `name:"norm"`
	Fc   []*nn.Linear   `name:"fc"`
	Skip *nn.Linear     `name:"skip"`
	Note int            // no part of the checkpoint
	Tied *tensor.Tensor `name:"tied"`
}

type net struct {
	Conv  *nn.Conv2D     `name:"conv"`
	Block *block         `name:"block"`
	IO    *tensor.Tensor `name:"io,io" init:"fan_in"`
}

func newNet() *net {
	dev := tensor.CPU()
	n := &net{Conv: nn.NewConv2D(dev, 3, 4, 2, 1, 0), Block: &block{Norm: nn.NewLayerNorm(dev, 5, 1e-5), Fc: []*nn.Linear{nn.NewLinear(dev, 5, 6, true), nn.NewLinear(dev, 6, 2, false)}}, IO: tensor.NewParameter(dev, 2, 3)}
	n.Block.Tied = n.Block.Fc[0].Weight
	return n
}

func TestParametersHaveTheCheckpointsNames(t *testing.T) {
	var names []string
	for _, p := range nn.Parameters(newNet()) {
		names = append(names, p.Name)
	}
	require.Equal(t, []string{"conv.weight", "conv.bias", "block.norm.weight", "block.norm.bias", "block.fc.0.weight", "block.fc.0.bias", "block.fc.1.weight", "io"}, names)
}

func TestInitDependsOnSeedAndNameAlone(t *testing.T) {
	a, b, c := newNet(), newNet(), newNet()
	nn.Init(a, 1)
	nn.Init(b, 1)
	nn.Init(c, 2)
	require.Equal(t, a.Conv.Weight.Float32s(), b.Conv.Weight.Float32s())
	require.NotEqual(t, a.Conv.Weight.Float32s(), c.Conv.Weight.Float32s())
	require.Equal(t, []float32{1, 1, 1, 1, 1}, a.Block.Norm.Weight.Float32s())
	require.Equal(t, make([]float32, 6), a.Block.Fc[0].Bias.Float32s())
	for _, x := range a.Conv.Weight.Float32s() {
		require.LessOrEqual(t, x*x, float32(1.0/12))
	}
}

func TestSaveKeepsTheFilesLayout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.safetensors")
	a := newNet()
	nn.Init(a, 3)
	require.NoError(t, nn.Save(path, a, "F32", nil))
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	defer f.Close()
	info, _ := f.Info("conv.weight")
	require.Equal(t, []int{4, 3, 2, 2}, info.Shape)
	w, err := f.Float32s("conv.weight")
	require.NoError(t, err)
	// memory [o, ky, kx, i], file [o, i, ky, kx]
	require.Equal(t, a.Conv.Weight.Float32s()[((1*2+1)*2+0)*3+2], w[((1*3+2)*2+1)*2+0])
	info, _ = f.Info("io")
	require.Equal(t, []int{3, 2}, info.Shape)
	for _, share := range []bool{false, true} {
		b := newNet()
		require.NoError(t, nn.Load(b, f, nn.LoadOptions{Map: share}))
		for i, p := range nn.Parameters(b) {
			require.Equal(t, nn.Parameters(a)[i].Float32s(), p.Float32s(), p.Name)
		}
	}
}

func TestLoadNamesWhatDoesNotFit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.safetensors")
	require.NoError(t, safetensors.Write(path, []safetensors.Tensor{
		{Name: "conv.weight", DType: safetensors.F32, Shape: []int{4, 3, 2, 1}, Floats: make([]float32, 24)},
		{Name: "stranger", DType: safetensors.F32, Shape: []int{1}, Floats: []float32{1}}}, nil))
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	defer f.Close()
	n := newNet()
	nn.Init(n, 1)
	before := n.Conv.Weight.Float32s()
	err = nn.Load(n, f, nn.LoadOptions{})
	require.ErrorContains(t, err, "7 missing: block.fc.0.bias")
	require.ErrorContains(t, err, "1 unexpected: stranger")
	require.ErrorContains(t, err, "conv.weight: found [4 3 2 1], want [4 3 2 2]")
	require.Equal(t, before, n.Conv.Weight.Float32s())
	require.ErrorContains(t, nn.Load(n, f, nn.LoadOptions{Partial: true, Ignore: func(s string) bool { return s == "stranger" }}), "misshapen")
}

// train does steps of a small regression and returns the net's parameters; stop > 0 goes through a checkpoint there.
func train(t *testing.T, steps, stop int) [][]float32 {
	dev := tensor.CPU()
	n := nn.NewLinear(dev, 4, 3, true)
	nn.Init(n, 5)
	build := func() (*nn.Linear, *nn.Training) {
		ps := nn.Parameters(n)
		return n, &nn.Training{Params: ps, Optimizer: nn.NewAdamW(dev, ps, nn.AdamWOptions{Decay: 0.1, ClipNorm: 0.5}), EMA: nn.NewEMA(dev, ps, 0.9)}
	}
	_, tr := build()
	for i := 0; i < steps; i++ {
		if stop > 0 && i == stop {
			path := filepath.Join(t.TempDir(), "c.safetensors")
			require.NoError(t, nn.SaveTraining(path, tr))
			n = nn.NewLinear(dev, 4, 3, true)
			_, tr = build()
			require.NoError(t, nn.LoadTraining(path, tr))
			require.Equal(t, stop, tr.Step)
		}
		s := tensor.NewScope(dev, tensor.WithTape())
		x := s.Randn(tensor.Key{Seed: 1, Step: uint32(i)}, 8, 4)
		loss := s.MSE(n.Forward(s, x), s.Slice(x, 1, 0, 3))
		tr.Optimizer.Step(s, s.Backward(loss), 0.01)
		tr.EMA.Update(s, i)
		tr.Step = i + 1
		s.Close()
	}
	tr.EMA.Swap()
	return [][]float32{n.Weight.Float32s(), n.Bias.Float32s()}
}

func TestResumingATrainingGivesTheSameBits(t *testing.T) {
	require.Equal(t, train(t, 20, 0), train(t, 20, 7))
}

func TestAStepWithoutFiniteGradientChangesNothing(t *testing.T) {
	dev := tensor.CPU()
	n := nn.NewLinear(dev, 2, 1, false)
	nn.Init(n, 1)
	before := n.Weight.Float32s()
	opt := nn.NewAdamW(dev, nn.Parameters(n), nn.AdamWOptions{})
	s := tensor.NewScope(dev, tensor.WithTape())
	defer s.Close()
	loss := s.SumAll(s.Act(s.Scale(n.Forward(s, s.Full(1, 1, 2)), 1e30), tensor.Square))
	opt.Step(s, s.Backward(loss), 0.1)
	require.Equal(t, before, n.Weight.Float32s())
	require.Zero(t, opt.Steps())
}

func TestSchedules(t *testing.T) {
	lin, cos := nn.Linear0(10), nn.Cosine(10, 0.1)
	require.InDelta(t, 1.0/11, lin(0, 110), 1e-12)
	require.InDelta(t, 1, lin(10, 110), 1e-12)
	require.InDelta(t, 0.5, lin(60, 110), 1e-12)
	require.InDelta(t, 0.55, cos(60, 110), 1e-12)
	require.InDelta(t, 0.1, cos(110, 110), 1e-12)
}

// Mapped weights are the file's own memory; a training moves to memory of its own and leaves the file as it was.
func TestMappedWeights(t *testing.T) {
	dev, path := tensor.CPU(), filepath.Join(t.TempDir(), "m.safetensors")
	a := nn.NewLinear(dev, 3, 2, true)
	nn.Init(a, 1)
	require.NoError(t, nn.Save(path, a, "F32", nil))
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	b := nn.NewLinear(dev, 3, 2, true)
	require.NoError(t, nn.Load(b, f, nn.LoadOptions{Map: true}))
	raw, err := f.Bytes("weight")
	require.NoError(t, err)
	require.Equal(t, unsafe.Pointer(&raw[0]), unsafe.Pointer(&b.Weight.Data()[0]), "no copy")
	opt := nn.NewAdamW(dev, nn.Parameters(b), nn.AdamWOptions{})
	s := tensor.NewScope(dev, tensor.WithTape())
	opt.Step(s, s.Backward(s.SumAll(b.Forward(s, s.Full(1, 1, 3)))), 0.1)
	s.Close()
	require.NotEqual(t, a.Weight.Float32s(), b.Weight.Float32s())
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)
	nn.Release(b)
	require.NoError(t, f.Close())
}

// Weights of 16 bits stay in 16 bits, mapped or transposed, and have the values that loading as float32 gives.
func TestMappedHalves(t *testing.T) {
	dev := tensor.CPU()
	type model struct {
		Conv  *nn.Conv2D     `name:"conv"`
		Point *nn.Conv2D     `name:"point"`
		Fc    *nn.Linear     `name:"fc"`
		IO    *tensor.Tensor `name:"io,io" init:"normal"`
	}
	build := func() *model {
		return &model{nn.NewConv2D(dev, 3, 4, 3, 1, 1), nn.NewConv2D(dev, 4, 2, 1, 1, 0), nn.NewLinear(dev, 2, 5, true), tensor.NewParameter(dev, 3, 5)}
	}
	a := build()
	nn.Init(a, 1)
	for dtype, want := range map[string]tensor.DType{"F16": tensor.F16, "BF16": tensor.BF16, "F32": tensor.F32} {
		path := filepath.Join(t.TempDir(), "m.safetensors")
		require.NoError(t, nn.Save(path, a, dtype, nil))
		f, err := safetensors.Open(path)
		require.NoError(t, err)
		plain, mapped := build(), build()
		require.NoError(t, nn.Load(plain, f, nn.LoadOptions{}))
		require.NoError(t, nn.Load(mapped, f, nn.LoadOptions{Map: true}))
		s := tensor.NewScope(dev)
		run := func(m *model) []float32 {
			x := m.Fc.Forward(s, s.Reshape(m.Point.Forward(s, m.Conv.Forward(s, s.Full(0.5, 1, 6, 6, 3))), 36, 2))
			return s.Linear(x, m.IO, nil).Float32s()
		}
		for i, p := range nn.Parameters(mapped) {
			require.Equal(t, want, p.DType(), p.Name)
			require.Equal(t, nn.Parameters(plain)[i].Float32s(), p.Float32s(), p.Name)
		}
		require.InDeltaSlice(t, run(plain), run(mapped), 1e-6, dtype)
		s.Close()
		nn.Release(mapped)
		require.NoError(t, f.Close())
	}
}
