package diffusion

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/nn"
	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// ldmName is diffusers' name of a tensor of a single-file checkpoint, and diffusers' shape but for the convolutions of one pixel in the
// autoencoder's attention.
type ldmName struct {
	name  string
	shape []int
}

func (n *ldmName) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&n.name, &n.shape})
}

// ldmTable is what bench/golden/ldm_names.py found by diffusers' conversion of Stable Diffusion 1.x: part, name in the file, diffusers' name.
func ldmTable(t *testing.T) map[string]map[string]ldmName {
	z, err := gzip.NewReader(bytes.NewReader(readFile(t, "ldm_names.json.gz")))
	require.NoError(t, err)
	table := map[string]map[string]ldmName{}
	require.NoError(t, json.NewDecoder(z).Decode(&table))
	require.Len(t, table["unet"], 686)
	require.Len(t, table["vae"], 248)
	require.Len(t, table["text"], 196)
	return table
}

// TestLDMNamesEqualDiffusers gives every name of a real file its name there, and holds the sizes of the full models against it.
func TestLDMNamesEqualDiffusers(t *testing.T) {
	uc, vc, _ := StableDiffusion1()
	u, err := NewUNet(tensor.CPU(), uc)
	require.NoError(t, err)
	defer u.Close()
	v, err := NewVAE(tensor.CPU(), vc)
	require.NoError(t, err)
	defer v.Close()
	table := ldmTable(t)
	for _, part := range []struct {
		name, prefix string
		module       any
		rename       func(string) string
	}{
		{"unet", ldmUNet, u, func(n string) string { return ldmUNetName(n, 2) }},
		{"vae", ldmVAE, v, func(n string) string { return ldmVAEName(n, 4) }},
	} {
		shapes := map[string][]int{}
		for _, p := range nn.Parameters(part.module) {
			s := p.Shape()
			if p.Layout == "oihw" {
				s = []int{s[0], s[3], s[1], s[2]}
			}
			shapes[p.Name] = s
		}
		require.Len(t, shapes, len(table[part.name]))
		for ldm, want := range table[part.name] {
			rest, ok := strings.CutPrefix(ldm, part.prefix)
			require.True(t, ok, ldm)
			require.Equal(t, want.name, part.rename(rest), ldm)
			if part.name == "vae" && strings.Contains(ldm, "attn_1") && len(want.shape) == 4 {
				want.shape = want.shape[:2]
			}
			require.Equal(t, want.shape, shapes[want.name], ldm)
		}
	}
}

func TestLDMNamesLeaveStrangersAlone(t *testing.T) {
	for _, name := range []string{"time_embed.1.weight", "time_embed", "out.x.weight", "out", "middle_block.3.weight", "input_blocks", "input_blocks.-1.0.weight",
		"input_blocks.0.1.weight", "input_blocks.3.2.weight", "output_blocks.x.0.weight", "output_blocks.1.7", "label_emb.0.0.weight", ""} {
		require.Equal(t, name, ldmUNetName(name, 2))
	}
	for _, name := range []string{"encoder.down.4.block.0.norm1.weight", "decoder.up.x.block.0.norm1.weight", "decoder.up", "strange"} {
		require.Equal(t, name, ldmVAEName(name, 4))
	}
}

// writeLDM makes the single-file checkpoint of the tiny model, with diffusers' own names turned round, and what real files have besides.
func writeLDM(t *testing.T, change func(name string, x *safetensors.Tensor)) string {
	t.Helper()
	var all []safetensors.Tensor
	add := func(x safetensors.Tensor) {
		if change != nil {
			change(x.Name, &x)
		}
		if x.Name != "" {
			all = append(all, x)
		}
	}
	table := ldmTable(t)
	for part, file := range map[string]string{"unet": "sd/unet", "vae": "sd/vae"} {
		f, err := safetensors.Open(filepath.Join("testdata", file, "diffusion_pytorch_model.safetensors"))
		require.NoError(t, err)
		t.Cleanup(func() { f.Close() })
		for ldm, n := range table[part] {
			if _, ok := f.Info(n.name); !ok && strings.Contains(n.name, "conv_shortcut") { // the tiny model is as wide in some places where the full one grows
				continue
			}
			x, err := f.As(n.name, ldm)
			require.NoError(t, err)
			if part == "vae" && strings.Contains(ldm, "attn_1") && len(n.shape) == 4 {
				x.Shape = append(x.Shape, 1, 1)
			}
			add(x)
		}
	}
	for _, ldm := range []string{"embeddings.token_embedding.weight", "final_layer_norm.bias"} {
		add(safetensors.Tensor{Name: ldmText + "text_model." + ldm, DType: safetensors.F32, Shape: []int{2}, Floats: []float32{1, 2}})
	}
	add(safetensors.Tensor{Name: ldmText + "text_model.embeddings.position_ids", DType: safetensors.I64, Shape: []int{1, 1}, Ints: []int64{0}})
	for _, other := range []string{"alphas_cumprod", "model_ema.diffusion_modelinput_blocks00weight", "first_stage_model.loss.logvar"} {
		add(safetensors.Tensor{Name: other, DType: safetensors.F32, Shape: []int{1}, Floats: []float32{1}})
	}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	require.NoError(t, safetensors.Write(path, all, nil))
	return path
}

// TestLDMFileIsTheSameModel reads the tiny model from one file and compares every parameter's bits with those of the folder.
func TestLDMFileIsTheSameModel(t *testing.T) {
	path := writeLDM(t, nil)
	u, v := loadUNet(t), loadVAE(t)
	lu, err := loadLDMUNet(tensor.CPU(), path, u.Config)
	require.NoError(t, err)
	defer lu.Close()
	lv, err := loadLDMVAE(tensor.CPU(), path, v.Config)
	require.NoError(t, err)
	defer lv.Close()
	for _, pair := range [][2]any{{u, lu}, {v, lv}} {
		want, got := nn.Parameters(pair[0]), nn.Parameters(pair[1])
		require.Len(t, got, len(want))
		for i := range want {
			require.Equal(t, want[i].Name, got[i].Name)
			require.Equal(t, want[i].Tensor.Data(), got[i].Tensor.Data(), want[i].Name)
		}
	}
	f, err := LDMText(path)
	require.NoError(t, err)
	defer f.Close()
	require.ElementsMatch(t, []string{"text_model.embeddings.token_embedding.weight", "text_model.final_layer_norm.bias"}, f.Names())
}

func TestLDMErrorsNameTheFilesTensors(t *testing.T) {
	u := loadUNet(t)
	path := writeLDM(t, func(name string, x *safetensors.Tensor) {
		switch name {
		case ldmUNet + "input_blocks.4.0.in_layers.0.bias":
			x.Name = ""
		case ldmUNet + "middle_block.1.norm.bias":
			x.Shape = append([]int{1}, x.Shape...)
		case ldmUNet + "output_blocks.2.1.conv.bias":
			x.Name = ldmUNet + "label_emb.0.0.bias"
		}
	})
	_, err := loadLDMUNet(tensor.CPU(), path, u.Config)
	require.ErrorContains(t, err, path)
	require.ErrorContains(t, err, "2 missing: down_blocks.1.resnets.0.norm1.bias")
	require.ErrorContains(t, err, "unexpected: model.diffusion_model.label_emb.0.0.bias")
	require.ErrorContains(t, err, "model.diffusion_model.middle_block.1.norm.bias as mid_block.attentions.0.norm.bias: found [1 48]")
	_, err = LoadPipeline(tensor.CPU(), path, "") // of another size
	require.ErrorContains(t, err, "misshapen")
}

func TestOtherFilesSayWhatTheyAre(t *testing.T) {
	for name, want := range map[string]string{
		"conditioner.embedders.0.x": "this is Stable Diffusion XL", "cond_stage_model.model.x": "this is Stable Diffusion 2",
		"down_blocks.0.x": "one part of a diffusers folder", "x": "want Stable Diffusion 1.x in one file",
	} {
		path := filepath.Join(t.TempDir(), "f.safetensors")
		require.NoError(t, safetensors.Write(path, []safetensors.Tensor{{Name: name, DType: safetensors.F32, Shape: []int{1}, Floats: []float32{1}}}, nil))
		_, err := LoadPipeline(tensor.CPU(), path, "")
		require.ErrorContains(t, err, want)
		_, err = LDMText(path)
		require.ErrorContains(t, err, want)
		_, err = LoadVAE(tensor.CPU(), path)
		require.ErrorContains(t, err, want)
	}
}
