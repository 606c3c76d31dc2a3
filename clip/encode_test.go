package clip

import (
	"context"
	"errors"
	"math"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/clip/bpe"
	"syntic/clip/pixels"
	"syntic/nn"
	"syntic/tensor"
)

var phrases = []string{"a red ball", "", "two dogs run over the green grass beside a long, long river", "cat",
	"a man and a woman ride old bicycles through the rain",
	"a photo of a small house with a blue door under a large tree", "snow", "the end of the road", "an orange cube on a table"}

func tokenizer(t *testing.T) *bpe.Tokenizer {
	tok, err := bpe.Load(tiny, bpe.OpenAI)
	require.NoError(t, err)
	return tok
}

// TestCutToLongestTextIsExact: the state of a text's end does not change by a bit with the padding, with the longest text beside it, or alone.
func TestCutToLongestTextIsExact(t *testing.T) {
	m, s := load(t)
	tok := tokenizer(t)
	var first [][]float32
	for _, mode := range []bpe.Padding{bpe.PadEnd, bpe.PadZero} {
		var ids []int32
		for _, p := range phrases {
			row, _, err := tok.EncodePadded(p, 77, mode)
			require.NoError(t, err)
			ids = append(ids, row...)
		}
		x := s.FromInt32s(ids, len(phrases), 77)
		got := m.Text.Pooled(s, x).Float32s()
		want := m.Text.Pool(s, m.Text.Hidden(s, x, nil), x).Float32s()
		near(t, "cut", want, got, 1e-6*largest(want))
		first = append(first, got)
		for i := range phrases {
			row := s.Slice(x, 0, i, i+1)
			require.Equal(t, got[i*48:(i+1)*48], m.Text.Pooled(s, row).Float32s(), phrases[i])
		}
	}
	require.Equal(t, first[0], first[1])
}

func TestEncodeTexts(t *testing.T) {
	m, s := load(t)
	tok := tokenizer(t)
	var first []float32
	for _, batch := range []int{1, 2, 4, 9, 100} {
		for _, procs := range []int{1, 3} {
			old := runtime.GOMAXPROCS(procs)
			var done []int
			got, err := EncodeTexts(context.Background(), m, tok, phrases, batch, func(n int) { done = append(done, n) })
			runtime.GOMAXPROCS(old)
			require.NoError(t, err)
			require.Len(t, done, (len(phrases)+batch-1)/batch)
			require.Equal(t, len(phrases), done[len(done)-1])
			if first == nil {
				first = got
			}
			require.Equal(t, first, got, "batch %d", batch)
		}
	}
	require.Len(t, first, len(phrases)*40)
	for i, p := range phrases { // in the order given, though batched by length
		row, _, err := tok.EncodePadded(p, 77, bpe.PadZero)
		require.NoError(t, err)
		require.Equal(t, m.EncodeText(s, s.FromInt32s(row, 1, 77)).Float32s(), first[i*40:(i+1)*40])
	}
	none, err := EncodeTexts(context.Background(), m, tok, nil, 8, nil)
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestEncodeTextsErrors(t *testing.T) {
	m, _ := load(t)
	tok := tokenizer(t)
	_, err := EncodeTexts(context.Background(), m, tok, phrases, 0, nil)
	require.ErrorContains(t, err, "batch size 0")
	ctx, cancel := context.WithCancel(context.Background())
	got, err := EncodeTexts(ctx, m, tok, phrases, 2, func(done int) {
		if done == 4 {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Nil(t, got)
	full, err := bpe.CLIP(bpe.OpenAI)
	require.NoError(t, err)
	_, err = EncodeTexts(context.Background(), m, full, phrases, 2, nil)
	require.ErrorContains(t, err, "49408")
	m.Text.Config.EOS = 7
	_, err = EncodeTexts(context.Background(), m, tok, phrases, 2, nil)
	require.ErrorContains(t, err, "eos_token_id is 7")
}

func TestEncodeImages(t *testing.T) {
	m, s := load(t)
	const n, side = 7, 32
	raw := make([][]uint8, n)
	for i := range raw {
		raw[i] = make([]uint8, side*side*3)
		for j := range raw[i] {
			raw[i][j] = uint8(j*(i+3) ^ j>>5)
		}
	}
	var first []float32
	for _, batch := range []int{1, 3, 16} {
		got, err := EncodeImages(context.Background(), m, n, Squares(raw, side), batch, nil)
		require.NoError(t, err)
		if first == nil {
			first = got
		}
		require.Equal(t, first, got, "batch %d", batch)
	}
	p := pixels.DefaultCLIP()
	px := make([]float32, side*side*3)
	for j := range px {
		px[j] = (float32(raw[4][j])/255 - p.Mean[j%3]) / p.Std[j%3]
	}
	near(t, "image 4", m.EncodeImage(s, s.FromFloat32s(px, 1, side, side, 3)).Float32s(), first[4*40:5*40], 1e-6)

	_, err := EncodeImages(context.Background(), m, n, Squares(raw, 16), 4, nil)
	require.ErrorContains(t, err, "image 0: 3072 bytes")
	lost := errors.New("lost")
	_, err = EncodeImages(context.Background(), m, n, func(i int) (*pixels.Image, error) {
		if i == 5 {
			return nil, lost
		}
		return Squares(raw, side)(i)
	}, 4, nil)
	require.ErrorIs(t, err, lost)
	require.ErrorContains(t, err, "image 5")
}

func TestEndOfText(t *testing.T) {
	for _, c := range []struct {
		ids  []int32
		eos  int32
		want int
	}{
		{[]int32{998, 5, 999, 999}, 2, 2}, {[]int32{998, 5, 999, 0}, 2, 2}, {[]int32{998, 2, 999, 0}, 2, 2}, // the legacy value is no id
		{[]int32{998, 5, 7, 999, 7}, 7, 2}, {[]int32{998, 5, 999}, 7, -1},
	} {
		require.Equal(t, c.want, endOf(c.ids, c.eos))
	}
	m, s := load(t)
	m.Text.Config.EOS = 7
	require.ErrorContains(t, catch(func() { m.EncodeText(s, s.FromInt32s([]int32{1, 7, 1, 2}, 2, 2)) }), "text 1 of")
}

func TestShapesThatCannotBe(t *testing.T) {
	m, s := load(t)
	for name, fn := range map[string]func(){
		"too long":   func() { m.Text.Hidden(s, s.FromInt32s(make([]int32, 78), 1, 78), nil) },
		"not rows":   func() { m.EncodeText(s, s.FromInt32s([]int32{1, 2}, 2)) },
		"no channel": func() { m.EncodeImage(s, s.Zeros(1, 32, 32, 1)) },
		"too small":  func() { m.EncodeImage(s, s.Zeros(1, 7, 32, 3)) },
		"unpaired":   func() { m.ContrastiveLoss(s, s.Zeros(3, 32, 32, 3), s.FromInt32s(make([]int32, 4), 2, 2)) },
		"mask":       func() { m.Text.Hidden(s, s.FromInt32s(make([]int32, 4), 2, 2), s.FromInt32s(make([]int32, 6), 2, 3)) },
	} {
		require.Error(t, catch(fn), name)
	}
}

func toyConfig() Config {
	c := DefaultConfig()
	c.Text.VocabSize, c.Text.EOS, c.Text.Width, c.Text.MLP, c.Text.Layers, c.Text.Heads, c.Text.MaxPositions = 20, 19, 16, 32, 1, 2, 6
	c.Image.Width, c.Image.MLP, c.Image.Layers, c.Image.Heads, c.Image.ImageSize, c.Image.PatchSize = 16, 32, 1, 2, 8, 4
	c.Projection, c.Text.Projection, c.Image.Projection = 8, 8, 8
	return c
}

func TestNewDependsOnTheSeedAlone(t *testing.T) {
	a, err := New(toyConfig(), tensor.CPU(), 1)
	require.NoError(t, err)
	b, err := New(toyConfig(), tensor.CPU(), 1)
	require.NoError(t, err)
	sameParameters(t, a, b)
	require.InDelta(t, 1/0.07, a.Scale(), 1e-2)
	c, err := New(toyConfig(), tensor.CPU(), 2)
	require.NoError(t, err)
	require.NotEqual(t, a.Image.Class.Float32s(), c.Image.Class.Float32s())
	sum := 0.0
	for _, x := range a.Text.Token.Weight.Float32s() {
		sum += float64(x) * float64(x)
	}
	require.InDelta(t, 0.02, math.Sqrt(sum/320), 0.003)
	bad := toyConfig()
	bad.Projection = 9
	_, err = New(bad, tensor.CPU(), 1)
	require.ErrorContains(t, err, "projection_dim 9, in text_config 8")
}

// TestTraining: six pairs are told apart after a few steps, and the scale stays at or below 100 though the loss pulls it up.
func TestTraining(t *testing.T) {
	m, err := New(toyConfig(), tensor.CPU(), 3)
	require.NoError(t, err)
	defer m.Close()
	const n = 6
	beyond := false
	opt := nn.NewAdamW(tensor.CPU(), nn.Parameters(m), nn.AdamWOptions{Beta1: 0.9, Beta2: 0.98, Eps: 1e-6})
	var losses []float32
	for step := range 80 {
		if step == 60 { // the pairs are told apart: a larger scale lowers the loss
			m.LogitScale.SetData([]float32{MaxLogScale})
		}
		s := tensor.NewScope(tensor.CPU(), tensor.WithTape())
		px := s.Randn(tensor.Key{Seed: 5}, n, 8, 8, 3)
		ids := make([]int32, 0, n*4)
		for i := range int32(n) {
			ids = append(ids, 18, i, 19, 19)
		}
		loss := m.ContrastiveLoss(s, px, s.FromInt32s(ids, n, 4))
		losses = append(losses, loss.Item())
		require.LessOrEqual(t, m.LogitScale.Item(), MaxLogScale)
		opt.Step(s, s.Backward(loss), 3e-3)
		beyond = beyond || m.LogitScale.Item() > MaxLogScale
		s.Close()
	}
	require.Greater(t, losses[0], float32(1))
	require.Less(t, losses[len(losses)-1], losses[0]/20)
	require.True(t, beyond, "no step took the scale beyond its bound: the test shows nothing")
	m.LogitScale.SetData([]float32{5})
	m.ClampScale()
	require.InDelta(t, 100, m.Scale(), 1e-3)
}

// TestEncodePatches compares with the last layer's states, normalised and projected in float64, in any batch.
func TestEncodePatches(t *testing.T) {
	m, s := load(t)
	side := m.Pixels.Crop
	var images [][]uint8
	for k := range 3 {
		im := make([]uint8, side*side*3)
		for i := range im {
			im[i] = uint8(i * (k + 3) / 5)
		}
		images = append(images, im)
	}
	got, err := EncodePatches(context.Background(), m, 3, Squares(images, side), 3)
	require.NoError(t, err)
	p, c, e := m.PatchCount(), m.Config.Image.Width, m.Config.Projection
	require.Len(t, got, 3*p*e)
	for _, batch := range []int{1, 2} {
		again, err := EncodePatches(context.Background(), m, 3, Squares(images, side), batch)
		require.NoError(t, err)
		require.Equal(t, got, again)
	}
	px, err := m.input(0, 3, Squares(images, side))
	require.NoError(t, err)
	hidden := m.Image.Hidden(s, s.FromFloat32s(px, 3, side, side, 3)).Float32s()
	gain, bias, w := m.Image.PostNorm.Weight.Float32s(), m.Image.PostNorm.Bias.Float32s(), m.Image.Projection.Weight.Float32s()
	for i := range 3 {
		for k := range p {
			x := hidden[(i*(p+1)+1+k)*c : (i*(p+1)+2+k)*c]
			mean, square := 0.0, 0.0
			for _, v := range x {
				mean += float64(v) / float64(c)
			}
			for _, v := range x {
				square += (float64(v) - mean) * (float64(v) - mean) / float64(c)
			}
			out, norm := make([]float64, e), 0.0
			for j := range out {
				for d, v := range x {
					out[j] += ((float64(v)-mean)/math.Sqrt(square+float64(m.Config.Image.NormEps))*float64(gain[d]) + float64(bias[d])) * float64(w[j*c+d])
				}
				norm += out[j] * out[j]
			}
			for j, v := range out {
				require.InDelta(t, v/math.Sqrt(norm), got[(i*p+k)*e+j], 1e-5)
			}
		}
	}
}
