package syntic

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/syntic/config"
	"syntic/tensor"
)

// wholeToy are examples with everything that a context may have: three slots of objects, two retrieved texts, hard prompts of 1 to 3 tokens.
func wholeToy(t *testing.T, n int) (*Examples, *Decoder) {
	x := toy(n, 3)
	x.Context.Texts, x.Context.Retrieved = 2, random(21, n*2, toyE)
	for i := range n {
		x.Context.Words = append(x.Context.Words, []int32{10, 12, 14}[:1+i%3])
	}
	sh := Shape{Features: toyE, Width: 32, Layers: 2, Heads: 4, FFN: 64, Positions: 24, Layout: "tokens", Slots: 3, Null: true, Tokens: 2, Retrieved: 2, Words: 3}
	d, err := NewDecoder(tensor.CPU(), sh, NewVocabulary(append(x.Captions, []int32{10, 12, 14}), toyEnd), 0.05, 7)
	require.NoError(t, err)
	t.Cleanup(d.Release)
	return x, d
}

// TestContextIsLaidOutAsItSays compares the prefix with its parts, made one by one.
func TestContextIsLaidOutAsItSays(t *testing.T) {
	x, d := wholeToy(t, 5)
	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	prefix, mask, err := d.embed(s, x.Features, x.Context)
	require.NoError(t, err)
	const p, c = 2 + 2 + 3 + 3, 32
	require.Equal(t, []int{5, p, c}, prefix.Shape())
	got := prefix.Float32s()
	linear := func(l interface {
		Forward(*tensor.Scope, *tensor.Tensor) *tensor.Tensor
	}, v []float32) []float32 {
		return l.Forward(s, s.FromFloat32s(v, 1, len(v))).Float32s()
	}
	equal := func(i, at int, want []float32) {
		t.Helper()
		for k, w := range want {
			require.InDelta(t, w, got[(i*p+at)*c+k], 1e-5, "image %d, token %d", i, at)
		}
	}
	table := d.Model.Tokens.Weight.Float32s()
	for i := range 5 {
		equal(i, 0, linear(d.Prefix.Feature, x.Features[i*toyE:(i+1)*toyE]))
		for r := range 2 {
			equal(i, 2+r, linear(d.Prefix.Retrieved, x.Context.Retrieved[(2*i+r)*toyE:(2*i+r+1)*toyE]))
		}
		seen := []int32{1, 1, 1, 1}
		count := x.Context.Count[i]
		for j := range count {
			equal(i, 4+3-count+j, linear(d.Prefix.Objects, x.Context.Features[(3*i+j)*toyE:(3*i+j+1)*toyE]))
		}
		if count == 0 {
			equal(i, 6, linear(d.Prefix.Objects, d.Prefix.Null.Float32s()))
		}
		for j := range 3 {
			seen = append(seen, int32(map[bool]int{true: 1}[j >= 3-max(count, 1)]))
		}
		words := x.Context.Words[i]
		for j, id := range words {
			row := int(d.Vocab.row[id])
			equal(i, 10-len(words)+j, table[row*c:(row+1)*c])
		}
		for j := range 3 {
			seen = append(seen, int32(map[bool]int{true: 1}[j >= 3-len(words)]))
		}
		assert.Equal(t, seen, mask[i*p:(i+1)*p], "image %d", i)
	}
}

// TestContextsGoTogetherOrAlone holds captions and losses of images together against those alone: with masks of different length they must agree.
func TestContextsGoTogetherOrAlone(t *testing.T) {
	x, d := wholeToy(t, 7)
	o := toyOptions()
	o.Train.Epochs = 4
	_, err := d.Train(ctx, x, o, nil)
	require.NoError(t, err)
	decode := config.Decode{Beams: 3, MaxTokens: 6, LengthPenalty: 1}
	all, err := d.Generate(ctx, x.Features, x.Context, decode, nil)
	require.NoError(t, err)
	sum, tokens := 0.0, 0
	for i := range 7 {
		own, about := x.Features[i*toyE:(i+1)*toyE], x.Context.Pick([]int{i}, toyE)
		one, err := d.Generate(ctx, own, about, decode, nil)
		require.NoError(t, err)
		require.Equal(t, len(all[i]), len(one[0]))
		for b := range one[0] {
			assert.Equal(t, all[i][b].Tokens, one[0][b].Tokens)
			assert.InDelta(t, all[i][b].LogProb, one[0][b].LogProb, 1e-4)
		}
		loss, err := d.Loss(ctx, &Examples{Features: own, Context: about, Captions: x.Captions[i : i+1]}, 6, 1)
		require.NoError(t, err)
		n := min(len(x.Captions[i])+1, 6)
		sum, tokens = sum+loss*float64(n), tokens+n
	}
	together, err := d.Loss(ctx, x, 6, 7)
	require.NoError(t, err)
	assert.InDelta(t, sum/float64(tokens), together, 1e-5)

	require.NoError(t, d.Save(t.TempDir()))
	for want, change := range map[string]func(*Context){
		"1 retrieved texts":                                func(c *Context) { c.Texts = 1 },
		"6 hard prompts":                                   func(c *Context) { c.Words = c.Words[1:] },
		"a hard prompt of 0 tokens: want 1 to 3":           func(c *Context) { c.Words[2] = nil },
		"token 0 of the hard prompt: id 77 is not in the":  func(c *Context) { c.Words[2] = []int32{77} },
		"objects of 2 slots, 7 counts, 252 numbers for 7 ": func(c *Context) { c.Slots = 2 },
	} {
		bad := *x.Context
		bad.Words = slices.Clone(bad.Words)
		change(&bad)
		_, err := d.Generate(ctx, x.Features, &bad, decode, nil)
		assert.ErrorContains(t, err, want)
	}
}

// TestStoredContextShapes are read back as they were.
func TestStoredContextShapes(t *testing.T) {
	_, d := wholeToy(t, 3)
	dir := t.TempDir()
	require.NoError(t, d.Save(dir))
	again, err := LoadDecoder(tensor.CPU(), dir)
	require.NoError(t, err)
	defer again.Release()
	assert.Equal(t, d.Shape, again.Shape)
	assert.Equal(t, d.Prefix.Retrieved.Weight.Float32s(), again.Prefix.Retrieved.Weight.Float32s())
}

// TestWeightedLossIsALoop compares with the sum over captions one by one.
func TestWeightedLossIsALoop(t *testing.T) {
	x := toy(6, 0)
	d := toyDecoder(t, x, "tokens", 0)
	rows, err := d.examples(x, 6)
	require.NoError(t, err)
	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	prefix, _, err := d.embed(s, x.Features, nil)
	require.NoError(t, err)
	weights := []float32{1, 0, 0.25, 0.5, 1, 0.75}
	sum, tokens := 0.0, 0
	for i := range rows {
		one := d.Model.loss(s, s.Slice(prefix, 0, i, i+1), nil, rows[i:i+1], 0.1, nil).Item()
		sum, tokens = sum+float64(weights[i])*float64(one)*float64(len(rows[i])), tokens+len(rows[i])
	}
	got := d.Model.weightedLoss(s, prefix, nil, rows, weights, 0.1, nil).Item()
	assert.InDelta(t, sum/float64(tokens), got, 1e-5)
	assert.Zero(t, d.Model.weightedLoss(s, prefix, nil, rows, make([]float32, 6), 0.1, nil).Item())

	images, texts := random(1, 4, 8), random(2, 4, 8)
	for i, w := range Weights(images, texts, 8, 2.5) {
		assert.InDelta(t, math.Min(1, math.Max(0, 2.5*cosine(images[i*8:(i+1)*8], texts[i*8:(i+1)*8]))), w, 1e-6)
	}
}

// TestTrainingDrawsOneOfEach holds a training on pairs of features against one on the features that it must have drawn.
func TestTrainingDrawsOneOfEach(t *testing.T) {
	x := toy(40, 1)
	o := toyOptions()
	o.Train.Epochs, o.Dropout = 1, 0.1
	each := &Examples{Each: 2, Captions: x.Captions, Context: &Context{Slots: 1}, Weights: make([]float32, 80)}
	drawn := &Examples{Captions: x.Captions, Context: &Context{Slots: 1}, Weights: make([]float32, 40)}
	other, second := random(31, 40, toyE), 0
	for i := range 40 {
		two := [][]float32{x.Features[i*toyE : (i+1)*toyE], other[i*toyE : (i+1)*toyE]}
		k := tensor.Key{Seed: o.Seed, Item: drawItem + uint64(i)}.Intn(0, 2)
		second += k
		for j, f := range two {
			each.Features, each.Context.Features = append(each.Features, f...), append(each.Context.Features, two[1-j]...)
			each.Context.Count = append(each.Context.Count, 1)
			each.Weights[2*i+j] = float32(j+1) / 3
		}
		drawn.Features, drawn.Context.Features = append(drawn.Features, two[k]...), append(drawn.Context.Features, two[1-k]...)
		drawn.Context.Count = append(drawn.Context.Count, 1)
		drawn.Weights[i] = float32(k+1) / 3
	}
	assert.Greater(t, second, 5)
	assert.Less(t, second, 35)
	a, b := toyDecoder(t, x, "tokens", 1), toyDecoder(t, x, "tokens", 1)
	want, err := b.Train(ctx, drawn, o, nil)
	require.NoError(t, err)
	got, err := a.Train(ctx, each, o, nil)
	require.NoError(t, err)
	assert.Equal(t, want, got)

	calls := 0
	drawn.Remake = func(rows []int, epoch int) (*Context, error) {
		calls++
		assert.Zero(t, epoch)
		return drawn.Context.Pick(rows, toyE), nil
	}
	c := toyDecoder(t, x, "tokens", 1)
	got, err = c.Train(ctx, drawn, o, nil)
	require.NoError(t, err)
	assert.Equal(t, want, got, "contexts made anew that are the same")
	assert.Equal(t, len(want), calls)

	each.Weights = each.Weights[1:]
	_, err = a.Train(ctx, each, o, nil)
	assert.ErrorContains(t, err, "79 weights for 80 features")
	each.Weights, each.Captions = nil, each.Captions[1:]
	_, err = a.Train(ctx, each, o, nil)
	assert.ErrorContains(t, err, "80 features, 39 captions: want 2 features for each")
}
