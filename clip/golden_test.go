package clip

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/nn"
	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// The folders hold a CLIPModel and Stable Diffusion's text encoder with random weights and what transformers 5.23 makes of them.
const (
	tiny   = "testdata/tiny"
	sdText = "testdata/sd_text"
)

// tol is the error allowed, of the largest value: float32 sums in another order differ by 8e-7.
const tol = 1e-5

type golden struct {
	t *testing.T
	f *safetensors.File
}

func open(t *testing.T, path ...string) golden {
	f, err := safetensors.Open(filepath.Join(path...))
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return golden{t, f}
}

func (g golden) floats(name string) ([]float32, []int) {
	x, err := g.f.Float32s(name)
	require.NoError(g.t, err)
	info, _ := g.f.Info(name)
	return x, info.Shape
}

func (g golden) ints(s *tensor.Scope, name string) *tensor.Tensor {
	x, err := g.f.Int64s(name)
	require.NoError(g.t, err)
	info, _ := g.f.Info(name)
	y := make([]int32, len(x))
	for i, v := range x {
		y[i] = int32(v)
	}
	return s.FromInt32s(y, info.Shape...)
}

// images reads [B, 3, H, W] as [B, H, W, 3].
func (g golden) images(s *tensor.Scope, name string) *tensor.Tensor {
	x, shape := g.floats(name)
	return s.Permute(s.FromFloat32s(x, shape...), 0, 2, 3, 1)
}

// equal compares with a golden tensor.
func (g golden) equal(name string, got *tensor.Tensor) {
	g.t.Helper()
	want, shape := g.floats(name)
	require.Equal(g.t, shape, got.Shape(), name)
	near(g.t, name, want, got.Float32s(), tol*largest(want))
}

func largest(x []float32) (top float64) {
	for _, v := range x {
		top = max(top, math.Abs(float64(v)))
	}
	return top
}

func near(t *testing.T, name string, want, got []float32, within float64) {
	t.Helper()
	require.Len(t, got, len(want), name)
	worst, at := -1.0, 0
	for i := range want {
		d := math.Abs(float64(got[i]) - float64(want[i]))
		if d != d {
			d = math.Inf(1)
		}
		if d > worst {
			worst, at = d, i
		}
	}
	require.LessOrEqualf(t, worst, within, "%s: element %d is %g, want %g", name, at, got[at], want[at])
}

func load(t *testing.T) (*Model, *tensor.Scope) {
	m, err := Load(tiny, tensor.CPU())
	require.NoError(t, err)
	s := tensor.NewScope(tensor.CPU())
	t.Cleanup(func() { s.Close(); m.Close() })
	return m, s
}

func TestTextAgreesLayerByLayer(t *testing.T) {
	m, s := load(t)
	in, out := open(t, tiny, "inputs.safetensors"), open(t, tiny, "outputs.safetensors")
	ids := in.ints(s, "input_ids")
	x := m.Text.embed(s, ids)
	out.equal("text.hidden.0", x)
	for i, l := range m.Text.Layers {
		x = l.Forward(s, x, nil, true)
		out.equal("text.hidden."+string(rune('1'+i)), x)
	}
	h := m.Text.Hidden(s, ids, nil)
	out.equal("text.last_hidden_state", h)
	out.equal("text.pooler_output", m.Text.Pool(s, h, ids))
	out.equal("text.pooler_output", m.Text.Pooled(s, ids))
	out.equal("text_features", m.Text.Projection.Forward(s, m.Text.Pooled(s, ids)))
	out.equal("text_embeds", m.EncodeText(s, ids))
	h = m.Text.Hidden(s, ids, in.ints(s, "attention_mask"))
	out.equal("text_masked.last_hidden_state", h)
	out.equal("text_masked.pooler_output", m.Text.Pool(s, h, ids))
}

func TestImageAgreesLayerByLayer(t *testing.T) {
	m, s := load(t)
	in, out := open(t, tiny, "inputs.safetensors"), open(t, tiny, "outputs.safetensors")
	px := in.images(s, "pixel_values")
	x := m.Image.embed(s, px)
	out.equal("vision.hidden.0", x)
	for i, l := range m.Image.Layers {
		x = l.Forward(s, x, nil, false)
		out.equal("vision.hidden."+string(rune('1'+i)), x)
	}
	out.equal("vision.last_hidden_state", m.Image.Hidden(s, px))
	out.equal("vision.pooler_output", m.Image.Pool(s, x))
	out.equal("vision.pooler_output", m.Image.Pooled(s, px))
	out.equal("image_features", m.Image.Projection.Forward(s, m.Image.Pool(s, x)))
	images, texts := m.EncodeImage(s, px), m.EncodeText(s, in.ints(s, "input_ids"))
	out.equal("image_embeds", images)
	out.equal("logits_per_image", m.Logits(s, images, texts))
	out.equal("logits_per_text", s.Permute(m.Logits(s, images, texts), 1, 0))
}

func TestPositionsOfOtherImageSizes(t *testing.T) {
	m, s := load(t)
	g := open(t, tiny, "interpolate_pos.safetensors")
	h := m.Image.Hidden(s, g.images(s, "pixel_values")) // 48×64 for a model of 32×32
	g.equal("last_hidden_state", h)
	g.equal("pooler_output", m.Image.Pool(s, h))
}

func TestGradientsOfContrastiveLoss(t *testing.T) {
	m, _ := load(t)
	s := tensor.NewScope(tensor.CPU(), tensor.WithTape())
	defer s.Close()
	in, g := open(t, tiny, "inputs.safetensors"), open(t, tiny, "grads.safetensors")
	loss := m.ContrastiveLoss(s, in.images(s, "pixel_values"), s.Slice(in.ints(s, "input_ids"), 0, 0, 2))
	want, _ := g.floats("loss")
	require.InEpsilon(t, want[0], loss.Item(), tol)
	grads := s.Backward(loss)
	checkGradients(t, m, g, grads)
}

// checkGradients compares what the golden holds: the smaller tensors, and of the tokens' table the rows that are not zero.
func checkGradients(t *testing.T, m *Model, g golden, grads *tensor.Gradients) {
	const table = "text_model.embeddings.token_embedding.weight"
	top := 0.0
	for _, name := range g.f.Names() {
		if strings.HasPrefix(name, "grad.") {
			x, _ := g.floats(name)
			top = max(top, largest(x))
		}
	}
	seen := 0
	for _, p := range nn.Parameters(m) {
		d := grads.Of(p.Tensor)
		require.NotNil(t, d, p.Name)
		got := d.Float32s()
		var want []float32
		if p.Name == table {
			want = make([]float32, len(got))
			rows, err := g.f.Int64s("rows.index")
			require.NoError(t, err)
			x, shape := g.floats("rows." + table)
			for i, r := range rows {
				copy(want[int(r)*shape[1]:], x[i*shape[1]:(i+1)*shape[1]])
			}
		} else {
			if _, ok := g.f.Info("grad." + p.Name); !ok {
				continue
			}
			var shape []int
			want, shape = g.floats("grad." + p.Name)
			if p.Layout == "oihw" {
				want = channelsLast(want, shape)
			}
		}
		seen++
		near(t, p.Name, want, got, max(1e-4*largest(want), 1e-6*top)) // the floor: k_proj.bias has no gradient but rounding
	}
	require.Equal(t, 88, seen)
}

// channelsLast turns [O, I, H, W] into [O, H, W, I].
func channelsLast(x []float32, shape []int) []float32 {
	c, n := shape[1], shape[2]*shape[3]
	y := make([]float32, len(x))
	for i := range x {
		y[(i/(c*n)*n+i%n)*c+i/n%c] = x[i]
	}
	return y
}

func TestStableDiffusionTextEncoder(t *testing.T) {
	m, err := LoadText(sdText, tensor.CPU())
	require.NoError(t, err)
	defer m.Close()
	require.Nil(t, m.Projection)
	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	ids := open(t, sdText, "inputs.safetensors").ints(s, "input_ids")
	out := open(t, sdText, "outputs.safetensors")
	h := m.Hidden(s, ids, nil)
	out.equal("last_hidden_state", h)
	out.equal("pooler_output", m.Pool(s, h, ids))
	require.ErrorContains(t, catch(func() { m.Encode(s, ids) }), "text_projection")
}

func catch(fn func()) (err error) {
	defer tensor.Catch(&err)
	fn()
	return nil
}
