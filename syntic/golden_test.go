package syntic

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/nn"
	"syntic/syntic/config"
	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// The golden is transformers' GPT2LMHeadModel with random weights: 500 tokens, width 64, 4 layers, 4 heads, end 499.
const goldenEnd = 499

func open(t *testing.T, name string) *safetensors.File {
	t.Helper()
	f, err := safetensors.Open("testdata/decoder_tiny/" + name + ".safetensors")
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func floats(t *testing.T, f *safetensors.File, name string) []float32 {
	t.Helper()
	x, err := f.Float32s(name)
	require.NoError(t, err)
	return x
}

func ints(t *testing.T, f *safetensors.File, name string) []int32 {
	t.Helper()
	x, err := f.Int64s(name)
	require.NoError(t, err)
	out := make([]int32, len(x))
	for i := range x {
		out[i] = int32(x[i])
	}
	return out
}

func goldenDecoder(t *testing.T) *Decoder {
	t.Helper()
	d := newDecoder(tensor.CPU(), Shape{Features: 8, Width: 64, Layers: 4, Heads: 4, FFN: 256, Positions: 64, Layout: "tokens"}, FullVocabulary(500, goldenEnd))
	d.Prefix = nil // GPT-2 has none
	require.NoError(t, nn.Load(d, open(t, "model"), nn.LoadOptions{}))
	t.Cleanup(d.Release)
	return d
}

// inputs are the golden's batch: prefix [3, 4, 64], captions of different length, and the mask of prefix and text.
func goldenInputs(t *testing.T) (prefix []float32, captions [][]int32, mask []int32, ids []int32) {
	f := open(t, "inputs")
	ids, m := ints(t, f, "input_ids"), ints(t, f, "attention_mask")
	for i := range 3 {
		var c []int32
		mask = append(mask, 1, 1, 1, 1)
		for j := range 10 {
			mask = append(mask, m[i*10+j])
			if m[i*10+j] == 1 {
				c = append(c, ids[i*10+j])
			}
		}
		captions = append(captions, c)
	}
	return floats(t, f, "prefix"), captions, mask, ids
}

// near compares with a tolerance relative to the largest wanted value.
func near(t *testing.T, want, have []float32, tol float64, name string) {
	t.Helper()
	require.Len(t, have, len(want), name)
	top, worst := 1e-30, 0.0
	for i, w := range want {
		top = max(top, math.Abs(float64(w)))
		worst = max(worst, math.Abs(float64(w)-float64(have[i])))
		if math.IsNaN(float64(have[i])) {
			worst = math.Inf(1)
		}
	}
	assert.LessOrEqual(t, worst/top, tol, name)
}

func TestGoldenStatesAndLogits(t *testing.T) {
	d, out := goldenDecoder(t), open(t, "outputs")
	prefix, _, mask, ids := goldenInputs(t)
	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	x := s.Concat(1, s.FromFloat32s(prefix, 3, 4, 64), d.Model.Tokens.Forward(s, s.FromInt32s(ids, 3, 10)))
	h := d.Model.hidden(s, x, s.FromInt32s(mask, 3, 14), nil)
	near(t, floats(t, out, "logits"), d.Model.logits(s, h).Float32s(), 1e-5, "logits")

	h = d.Model.at(s, x, 0) // the golden's states were made without a mask
	near(t, floats(t, out, "hidden.0"), h.Float32s(), 1e-6, "embedded")
	for i, b := range d.Model.Blocks[:3] {
		h = b.forward(s, h, nil, nil)
		near(t, floats(t, out, "hidden."+string(rune('1'+i))), h.Float32s(), 1e-5, "block")
	}
	near(t, floats(t, out, "hidden.4"), d.Model.hidden(s, x, nil, nil).Float32s(), 1e-5, "last state")
}

func TestGoldenLossAndGradients(t *testing.T) {
	d, golden := goldenDecoder(t), open(t, "grads")
	px, captions, _, _ := goldenInputs(t)
	s := tensor.NewScope(tensor.CPU(), tensor.WithTape())
	defer s.Close()
	prefix := s.Watch(s.FromFloat32s(px, 3, 4, 64))
	loss := d.Model.loss(s, prefix, nil, captions, 0, nil)
	assert.InDelta(t, floats(t, open(t, "outputs"), "loss")[0], loss.Item(), 1e-5)
	g := s.Backward(loss)
	near(t, floats(t, golden, "grad.prefix"), g.Of(prefix).Float32s(), 1e-4, "prefix")
	top := 0.0 // the model's largest gradient: a floor for those that are nothing but rounding
	for _, name := range golden.Names() {
		for _, x := range floats(t, golden, name) {
			top = max(top, math.Abs(float64(x)))
		}
	}
	params := nn.Parameters(d)
	require.Len(t, golden.Names(), len(params)+1)
	for _, p := range params {
		want := floats(t, golden, "grad."+p.Name)
		have := fileOrder(p, g.Of(p.Tensor).Float32s())
		for i := range want {
			tol := max(1e-4*math.Abs(float64(want[i])), 1e-6*top)
			if !assert.InDelta(t, want[i], have[i], tol, "%s[%d]", p.Name, i) {
				break
			}
		}
	}
}

// fileOrder is x, in p's memory layout, as the checkpoint has it.
func fileOrder(p nn.Named, x []float32) []float32 {
	if p.Layout != "io" {
		return x
	}
	out, in := p.Dim(0), p.Dim(1)
	y := make([]float32, len(x))
	for o := range out {
		for i := range in {
			y[i*out+o] = x[o*in+i]
		}
	}
	return y
}

func TestGoldenAdamW(t *testing.T) {
	for _, c := range []struct {
		name string
		clip float32
	}{{"adamw", 0}, {"adamw_clip", 0.5}} {
		t.Run(c.name, func(t *testing.T) {
			d, golden := goldenDecoder(t), open(t, c.name)
			px, captions, _, _ := goldenInputs(t)
			opt := nn.NewAdamW(tensor.CPU(), nn.Parameters(d), nn.AdamWOptions{Beta1: 0.9, Beta2: 0.98, Eps: 1e-8, Decay: 0.1, ClipNorm: c.clip})
			defer opt.Release()
			for step := range 4 {
				s := tensor.NewScope(tensor.CPU(), tensor.WithTape())
				loss := d.Model.loss(s, s.FromFloat32s(px, 3, 4, 64), nil, captions, 0, nil)
				at := string(rune('0' + step))
				assert.InEpsilon(t, floats(t, golden, "loss."+at)[0], loss.Item(), 2e-5, "loss %d", step)
				if step < 3 {
					norm := opt.Step(s, s.Backward(loss), 1e-3)
					if c.clip > 0 {
						assert.InEpsilon(t, floats(t, golden, "grad_norm."+at)[0], norm, 1e-4)
					}
				}
				s.Close()
			}
			compared := 0
			for _, p := range nn.Parameters(d) {
				if _, ok := golden.Info("param." + p.Name); !ok {
					continue
				}
				compared++
				want, have := floats(t, golden, "param."+p.Name), fileOrder(p, p.Float32s())
				// A step of Adam is ±lr where the gradient is rounding noise around zero (the key biases, which softmax ignores).
				if strings.HasSuffix(p.Name, "c_attn.bias") {
					want, have = append(want[:64:64], want[128:]...), append(have[:64:64], have[128:]...)
				}
				near(t, want, have, 1e-4, p.Name)
			}
			assert.GreaterOrEqual(t, compared, 5)
		})
	}
}

func searchGolden(t *testing.T, d *Decoder, o config.Decode, from, to int) [][]beam {
	t.Helper()
	px := floats(t, open(t, "generate"), "prefix")
	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	beams, err := (&search{m: d.Model, end: goldenEnd, o: o}).run(context.Background(), s, s.FromFloat32s(px[from*256:to*256], to-from, 4, 64))
	require.NoError(t, err)
	return beams
}

func TestGoldenGreedyAndBeams(t *testing.T) {
	d, golden := goldenDecoder(t), open(t, "generate")
	greedy := ints(t, golden, "greedy")
	for i, beams := range searchGolden(t, d, config.Decode{Beams: 1, MaxTokens: 16, LengthPenalty: 1}, 0, 6) {
		require.Len(t, beams, 1)
		rows := beams[0].rows
		for len(rows) < 16 {
			rows = append(rows, goldenEnd)
		}
		assert.Equal(t, greedy[i*16:(i+1)*16], rows, "image %d", i)
	}
	for penalty, name := range []string{"beam5_penalty0", "beam5_penalty1"} {
		o := config.Decode{Beams: 5, MaxTokens: 16, LengthPenalty: float64(penalty)}
		sequences, sums := ints(t, golden, name+".sequences"), floats(t, golden, name+".sum_logprob")
		ended := 0
		for i, beams := range searchGolden(t, d, o, 0, 6) {
			require.Len(t, beams, 5)
			for j, b := range beams {
				at := i*5 + j
				rows := append([]int32(nil), b.rows...)
				for len(rows) < 16 {
					rows = append(rows, -1)
				}
				assert.Equal(t, sequences[at*16:(at+1)*16], rows, "%s image %d beam %d", name, i, j)
				assert.InDelta(t, sums[at], b.sum, 1e-4)
				if b.done {
					ended++
				}
			}
			one := searchGolden(t, d, o, i, i+1)
			assert.Equal(t, strip(beams), strip(one[0]), "image %d alone: the same bits", i)
		}
		assert.Positive(t, ended)
	}
}

// strip leaves out where a beam's state was.
func strip(beams []beam) []beam {
	out := append([]beam(nil), beams...)
	for i := range out {
		out[i].lane = 0
	}
	return out
}
