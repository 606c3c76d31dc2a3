package parity

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/tensor"
)

// TestFullSize holds models of the real sizes, with random weights, against the original libraries: the folders that bench/golden/make_full.py
// made in SYNTIC_FULLSIZE, those that are there.
func TestFullSize(t *testing.T) {
	root := os.Getenv("SYNTIC_FULLSIZE")
	if root == "" {
		t.Skip("SYNTIC_FULLSIZE names no folder of models")
	}
	ran := 0
	for _, c := range []struct{ model, module string }{
		{"clip_b32", "clip.vision"}, {"clip_b32", "clip.text"}, {"clip_l14", "clip.vision"}, {"clip_l14", "clip.text"}, {"sd_text", "sd.text"},
		{"sd_unet", "sd.unet"}, {"sd_vae", "sd.vae.encode"}, {"sd_vae", "sd.vae.decode"}, {"detr_r50", "detr"}, {"gpt2", "decoder"},
	} {
		dir := filepath.Join(root, c.model)
		if !isFolder(dir) {
			continue
		}
		ran++
		t.Run(c.model+" "+c.module, func(t *testing.T) {
			want := open(t, filepath.Join(dir, "outputs.safetensors"))
			out, err := Forward(tensor.CPU(), c.module, dir, open(t, filepath.Join(dir, "inputs.safetensors")), true)
			require.NoError(t, err)
			kept := out[:0]
			for _, x := range out {
				if _, ok := want.Info(x.Name); ok {
					kept = append(kept, x)
				}
			}
			path := filepath.Join(t.TempDir(), "out.safetensors")
			require.NoError(t, Write(path, kept))
			d, err := Compare(open(t, path), want, 1e-4)
			require.NoError(t, err)
			require.NotEmpty(t, d.Tensors)
			worst := d.Tensors[0]
			for _, x := range d.Tensors {
				assert.False(t, x.Beyond, "%+v", x)
				assert.GreaterOrEqual(t, x.Cosine, 0.999999, "%+v", x)
				if x.MaxRel > worst.MaxRel {
					worst = x
				}
			}
			t.Logf("%d tensors, the worst: %+v", len(d.Tensors), worst)
		})
	}
	assert.Positive(t, ran, "%s has none of the models", root)
}
