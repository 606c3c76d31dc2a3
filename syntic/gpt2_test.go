package syntic

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/nn"
	"syntic/tensor"
)

const gpt2Tiny = "testdata/decoder_tiny" // transformers' folder

// A decoder that starts from GPT-2 has its weights behind a prefix of its own, can be saved, and learns.
func TestStartFromGPT2(t *testing.T) {
	dev := tensor.CPU()
	want, err := LoadGPT2(dev, gpt2Tiny)
	require.NoError(t, err)
	sh := Shape{Features: 12, Layout: "tokens", Slots: 2, Null: true, Positions: 20}
	d, err := StartFromGPT2(dev, gpt2Tiny, sh, 0.02, 7)
	require.NoError(t, err)
	assert.Equal(t, 500, d.Vocab.Size())
	assert.Equal(t, want.Model.Blocks[3].MLP.In.Weight.Float32s(), d.Model.Blocks[3].MLP.In.Weight.Float32s())
	assert.Equal(t, want.Model.Tokens.Weight.Float32s(), d.Model.Tokens.Weight.Float32s())
	assert.Equal(t, want.Model.Positions.Weight.Float32s()[:20*64], d.Model.Positions.Weight.Float32s())
	fresh, err := NewDecoder(dev, d.Shape, d.Vocab, 0.02, 7)
	require.NoError(t, err)
	a, b := nn.Parameters(fresh.Prefix), nn.Parameters(d.Prefix)
	require.Equal(t, len(a), len(b))
	for i := range a { // as if the whole decoder had been made anew
		assert.Equal(t, a[i].Float32s(), b[i].Float32s(), a[i].Name)
	}
	dir := t.TempDir()
	require.NoError(t, d.Save(dir))
	again, err := LoadDecoder(dev, dir)
	require.NoError(t, err)
	assert.Equal(t, d.Model.Norm.Weight.Float32s(), again.Model.Norm.Weight.Float32s())

	opt := nn.NewAdamW(dev, nn.Parameters(d), nn.AdamWOptions{})
	var losses []float32
	for range 10 {
		s := tensor.NewScope(dev, tensor.WithTape())
		loss := d.Model.loss(s, s.Full(0.1, 1, 3, 64), nil, [][]int32{{5, 6, 7, 499}}, 0, nil)
		losses = append(losses, loss.Item())
		opt.Step(s, s.Backward(loss), 1e-2)
		s.Close()
	}
	assert.Less(t, losses[9], losses[0]/2)

	sh.Positions = 65
	_, err = StartFromGPT2(dev, gpt2Tiny, sh, 0.02, 7)
	assert.ErrorContains(t, err, "n_positions 64: want the decoder's 65 or more")
	sh.Positions, sh.Features = 0, 0
	_, err = StartFromGPT2(dev, gpt2Tiny, sh, 0.02, 7)
	assert.ErrorContains(t, err, "config.json: decoder shape")
	_, err = StartFromGPT2(dev, t.TempDir(), sh, 0.02, 7)
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = LoadGPT2(dev, filepath.Dir(gpt2Tiny))
	assert.ErrorContains(t, err, "config.json")
}
