package syntic

import (
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/syntic/config"
	"syntic/tensor"
)

// benchDecoder has the toy recipe's shape and a vocabulary like that of its captions.
func benchDecoder(b *testing.B, n int) (*Decoder, *Examples) {
	const e, words = 128, 400
	x := &Examples{Features: random(1, n, e)}
	key := tensor.Key{Seed: 2}
	for i := range n {
		c := make([]int32, 9+i%7)
		for j := range c {
			c[j] = int32(key.Intn(uint32(i*16+j), words))
		}
		x.Captions = append(x.Captions, c)
	}
	x.Context = &Context{Slots: 1, Features: random(3, n, e), Count: make([]int, n)}
	r := config.Default()
	d, err := NewDecoder(tensor.CPU(), ShapeOf(r, Sizes{Features: e}), FullVocabulary(words+1, words), r.Decoder.Init, 1)
	require.NoError(b, err)
	b.Cleanup(d.Release)
	return d, x
}

// BenchmarkTrain is an epoch of 512 captions with the toy recipe.
func BenchmarkTrain(b *testing.B) {
	d, x := benchDecoder(b, 512)
	o := TrainOptionsOf(config.Default())
	o.Train.Epochs = 1
	for b.Loop() {
		_, err := d.Train(ctx, x, o, nil)
		require.NoError(b, err)
	}
	b.ReportMetric(float64(512*b.N)/b.Elapsed().Seconds(), "captions/s")
}

// BenchmarkGenerate writes 85 captions with 3 beams.
func BenchmarkGenerate(b *testing.B) {
	d, x := benchDecoder(b, 85)
	for b.Loop() {
		_, err := d.Generate(ctx, x.Features, x.Context, config.Default().Decode, nil)
		require.NoError(b, err)
	}
	b.ReportMetric(float64(85*b.N)/b.Elapsed().Seconds(), "captions/s")
}

// BenchmarkRefine refines 1,024 features of 128 numbers with the toy recipe.
func BenchmarkRefine(b *testing.B) {
	images, texts := pairs(1024, 128)
	for b.Loop() {
		_, err := Refine(ctx, tensor.CPU(), images, texts, 128, config.Default().Refine, 1, nil)
		require.NoError(b, err)
	}
	b.ReportMetric(float64(1024*b.N)/b.Elapsed().Seconds(), "features/s")
}
