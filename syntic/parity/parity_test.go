package parity

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// The goldens are those of the packages that the models live in: random weights, and what the original libraries make of them.
const (
	clipTiny    = "../../clip/testdata/tiny"
	sdText      = "../../clip/testdata/sd_text"
	sdTiny      = "../../diffusion/testdata/sd"
	detrTiny    = "../detr/testdata"
	decoderTiny = "../testdata/decoder_tiny"
)

func open(t *testing.T, path string) *safetensors.File {
	t.Helper()
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// goldens are runs and how much of each golden file they must give; tolerances are those of the goldens' README.
var goldens = []struct {
	name, module, model string
	inputs, outputs     string
	tolerance           float64
	without             string // a prefix of tensors that another module gives, or ""
	min                 int    // tensors compared at least
}{
	{"clip.vision", "clip.vision", clipTiny, clipTiny + "/inputs", clipTiny + "/outputs", 1e-5, "text logits", 8},
	{"clip.text", "clip.text", clipTiny, clipTiny + "/inputs", clipTiny + "/outputs", 1e-5, "vision image logits", 10},
	{"positions", "clip.vision", clipTiny, clipTiny + "/interpolate_pos", "", 1e-5, "", 2},
	{"sd.text", "sd.text", sdText, sdText + "/inputs", sdText + "/outputs", 1e-5, "", 2},
	{"unet", "sd.unet", sdTiny, sdTiny + "/golden/unet.inputs", sdTiny + "/golden/unet.outputs", 1e-5, "", 24},
	{"unet of odd size", "sd.unet", sdTiny + "/unet", sdTiny + "/golden/unet_odd_size.inputs", sdTiny + "/golden/unet_odd_size.outputs", 1e-5, "", 1},
	{"unet at a fraction", "sd.unet", sdTiny, sdTiny + "/golden/unet_fractional_t.inputs", sdTiny + "/golden/unet_fractional_t.outputs", 1e-5, "", 1},
	{"unet, short text", "sd.unet", sdTiny, sdTiny + "/golden/unet_wide_short_ctx.inputs", sdTiny + "/golden/unet_wide_short_ctx.outputs", 1e-5, "", 1},
	{"vae, in", "sd.vae.encode", sdTiny, sdTiny + "/golden/vae.inputs", sdTiny + "/golden/vae.outputs", 1e-5, "act.decoder decoded", 6},
	{"vae, out", "sd.vae.decode", sdTiny + "/vae", sdTiny + "/golden/vae.inputs", sdTiny + "/golden/vae.outputs", 1e-5, "act.encoder mean logvar std", 6},
	{"detr", "detr", detrTiny, detrTiny + "/inputs", detrTiny + "/outputs", 3e-5, "", 17},
	{"detr of odd size", "detr", detrTiny, detrTiny + "/odd_size", detrTiny + "/odd_size", 3e-5, "pixel_values features", 2},
}

// TestForwardEqualsGoldens runs every module on its golden inputs and asks for every tensor of the golden outputs, layers too.
func TestForwardEqualsGoldens(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.name, func(t *testing.T) {
			out, err := Forward(tensor.CPU(), g.module, g.model, open(t, g.inputs+".safetensors"), true)
			require.NoError(t, err)
			if g.outputs == "" { // named otherwise in that file
				for i := range out {
					out[i].Name = strings.TrimPrefix(out[i].Name, "vision.")
				}
				g.outputs, g.without = g.inputs, "pixel_values"
			}
			same(t, out, g.outputs, g.tolerance, g.without, g.min)
		})
	}
}

// TestForwardEqualsWholeGoldens does the same with the folder that bench/golden makes, which has what is too large for the repository.
func TestForwardEqualsWholeGoldens(t *testing.T) {
	root := os.Getenv("SYNTIC_GOLDEN")
	if root == "" {
		t.Skip("SYNTIC_GOLDEN names no folder of goldens")
	}
	for _, g := range goldens {
		if g.outputs == "" {
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			whole := strings.NewReplacer(clipTiny, root+"/clip_tiny", sdText+"/inputs", root+"/sd_tiny/golden/text.inputs", sdText+"/outputs", root+"/sd_tiny/golden/text.outputs",
				sdText, root+"/sd_tiny/text_encoder", sdTiny, root+"/sd_tiny", detrTiny, root+"/detr_tiny")
			out, err := Forward(tensor.CPU(), g.module, whole.Replace(g.model), open(t, whole.Replace(g.inputs)+".safetensors"), true)
			require.NoError(t, err)
			same(t, out, whole.Replace(g.outputs), g.tolerance, g.without, g.min)
		})
	}
}

// same asks that out holds every tensor of a golden file but those without, and equals them.
func same(t *testing.T, out []safetensors.Tensor, golden string, tolerance float64, without string, min int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "out.safetensors")
	require.NoError(t, Write(path, out))
	c, err := Compare(open(t, path), open(t, golden+".safetensors"), tolerance)
	require.NoError(t, err)
	for _, d := range c.Tensors {
		assert.False(t, d.Beyond, "%+v", d)
		assert.Greater(t, d.Cosine, 0.999999, "%+v", d)
		if testing.Verbose() {
			t.Logf("%-70s %.2g", d.Name, d.MaxRel)
		}
	}
	assert.GreaterOrEqual(t, len(c.Tensors), min)
	for _, name := range c.OnlyIn {
		known := false
		for _, w := range strings.Fields(without) {
			known = known || strings.HasPrefix(name, w)
		}
		assert.True(t, known, "missing: %s", name)
	}
}

// TestDecoderEqualsGolden runs twice: the golden's states were made without a mask, its logits and loss with it.
func TestDecoderEqualsGolden(t *testing.T) {
	masked, err := Forward(tensor.CPU(), "decoder", decoderTiny, open(t, decoderTiny+"/inputs.safetensors"), false)
	require.NoError(t, err)
	same(t, masked, decoderTiny+"/outputs", 1e-5, "hidden", 2)

	in := open(t, decoderTiny+"/inputs.safetensors")
	prefix, err := in.Bytes("prefix")
	require.NoError(t, err)
	ids, err := in.Bytes("input_ids")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "in.safetensors")
	require.NoError(t, safetensors.Write(path, []safetensors.Tensor{{Name: "prefix", DType: safetensors.F32, Shape: []int{3, 4, 64}, Bytes: prefix},
		{Name: "input_ids", DType: safetensors.I64, Shape: []int{3, 10}, Bytes: ids}}, nil))
	all, err := Forward(tensor.CPU(), "decoder", decoderTiny, open(t, path), true)
	require.NoError(t, err)
	same(t, all[:5], decoderTiny+"/outputs", 1e-5, "logits loss", 5)
}
