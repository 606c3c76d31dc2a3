package syntic

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/nn"
	"syntic/syntic/config"
	"syntic/syntic/plan"
	"syntic/tensor"
)

const (
	toyEnd = 90
	toyE   = 12
)

// toy are n examples whose captions say what their features are: four words from the ids 10..69, each from a part of the feature.
func toy(n, slots int) *Examples {
	x := &Examples{Features: make([]float32, 0, n*toyE)}
	key := tensor.Key{Seed: 11}
	words := random(12, 24, toyE)
	for i := range n {
		f := make([]float32, toyE)
		var caption []int32
		for w := range 2 + i%3 {
			id := key.Intn(uint32(4*i+w), 8) + 8*w
			if w < 3 {
				for d := range f {
					f[d] += words[id*toyE+d]
				}
			}
			caption = append(caption, int32(10+2*id))
		}
		x.Features, x.Captions = append(x.Features, unit(f)...), append(x.Captions, caption)
	}
	if slots > 0 {
		x.Context = &Context{Slots: slots, Features: random(13, n*slots, toyE), Count: make([]int, n)}
		for i := range n {
			x.Context.Count[i] = i % (slots + 1)
		}
	}
	return x
}

func toyDecoder(t *testing.T, x *Examples, layout string, slots int) *Decoder {
	t.Helper()
	sh := Shape{Features: toyE, Width: 32, Layers: 2, Heads: 4, FFN: 64, Positions: 16, Layout: layout, Slots: slots, Null: slots > 0}
	d, err := NewDecoder(tensor.CPU(), sh, NewVocabulary(x.Captions, toyEnd), 0.05, 7)
	require.NoError(t, err)
	t.Cleanup(d.Release)
	return d
}

func toyOptions() TrainOptions {
	return TrainOptions{Train: config.Train{Epochs: 30, Batch: 16, LR: 5e-3, Warmup: 10, Schedule: "cosine", WeightDecay: 0.01, ClipNorm: 1},
		MaxLength: 6, Seed: 5}
}

func TestTrainingLearnsToWriteWhatFeaturesSay(t *testing.T) {
	x := toy(100, 0)
	d := toyDecoder(t, x, "tokens", 0)
	before, err := d.Loss(ctx, x, 6, 32)
	require.NoError(t, err)
	curve, err := d.Train(ctx, x, toyOptions(), nil)
	require.NoError(t, err)
	require.Len(t, curve, 30*7)
	assert.InDelta(t, before, curve[0].Loss, 0.3)
	after, err := d.Loss(ctx, x, 6, 17)
	require.NoError(t, err)
	assert.Less(t, after, 0.4*before)
	assert.Less(t, curve[0].LR, curve[9].LR)
	assert.Less(t, curve[209].LR, 1e-5)

	found, err := d.Generate(ctx, x.Features, nil, config.Decode{Beams: 1, MaxTokens: 8, LengthPenalty: 1}, nil)
	require.NoError(t, err)
	first := 0
	for i, beams := range found {
		if len(beams[0].Tokens) > 0 && beams[0].Tokens[0] == x.Captions[i][0] {
			first++
		}
	}
	assert.Greater(t, first, 80, "of 100 first words")
}

func TestTrainingSameBitsForAnyProcessors(t *testing.T) {
	x := toy(60, 3)
	o := toyOptions()
	o.Train.Warmup = 2
	o.Train.Epochs, o.Dropout, o.Train.Noise, o.Train.NoiseStd, o.Train.LabelSmoothing = 2, 0.1, true, 0.1, 0.1
	run := func(o TrainOptions) ([]TrainStep, string) {
		d := toyDecoder(t, x, "tokens", 3)
		curve, err := d.Train(ctx, x, o, plan.Quiet)
		require.NoError(t, err)
		bits := sha256.New()
		for _, p := range nn.Parameters(d) {
			require.NoError(t, binary.Write(bits, binary.LittleEndian, p.Float32s()))
		}
		return curve, hex.EncodeToString(bits.Sum(nil))
	}
	curve, weights := run(o)
	withProcs(t, func(procs int) {
		c, w := run(o)
		assert.Equal(t, curve, c, "%d processors", procs)
		assert.Equal(t, weights, w, "%d processors", procs)
	})
	for i, change := range []func(*TrainOptions){
		func(o *TrainOptions) { o.Seed++ },
		func(o *TrainOptions) { o.Dropout = 0 },
		func(o *TrainOptions) { o.Train.Noise = false },
		func(o *TrainOptions) { o.Train.NoiseShape = "ball" },
		func(o *TrainOptions) { o.Train.LabelSmoothing = 0 },
		func(o *TrainOptions) { o.Train.Schedule = "linear" },
		func(o *TrainOptions) { o.Train.WeightDecay = 0.5 },
	} {
		other := o
		change(&other)
		_, w := run(other)
		assert.NotEqual(t, weights, w, "change %d has an effect", i)
	}
}

// stopAfter is a progress that ends the context after some steps.
type stopAfter struct {
	left int
	stop func()
}

func (p *stopAfter) Stage(string, int) plan.Bar { return p }
func (p *stopAfter) Done()                      {}
func (p *stopAfter) Add(n int) {
	if p.left -= n; p.left <= 0 {
		p.stop()
	}
}

func TestTrainingGoesOnWithTheSameBits(t *testing.T) {
	t.Run("one feature a caption", func(t *testing.T) { goesOn(t, toy(60, 1)) })
	t.Run("drawn features, weights, contexts anew", func(t *testing.T) {
		x := toy(120, 1)
		x.Each, x.Captions, x.Weights = 2, x.Captions[:60], make([]float32, 120)
		for i := range x.Weights {
			x.Weights[i] = float32(i%5) / 4
		}
		x.Remake = func(rows []int, epoch int) (*Context, error) {
			about := x.Context.Pick(rows, toyE)
			for i := range about.Count { // nothing of some, others each epoch
				about.Count[i] *= (rows[i] + epoch) % 2
			}
			return about, nil
		}
		goesOn(t, x)
	})
}

// goesOn stops trainings on x and goes on.
func goesOn(t *testing.T, x *Examples) {
	o := toyOptions()
	o.Train.Epochs, o.Dropout, o.Train.Noise, o.Train.NoiseStd = 3, 0.1, true, 0.1
	whole := toyDecoder(t, x, "tokens", 1)
	want, err := whole.Train(ctx, x, o, nil)
	require.NoError(t, err)

	o.Checkpoint = filepath.Join(t.TempDir(), "training.safetensors")
	for _, every := range []int{0, 2} {
		o.Every = every
		require.NoError(t, os.RemoveAll(o.Checkpoint))
		limited, cancel := context.WithCancel(ctx)
		_, err = toyDecoder(t, x, "tokens", 1).Train(limited, x, o, &stopAfter{7, cancel})
		require.ErrorIs(t, err, context.Canceled)
		d := toyDecoder(t, x, "tokens", 1)
		curve, err := d.Train(ctx, x, o, nil)
		require.NoError(t, err)
		assert.Equal(t, want, curve)
		for i, p := range nn.Parameters(d) {
			assert.Equal(t, nn.Parameters(whole)[i].Float32s(), p.Float32s(), p.Name)
		}
	}
	o.Seed++
	_, err = toyDecoder(t, x, "tokens", 1).Train(ctx, x, o, nil)
	assert.ErrorContains(t, err, "is of another training")
	require.NoError(t, os.WriteFile(o.Checkpoint, []byte("no checkpoint"), 0o600))
	_, err = toyDecoder(t, x, "tokens", 1).Train(ctx, x, o, nil)
	assert.ErrorContains(t, err, o.Checkpoint)
}

// The sum of log-probabilities that a search over cached keys finds is what the loss of the whole sequence says; so caches, masks of prefix
// slots and positions agree.
func TestSearchAgreesWithLoss(t *testing.T) {
	for _, c := range []struct {
		layout string
		slots  int
	}{{"tokens", 0}, {"tokens", 1}, {"tokens", 3}, {"concat", 1}} {
		t.Run(fmt.Sprint(c.layout, c.slots), func(t *testing.T) {
			x := toy(30, c.slots)
			d := toyDecoder(t, x, c.layout, c.slots)
			o := toyOptions()
			o.Train.Epochs = 3
			_, err := d.Train(ctx, x, o, nil)
			require.NoError(t, err)
			decode := config.Decode{Beams: 3, MaxTokens: 7, LengthPenalty: 0.7}
			found, err := d.Generate(ctx, x.Features, x.Context, decode, nil)
			require.NoError(t, err)
			for i, beams := range found {
				for _, h := range beams {
					length := len(h.Tokens)
					if h.Ended {
						length++
					}
					one := &Examples{Features: x.Features[i*toyE : (i+1)*toyE], Context: x.Context.Pick([]int{i}, toyE), Captions: [][]int32{h.Tokens}}
					loss, err := d.Loss(ctx, one, length, 1)
					require.NoError(t, err)
					assert.InDelta(t, -loss*float64(length), h.LogProb, 1e-4, "image %d", i)
				}
				alone, err := d.Generate(ctx, x.Features[i*toyE:(i+1)*toyE], x.Context.Pick([]int{i}, toyE), decode, nil)
				require.NoError(t, err)
				assert.Equal(t, beams, alone[0], "image %d alone", i)
			}
		})
	}
}

func TestPrefixSlots(t *testing.T) {
	x := toy(8, 3)
	d := toyDecoder(t, x, "tokens", 3)
	loss := func() float64 {
		l, err := d.Loss(ctx, x, 6, 8)
		require.NoError(t, err)
		return l
	}
	before := loss()
	for i, count := range x.Context.Count { // what unused slots hold is never read
		for j := count * toyE; j < 3*toyE; j++ {
			x.Context.Features[i*3*toyE+j] = 1e6
		}
	}
	assert.Equal(t, before, loss())
	d.Prefix.Null.Data()[0] += 10
	withNull := loss()
	assert.NotEqual(t, before, withNull, "images 0 and 4 have no objects")
	x.Context.Features[3*toyE] += 10 // of image 1
	assert.NotEqual(t, withNull, loss())

	// Gradients: of the null token and of the objects' layer, by differences.
	s := tensor.NewScope(tensor.CPU(), tensor.WithTape())
	defer s.Close()
	rows, err := d.examples(x, 6)
	require.NoError(t, err)
	prefix, mask, err := d.embed(s, x.Features, x.Context)
	require.NoError(t, err)
	assert.Equal(t, []int{8, 4, 32}, prefix.Shape())
	assert.Equal(t, []int32{1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1}, mask[:16])
	g := s.Backward(d.Model.loss(s, prefix, mask, rows, 0, nil))
	for _, p := range []*tensor.Tensor{d.Prefix.Null, d.Prefix.Objects.Weight, d.Prefix.Feature.Weight} {
		for _, i := range []int{0, 5} {
			const h = 1e-2
			old := p.Data()[i]
			p.Data()[i] = old + h
			up := loss()
			p.Data()[i] = old - h
			down := loss()
			p.Data()[i] = old
			assert.InDelta(t, (up-down)/(2*h), g.Of(p).Float32s()[i], 2e-4)
		}
	}
}

func TestSaveAndLoad(t *testing.T) {
	x := toy(20, 2)
	d := toyDecoder(t, x, "tokens", 2)
	dir := t.TempDir()
	require.NoError(t, d.Save(dir))
	again, err := LoadDecoder(tensor.CPU(), dir)
	require.NoError(t, err)
	defer again.Release()
	o := config.Decode{Beams: 2, MaxTokens: 5}
	want, err := d.Generate(ctx, x.Features, x.Context, o, nil)
	require.NoError(t, err)
	have, err := again.Generate(ctx, x.Features, x.Context, o, nil)
	require.NoError(t, err)
	assert.Equal(t, want, have)

	path := filepath.Join(dir, decoderJSON)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, c := range []struct{ from, to, want string }{
		{"syntic-decoder-1", "syntic-decoder-9", `format "syntic-decoder-9": want "syntic-decoder-1"`},
		{`"heads":4`, `"heads":5`, "want heads that divide width"},
		{`"layers":2`, `"layers":1000000`, "1000000 layers, but"},
		{`"ffn":64`, `"ffn":63`, "misshapen"},
		{`"ffn":64`, `"ffn":-1`, "want sizes from 1 to"},
		{`"null":true`, `"nul":true`, "unknown field"},
		{`"end":90`, `"end":91`, "end 91: want an id of the vocabulary"},
		{`"vocabulary":[`, `"vocabulary":[3,2,`, "vocabulary[1]: 2: want ids that rise"},
		{`"vocabulary":[`, `"vocabulary":[3,`, "misshapen"},
		{`{`, ``, "decoder.json: offset"},
	} {
		require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(text), c.from, c.to, 1)), 0o600))
		_, err := LoadDecoder(tensor.CPU(), dir)
		assert.ErrorContains(t, err, c.want)
	}
	_, err = LoadDecoder(tensor.CPU(), t.TempDir())
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestTrainAndGenerateRefuse(t *testing.T) {
	x := toy(10, 2)
	d := toyDecoder(t, x, "tokens", 2)
	o := toyOptions()
	refused := func(change func(x *Examples, o *TrainOptions), want string) {
		t.Helper()
		bad, opt := *x, o
		change(&bad, &opt)
		_, err := d.Train(ctx, &bad, opt, nil)
		assert.ErrorContains(t, err, want)
	}
	refused(func(x *Examples, _ *TrainOptions) { x.Captions = x.Captions[1:] }, "10 features, 9 captions")
	refused(func(x *Examples, _ *TrainOptions) { x.Captions = append([][]int32{{1}}, x.Captions[1:]...) }, "caption 0: token 0: id 1 is not in the vocabulary")
	refused(func(x *Examples, _ *TrainOptions) { x.Context = nil }, "no objects: want them")
	refused(func(x *Examples, _ *TrainOptions) { x.Features = x.Features[1:] }, "want a multiple of their size 12")
	refused(func(_ *Examples, o *TrainOptions) { o.MaxLength = 15 }, "captions of 15 tokens: want 1 to 14")
	refused(func(_ *Examples, o *TrainOptions) { o.Train.Schedule = "steps" }, `schedule "steps": want linear`)
	refused(func(_ *Examples, o *TrainOptions) { o.Train.Batch = 0 }, "want batch and epochs of 1 or more")
	refused(func(x *Examples, _ *TrainOptions) {
		x.Context = &Context{Slots: 2, Features: x.Context.Features, Count: []int{3, 0, 0, 0, 0, 0, 0, 0, 0, 0}}
	}, "image 0: 3 objects: want 1 to 2")

	_, err := d.Generate(ctx, x.Features, x.Context, config.Decode{Beams: 1, MaxTokens: 15}, nil)
	assert.ErrorContains(t, err, "1 to 14 tokens")
	_, err = d.Generate(ctx, x.Features, x.Context, config.Decode{Beams: 0, MaxTokens: 5}, nil)
	assert.ErrorContains(t, err, "want 1 or more beams")
	none, err := d.Generate(ctx, nil, &Context{Slots: 2}, config.Decode{Beams: 1, MaxTokens: 5}, nil)
	require.NoError(t, err)
	assert.Empty(t, none)

	stop, cancel := context.WithCancel(ctx)
	cancel()
	_, err = d.Generate(stop, x.Features, x.Context, config.Decode{Beams: 1, MaxTokens: 5}, nil)
	assert.ErrorIs(t, err, context.Canceled)
	_, err = d.Train(stop, x, o, nil)
	assert.ErrorIs(t, err, context.Canceled)
	d.Model.Norm.Weight.Data()[0] = float32(nan())
	_, err = d.Generate(ctx, x.Features, x.Context, config.Decode{Beams: 2, MaxTokens: 5}, nil)
	assert.ErrorContains(t, err, "are its weights damaged?")
	_, err = d.Train(ctx, x, o, nil)
	assert.ErrorContains(t, err, "step 0: loss NaN")
}

// TestBallIsFilledEvenly counts points in balls of half the radius, in halves and octants of the space.
func TestBallIsFilledEvenly(t *testing.T) {
	const draws, radius = 20000, 0.3
	for _, n := range []int{1, 2, 3, 6} {
		inner, right, corner, most := 0, 0, 0, 0.0
		for i := range draws {
			z := inBall(n, radius, tensor.Key{Seed: 3, Item: uint64(i)})
			length, all := 0.0, true
			for _, v := range z {
				length += float64(v) * float64(v)
				all = all && v > 0
			}
			length = math.Sqrt(length)
			most = max(most, length)
			if length < radius/2 {
				inner++
			}
			if z[0] > 0 {
				right++
			}
			if all {
				corner++
			}
		}
		share := math.Pow(0.5, float64(n)) // of the volume that half the radius has, and a corner
		within := 5 * math.Sqrt(0.25/draws)
		assert.InDelta(t, share, float64(inner)/draws, within, n)
		assert.InDelta(t, share, float64(corner)/draws, within, n)
		assert.InDelta(t, 0.5, float64(right)/draws, within, n)
		assert.LessOrEqual(t, most, radius*(1+1e-6))
		assert.Greater(t, most, 0.99*radius)
	}
	f := []float32{0.6, 0, -0.8}
	got := NoisyInBall(f, radius, tensor.Key{Seed: 3, Item: 1})
	z, sum := inBall(3, radius, tensor.Key{Seed: 3, Item: 1}), 0.0
	for i := range got {
		sum += float64(got[i]) * float64(got[i])
		z[i] += f[i]
	}
	assert.InDelta(t, 1, sum, 1e-6)
	for i := range got {
		assert.InDelta(t, float64(z[0])*float64(got[i]), float64(z[i])*float64(got[0]), 1e-6, "the same direction")
	}
	assert.NotEqual(t, got, NoisyInBall(f, radius, tensor.Key{Seed: 3, Item: 2}))
}
