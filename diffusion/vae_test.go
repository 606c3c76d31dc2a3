package diffusion

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/nn"
	"syntic/tensor"
	"syntic/tensor/safetensors"
)

func TestVAEEqualsGolden(t *testing.T) {
	v, s := loadVAE(t), newScope(t)
	in, out := openGolden(t, "sd/golden/vae.inputs.safetensors"), openGolden(t, "sd/golden/vae.outputs.safetensors")
	same := func(name, golden string, got *tensor.Tensor) {
		t.Helper()
		near(t, name, got, out.image(s, golden), modelTolerance)
	}
	same("decoded", "decoded", v.Decode(s, in.image(s, "latent")))
	p := v.Encode(s, in.image(s, "image"))
	same("mean", "mean", p.Mean)
	same("logvar", "logvar", p.LogVar)
	same("std", "std", p.Std(s))
}

// TestVAELayersEqualGolden walks the layers as Encode and Decode do.
func TestVAELayersEqualGolden(t *testing.T) {
	v, s := loadVAE(t), newScope(t)
	in, out := openGolden(t, "sd/golden/vae.inputs.safetensors"), openGolden(t, "sd/golden/vae.outputs.safetensors")
	same := func(name string, got *tensor.Tensor) {
		t.Helper()
		near(t, name, got, out.image(s, "act."+name), modelTolerance)
	}
	d := v.Decoder
	x := d.ConvIn.Forward(s, v.PostQuant.Forward(s, in.image(s, "latent")))
	same("decoder.conv_in", x)
	same("decoder.mid_block.attentions.0", d.Mid.Attentions[0].Forward(s, d.Mid.Resnets[0].Forward(s, x, nil)))
	x = d.Mid.Forward(s, x)
	same("decoder.mid_block", x)
	for i, u := range d.Up {
		x = u.Forward(s, x)
		if i == 0 {
			same("decoder.up_blocks.0", x)
		}
	}
	near(t, "decoder.conv_norm_out", normSiLU(s, d.NormOut, x), s.Act(out.image(s, "act.decoder.conv_norm_out"), tensor.SiLU), modelTolerance)

	e := v.Encoder
	x = e.ConvIn.Forward(s, in.image(s, "image"))
	for i, b := range e.Down {
		x = b.Forward(s, x)
		if i == 0 || i == 3 {
			same(fmt.Sprintf("encoder.down_blocks.%d", i), x)
		}
	}
	same("encoder.mid_block", e.Mid.Forward(s, x))
}

// TestVAELoadsOldNames writes the checkpoint under the names of Stable Diffusion 1.x's own files and reads it back.
func TestVAELoadsOldNames(t *testing.T) {
	v, s := loadVAE(t), newScope(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "diffusion_pytorch_model.safetensors")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), readFile(t, "sd/vae/config.json"), 0o666))
	f, err := safetensors.Open("testdata/sd/vae/diffusion_pytorch_model.safetensors")
	require.NoError(t, err)
	defer f.Close()
	var all []safetensors.Tensor
	renamed := 0
	for _, n := range f.Names() {
		info, _ := f.Info(n)
		b, err := f.Bytes(n)
		require.NoError(t, err)
		old := n
		for _, p := range [][2]string{{"to_q", "query"}, {"to_k", "key"}, {"to_v", "value"}, {"to_out.0", "proj_attn"}} {
			old = strings.Replace(old, "mid_block.attentions.0."+p[0]+".", "mid_block.attentions.0."+p[1]+".", 1)
		}
		if old != n {
			renamed++
		}
		all = append(all, safetensors.Tensor{Name: old, DType: info.DType, Shape: info.Shape, Bytes: b})
	}
	require.Equal(t, 16, renamed)
	require.NoError(t, safetensors.Write(path, all, nil))
	w, err := LoadVAE(tensor.CPU(), dir)
	require.NoError(t, err)
	defer w.Close()
	in := openGolden(t, "sd/golden/vae.inputs.safetensors")
	z := in.image(s, "latent")
	require.Equal(t, v.Decode(s, z).Float32s(), w.Decode(s, z).Float32s())
}

// TestDecodeInGroups holds groups of any size against images decoded alone, bit for bit.
func TestDecodeInGroups(t *testing.T) {
	v, s := loadVAE(t), newScope(t)
	p := &Pipeline{VAE: v}
	z := s.Randn(tensor.Key{Seed: 4}, 5, 3, 2, v.Config.LatentChannels)
	var alone []float32
	for b := range 5 {
		alone = append(alone, Pixels(s, v.Decode(s, v.Unscale(s, s.Slice(z, 0, b, b+1)))).Float32s()...)
	}
	for _, group := range []int{1, 2, 3, 5, 8} {
		require.Equal(t, alone, p.decode(s, z, group).Float32s(), "groups of %d", group)
	}
	all := p.Decode(s, z)
	require.Equal(t, []int{5, 24, 16, 3}, all.Shape())
	require.Equal(t, alone, all.Float32s())
}

func TestPosteriorSamplesByKey(t *testing.T) {
	v, s := loadVAE(t), newScope(t)
	x := s.Scale(s.Randn(tensor.Key{Seed: 1}, 2, 16, 24, 3), 0.5)
	p := v.Encode(s, x)
	require.Equal(t, []int{2, 2, 3, 4}, p.Mean.Shape())
	both := p.Sample(s, []tensor.Key{{Seed: 3, Item: 7}, {Seed: 3, Item: 8}}).Float32s()
	second := v.Encode(s, s.Slice(x, 0, 1, 2)).Sample(s, []tensor.Key{{Seed: 3, Item: 8}}).Float32s()
	require.Equal(t, both[24:], second)

	mean, logvar := p.Mean.Float32s(), p.LogVar.Float32s()
	want := 0.
	for i := range mean {
		m, l := float64(mean[i]), float64(logvar[i])
		want += 0.5 * (m*m + math.Exp(l) - 1 - l)
	}
	require.InEpsilon(t, want, p.KL(s).Item(), 1e-5)
}

func TestVAEOfStableDiffusion(t *testing.T) {
	c := DefaultVAEConfig()
	for range 3 {
		c.DownBlockTypes = append(c.DownBlockTypes, c.DownBlockTypes[0])
		c.UpBlockTypes = append(c.UpBlockTypes, c.UpBlockTypes[0])
	}
	c.BlockOutChannels, c.LayersPerBlock = []int{128, 256, 512, 512}, 2
	v, err := NewVAE(tensor.CPU(), c)
	require.NoError(t, err)
	n := 0
	for _, p := range nn.Parameters(v) {
		n += p.Tensor.Len()
	}
	require.Equal(t, 83_653_863, n) // as the original's
	require.Equal(t, 8, v.Factor())
}

func TestScaleIsUndone(t *testing.T) {
	v, s := loadVAE(t), newScope(t)
	z := s.Randn(tensor.Key{Seed: 1}, 2, 3, 5, 4)
	near(t, "plain", v.Scale(s, z), s.Scale(z, 0.18215), 1e-7)
	near(t, "plain, back", v.Unscale(s, v.Scale(s, z)), z, 1e-6)
	v.Config.LatentsMean, v.Config.LatentsStd = []float64{0, 1, -2, 3}, []float64{1, 2, 0.5, 4}
	want := z.Float32s()
	for i := range want {
		want[i] = (want[i] - float32(v.Config.LatentsMean[i%4])) / float32(v.Config.LatentsStd[i%4]) * 0.18215
	}
	near(t, "by channel", v.Scale(s, z), s.FromFloat32s(want, 2, 3, 5, 4), 1e-6)
	near(t, "by channel, back", v.Unscale(s, v.Scale(s, z)), z, 1e-6)
}

// TestFullConfigsMeanTheSame reads the files that spell out every key.
func TestFullConfigsMeanTheSame(t *testing.T) {
	short, err := ParseUNetConfig(readFile(t, "sd/unet/config.json"))
	require.NoError(t, err)
	full, err := ParseUNetConfig(readFile(t, "sd/unet/config_full.json"))
	require.NoError(t, err)
	require.Equal(t, short, full)
	vshort, err := ParseVAEConfig(readFile(t, "sd/vae/config.json"))
	require.NoError(t, err)
	vfull, err := ParseVAEConfig(readFile(t, "sd/vae/config_full.json"))
	require.NoError(t, err)
	require.Equal(t, vshort, vfull)
}

func TestVAEConfigErrors(t *testing.T) {
	for text, want := range map[string]string{
		`{"up_block_types": []}`:                                "up_block_types 0",
		`{"latent_channels": 0}`:                                "latent_channels 0",
		`{"act_fn": "gelu"}`:                                    "act_fn",
		`{"scaling_factor": 0}`:                                 "scaling_factor",
		`{"shift_factor": 0.1}`:                                 "shift_factor",
		`{"latents_mean": [0]}`:                                 "latents_mean has 1",
		`{"latents_mean": [0,0,0,0], "latents_std": [1,1,1,0]}`: "latents_std",
		`{"down_block_types": ["AttnDownEncoderBlock2D"]}`:      "AttnDownEncoderBlock2D",
		`{"norm_num_groups": 5}`:                                "norm_num_groups 5",
	} {
		_, err := ParseVAEConfig([]byte(text))
		require.ErrorContains(t, err, want, text)
	}
}
