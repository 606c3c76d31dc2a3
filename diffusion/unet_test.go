package diffusion

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/nn"
	"syntic/tensor"
)

const modelTolerance = 1e-5 // of goldens' largest value; float32 against float64 in the original is 1e-6

func TestUNetEqualsGolden(t *testing.T) {
	u := loadUNet(t)
	for _, name := range []string{"unet", "unet_odd_size", "unet_wide_short_ctx", "unet_fractional_t"} {
		s := newScope(t)
		in, out := openGolden(t, "sd/golden/"+name+".inputs.safetensors"), openGolden(t, "sd/golden/"+name+".outputs.safetensors")
		text := u.Context(s, in.tensor(s, "encoder_hidden_states"))
		got := u.Forward(s, in.image(s, "sample"), in.times("timestep"), text)
		near(t, name, got, out.image(s, "out"), modelTolerance)
	}
}

// TestUNetLayersEqualGolden walks the layers as Forward does and looks at each.
func TestUNetLayersEqualGolden(t *testing.T) {
	u, s := loadUNet(t), newScope(t)
	in, out := openGolden(t, "sd/golden/unet.inputs.safetensors"), openGolden(t, "sd/golden/unet.outputs.safetensors")
	look := func(name string, got, want *tensor.Tensor) { t.Helper(); near(t, name, got, want, modelTolerance) }
	same := func(name string, got *tensor.Tensor) { t.Helper(); look(name, got, out.image(s, "act."+name)) }
	text := u.Context(s, in.tensor(s, "encoder_hidden_states"))

	sin := u.sinusoids(s, in.times("timestep"))
	look("time_proj", sin, out.tensor(s, "act.time_proj"))
	temb := u.TimeEmbedding.Forward(s, sin)
	look("time_embedding", temb, s.Act(out.tensor(s, "act.time_embedding"), tensor.SiLU))
	x := u.ConvIn.Forward(s, in.image(s, "sample"))
	same("conv_in", x)

	h := u.Down[0].Resnets[0].Forward(s, x, temb)
	same("down_blocks.0.resnets.0", h)
	tr := u.Down[0].Attentions[0]
	b := tr.Blocks[0]
	tokens := s.Reshape(tr.In.Forward(s, tr.Norm.Forward(s, h)), 2, 64, -1)
	n := b.Norm1.Forward(s, tokens)
	k, v := b.Self.keyValue(s, n)
	const block = "down_blocks.0.attentions.0.transformer_blocks.0."
	attn1 := b.Self.Forward(s, n, k, v, nil)
	look(block+"attn1", attn1, out.tensor(s, "act."+block+"attn1"))
	tokens = s.Add(tokens, attn1)
	k, v = text.of(s, b.Cross, 2)
	attn2 := b.Cross.Forward(s, b.Norm2.Forward(s, tokens), k, v, nil)
	look(block+"attn2", attn2, out.tensor(s, "act."+block+"attn2"))
	tokens = s.Add(tokens, attn2)
	look(block+"ff", b.FF.Forward(s, b.Norm3.Forward(s, tokens), nil), out.tensor(s, "act."+block+"ff"))
	same("down_blocks.0.attentions.0", tr.Forward(s, h, text))

	skips := []*tensor.Tensor{x}
	for i, d := range u.Down {
		x, skips = d.Forward(s, x, temb, text, skips)
		same(fmt.Sprintf("down_blocks.%d", i), x)
	}
	h = u.Mid.Resnets[0].Forward(s, x, temb)
	same("mid_block.resnets.0", h)
	same("mid_block.attentions.0", u.Mid.Attentions[0].Forward(s, h, text))
	x = u.Mid.Forward(s, x, temb, text)
	same("mid_block", x)
	for i, up := range u.Up {
		m := len(skips) - len(up.Resnets)
		var size *tensor.Tensor
		if m > 0 {
			size = skips[m-1]
		}
		x = up.Forward(s, x, temb, text, skips[m:], size)
		skips = skips[:m]
		same(fmt.Sprintf("up_blocks.%d", i), x)
	}
	look("conv_norm_out", normSiLU(s, u.NormOut, x), s.Act(out.image(s, "act.conv_norm_out"), tensor.SiLU))
}

func TestUNetGradientsEqualGolden(t *testing.T) {
	u, s := loadUNet(t), newScope(t, tensor.WithTape())
	in, want := openGolden(t, "sd/golden/unet.inputs.safetensors"), openGolden(t, "sd/golden/unet.grads.safetensors")
	x, hidden := s.Watch(in.image(s, "sample")), s.Watch(in.tensor(s, "encoder_hidden_states"))
	out := u.Forward(s, x, in.times("timestep"), u.Context(s, hidden))
	loss := s.MSE(out, want.image(s, "target"))
	near(t, "loss", s.Reshape(loss), want.tensor(s, "loss"), 1e-5)
	grads := s.Backward(loss)
	near(t, "sample", grads.Of(x), want.image(s, "grad.sample"), 1e-4)
	near(t, "encoder_hidden_states", grads.Of(hidden), want.tensor(s, "grad.encoder_hidden_states"), 1e-4)

	names := map[string]*tensor.Tensor{}
	for _, p := range nn.Parameters(u) {
		names["grad.param."+p.Name] = p.Tensor
		require.NotNil(t, grads.Of(p.Tensor), p.Name)
	}
	worst, checked := 0., 0
	for _, n := range want.f.Names() {
		if strings.HasPrefix(n, "grad.param.") {
			require.Contains(t, names, n)
			e := relative(grads.Of(names[n]).Float32s(), want.weight(s, n).Float32s())
			require.LessOrEqual(t, e, 1e-4, n)
			worst = max(worst, e)
			checked++
		}
	}
	report(t, fmt.Sprintf("worst of %d parameters", checked), worst)
	require.Greater(t, checked, 500)
}

func TestUNetContextOfOneTextServesAll(t *testing.T) {
	u, s := loadUNet(t), newScope(t)
	in := openGolden(t, "sd/golden/unet.inputs.safetensors")
	x, hidden := in.image(s, "sample"), s.Slice(in.tensor(s, "encoder_hidden_states"), 0, 0, 1)
	one := u.Forward(s, x, []float64{500}, u.Context(s, hidden))
	two := u.Forward(s, x, []float64{500, 500}, u.Context(s, s.Repeat0(hidden, 2)))
	require.Equal(t, two.Float32s(), one.Float32s())
}

func TestUNetConfigErrors(t *testing.T) {
	for text, want := range map[string]string{
		`{"block_out_channels": []}`:                                    "block_out_channels",
		`{"down_block_types": ["DownBlock2D"]}`:                         "down_block_types has 1 entries",
		`{"act_fn": "gelu"}`:                                            "act_fn",
		`{"norm_num_groups": 7}`:                                        "norm_num_groups 7",
		`{"attention_head_dim": 7}`:                                     "7 heads",
		`{"attention_head_dim": "x"}`:                                   "want a whole number",
		`{"attention_head_dim": [1, 2]}`:                                "attention_head_dim has 2 entries",
		`{"class_embed_type": "timestep"}`:                              "class_embed_type",
		`{"mid_block_type": "UNetMidBlock2D"}`:                          "mid_block_type",
		`{"up_block_types": ["A","UpBlock2D","UpBlock2D","UpBlock2D"]}`: `up_block_types[0] "A"`,
		`{`: "unexpected EOF",
	} {
		_, err := ParseUNetConfig([]byte(text))
		require.ErrorContains(t, err, want, text)
	}
	c, err := ParseUNetConfig([]byte(`{"cross_attention_dim": 768, "norm_eps": null}`))
	require.NoError(t, err)
	require.Equal(t, 768, c.CrossAttentionDim)
	require.Equal(t, float32(1e-5), c.NormEps)
}

// TestUNetOfStableDiffusion builds the full size, of which no memory is taken, and counts its parameters.
func TestUNetOfStableDiffusion(t *testing.T) {
	c := DefaultUNetConfig()
	c.CrossAttentionDim = 768
	u, err := NewUNet(tensor.CPU(), c)
	require.NoError(t, err)
	n := 0
	for _, p := range nn.Parameters(u) {
		n += p.Tensor.Len()
	}
	require.Equal(t, 859_520_964, n) // as the original's
}

// TestLinearProjectionIsTheSame gives the weights of the 1×1 convolutions to a UNet that has linear layers instead, and heads by level.
func TestLinearProjectionIsTheSame(t *testing.T) {
	u, s := loadUNet(t), newScope(t)
	c := u.Config
	c.UseLinearProjection, c.AttentionHeadDim = true, Ints{8, 8, 8, 8}
	v, err := NewUNet(tensor.CPU(), c)
	require.NoError(t, err)
	from, to := nn.Parameters(u), nn.Parameters(v)
	byName := map[string]*tensor.Tensor{}
	for _, p := range from {
		byName[p.Name] = p.Tensor
	}
	require.Len(t, to, len(from))
	for _, p := range to {
		p.Tensor.SetData(byName[p.Name].Data())
	}
	in := openGolden(t, "sd/golden/unet_odd_size.inputs.safetensors")
	x, hidden := in.image(s, "sample"), in.tensor(s, "encoder_hidden_states")
	want := u.Forward(s, x, []float64{500}, u.Context(s, hidden))
	near(t, "linear", v.Forward(s, x, []float64{500}, v.Context(s, hidden)), want, modelTolerance)
}
