package clip

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/nn"
	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// foreign builds the checkpoint that golden header describes, out of the same weights in Hugging Face's layout; the sum shows that it is, byte for byte,
// the file made by the original conversion, which openai/CLIP's own code loads strictly.
func foreign(t *testing.T, header, sum string) []byte {
	t.Helper()
	head, err := os.ReadFile(filepath.Join(tiny, header))
	require.NoError(t, err)
	var tensors map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(head[8:], &tensors))
	delete(tensors, "__metadata__")
	f, err := safetensors.Open(filepath.Join(tiny, "model.safetensors"))
	require.NoError(t, err)
	defer f.Close()
	raw := func(name string) []byte {
		b, err := f.Bytes(name)
		require.NoError(t, err)
		return b
	}
	// from Hugging Face's names to openai/CLIP's
	names := strings.NewReplacer("vision_model.encoder.layers.", "visual.transformer.resblocks.", "text_model.encoder.layers.", "transformer.resblocks.",
		"self_attn.", "attn.", "layer_norm1", "ln_1", "layer_norm2", "ln_2", "fc1", "c_fc", "fc2", "c_proj",
		"vision_model.embeddings.patch_embedding", "visual.conv1", "vision_model.embeddings.class_embedding", "visual.class_embedding",
		"vision_model.embeddings.position_embedding.weight", "visual.positional_embedding", "vision_model.pre_layrnorm", "visual.ln_pre",
		"vision_model.post_layernorm", "visual.ln_post", "text_model.embeddings.token_embedding", "token_embedding",
		"text_model.embeddings.position_embedding.weight", "positional_embedding", "text_model.final_layer_norm", "ln_final")
	parts := map[string][]byte{}
	for _, name := range f.Names() {
		info, _ := f.Info(name)
		switch {
		case strings.HasSuffix(name, "position_ids"):
		case strings.Contains(name, "q_proj"):
			stacked := bytes.Join([][]byte{raw(name), raw(strings.Replace(name, "q_proj", "k_proj", 1)), raw(strings.Replace(name, "q_proj", "v_proj", 1))}, nil)
			parts[strings.Replace(names.Replace(name), "q_proj.", "in_proj_", 1)] = stacked
		case strings.Contains(name, "k_proj"), strings.Contains(name, "v_proj"):
		case name == "text_projection.weight", name == "visual_projection.weight":
			to := map[string]string{"text_projection.weight": "text_projection", "visual_projection.weight": "visual.proj"}[name]
			out, in, b := info.Shape[0], info.Shape[1], raw(name)
			for c := range in {
				for r := range out {
					parts[to] = append(parts[to], b[4*(r*in+c):][:4]...)
				}
			}
		default:
			parts[names.Replace(name)] = raw(name)
		}
	}
	all := bytes.Clone(head)
	end := 0
	for range tensors { // the tensors one after the other, as the header places them
		for name, entry := range tensors {
			var at struct {
				Offsets [2]int `json:"data_offsets"`
			}
			require.NoError(t, json.Unmarshal(entry, &at))
			if at.Offsets[0] != end || at.Offsets[1] == end {
				continue
			}
			b, ok := parts[strings.TrimPrefix(name, "text.")]
			require.True(t, ok, name)
			all, end = append(all, b...), at.Offsets[1]
		}
	}
	got := sha256.Sum256(all)
	require.Equal(t, sum, hex.EncodeToString(got[:]))
	return all
}

func TestOtherCheckpointNames(t *testing.T) {
	config, err := os.ReadFile(filepath.Join(tiny, "config.json"))
	require.NoError(t, err)
	want, _ := load(t)
	for header, sum := range map[string]string{
		"openai.header":         "6d8c5ac34733333812968ef06db1cb5653201035c6a8f881c60963317eb48fdf",
		"open_clip_text.header": "26daacb547c83f3cd6913bb24b1520c38824de05abfbce268d07db4b64fe541d",
	} {
		file := foreign(t, header, sum)
		got, err := Open(file, config, tensor.CPU())
		require.NoError(t, err, header)
		sameParameters(t, want, got)
		got.Close()

		dir := t.TempDir() // and from a folder, the text tower alone too
		require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), config, 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "model.safetensors"), file, 0o644))
		got, err = Load(dir, tensor.CPU())
		require.NoError(t, err)
		sameParameters(t, want, got)
		got.Close()
		text, err := LoadText(dir, tensor.CPU())
		require.NoError(t, err)
		sameParameters(t, want.Text, text)
		text.Close()
	}
}

func sameParameters(t *testing.T, want, got any) {
	t.Helper()
	a, b := nn.Parameters(want), nn.Parameters(got)
	require.Len(t, b, len(a))
	for i := range a {
		require.Equal(t, a[i].Name, b[i].Name)
		require.Equal(t, a[i].Float32s(), b[i].Float32s(), a[i].Name)
	}
}

func TestSaveAndLoad(t *testing.T) {
	m, s := load(t)
	dir := filepath.Join(t.TempDir(), "a", "b")
	require.NoError(t, m.Save(dir))
	got, err := Load(dir, tensor.CPU())
	require.NoError(t, err)
	defer got.Close()
	require.Equal(t, m.Config, got.Config)
	require.Equal(t, m.Pixels, got.Pixels)
	sameParameters(t, m, got)

	require.NoError(t, m.SaveAs(dir, "F16"))
	half, err := Load(dir, tensor.CPU())
	require.NoError(t, err)
	defer half.Close()
	px := open(t, tiny, "inputs.safetensors").images(s, "pixel_values")
	want := m.EncodeImage(s, px).Float32s()
	near(t, "half precision", want, half.EncodeImage(s, px).Float32s(), 2e-3*largest(want))

	require.Error(t, m.SaveAs(dir, "I8"))
	require.Error(t, m.Save(filepath.Join(dir, "config.json"))) // a file is in the way
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestConfigDefaultsAreViTB32(t *testing.T) {
	c, err := ParseConfig([]byte(`{"text_config": {}, "vision_config": {}}`))
	require.NoError(t, err)
	require.Equal(t, DefaultConfig(), c)
	m, err := newModel(c, tensor.CPU()) // takes no memory before it is filled
	require.NoError(t, err)
	require.Equal(t, 151_277_313, nn.Count(m)) // Radford et al.'s ViT-B/32, as every listing has it
	large := []byte(`{"projection_dim": 768, "text_config": {"projection_dim": 512}, 
		"text_config_dict": {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12},
		"vision_config_dict": {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24, "patch_size": 14}}`)
	c, err = ParseConfig(large)
	require.NoError(t, err)
	m, err = newModel(c, tensor.CPU())
	require.NoError(t, err)
	require.Equal(t, 427_616_513, nn.Count(m)) // ViT-L/14
}

func TestBadFoldersAreErrors(t *testing.T) {
	weights, err := os.ReadFile(filepath.Join(tiny, "model.safetensors"))
	require.NoError(t, err)
	config, err := os.ReadFile(filepath.Join(tiny, "config.json"))
	require.NoError(t, err)
	change := func(from, to string) string {
		require.Contains(t, string(config), from)
		return strings.Replace(string(config), from, to, 1)
	}
	for name, c := range map[string]struct{ config, want string }{
		"no json":        {`{`, "unexpected end"},
		"no text":        {`{}`, "text_config is missing"},
		"wrong type":     {change(`"projection_dim": 40`, `"projection_dim": "40"`), "projection_dim"},
		"heads":          {change(`"num_attention_heads": 4`, `"num_attention_heads": 5`), "num_attention_heads 5"},
		"activation":     {change(`quick_gelu`, `quack`), "hidden_act"},
		"vocabulary":     {change(`"vocab_size": 1000`, `"vocab_size": 1001`), "token_embedding.weight: found [1000 48], want [1001 48]"},
		"one layer more": {change(`"num_hidden_layers": 3`, `"num_hidden_layers": 4`), "16 missing: text_model.encoder.layers.3."},
		"one layer less": {change(`"num_hidden_layers": 3`, `"num_hidden_layers": 2`), "16 unexpected: text_model.encoder.layers.2."},
		"huge":           {change(`"hidden_size": 48`, `"hidden_size": 4611686018427387904`), "hidden_size"},
		"patch":          {change(`"patch_size": 8`, `"patch_size": 0`), "patch_size"},
		"end":            {change(`"eos_token_id": 2`, `"eos_token_id": 1000`), "eos_token_id 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(weights, []byte(c.config), tensor.CPU())
			require.ErrorContains(t, err, c.want)
		})
	}
	_, err = Open(weights[:len(weights)-1], config, tensor.CPU())
	require.Error(t, err)
	_, err = Load(t.TempDir(), tensor.CPU())
	require.ErrorContains(t, err, "config.json")
	_, err = LoadText(t.TempDir(), tensor.CPU())
	require.ErrorContains(t, err, "config.json")
}

// TestOpenCLIPFolder loads what open_clip writes.
func TestOpenCLIPFolder(t *testing.T) {
	want, _ := load(t)
	dir := t.TempDir()
	file := foreign(t, "open_clip_text.header", "26daacb547c83f3cd6913bb24b1520c38824de05abfbce268d07db4b64fe541d")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "open_clip_model.safetensors"), file, 0o644))
	const good = `{"model_cfg": {"embed_dim": 40, "quick_gelu": true, "vision_cfg": {"image_size": 32, "layers": 3, "width": 64, "head_width": 16, "patch_size": 8},
		"text_cfg": {"context_length": 77, "vocab_size": 1000, "width": 48, "heads": 4, "layers": 3}}, "preprocess_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.1]}}`
	write := func(config string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "open_clip_config.json"), []byte(config), 0o644))
	}
	write(good)
	got, err := Load(dir, tensor.CPU())
	require.NoError(t, err)
	defer got.Close()
	sameParameters(t, want, got)
	require.Equal(t, want.Config.Image, got.Config.Image)
	require.Equal(t, want.Config.Text.EOS, got.Config.Text.EOS)
	require.Equal(t, 32, got.Pixels.Size)
	require.True(t, got.Pixels.OpenAI)
	require.Equal(t, [3]float32{0.5, 0.4, 0.3}, got.Pixels.Mean)
	for from, c := range map[string][2]string{
		`"layers": 3, "width": 64`: {`"layers": [3, 4, 6, 3], "width": 64`, "ResNets are not supported"},
		`"head_width": 16`:         {`"head_width": 0`, "head_width 0"},
		`"embed_dim": 40, `:        {``, "embed_dim is missing"},
		`"vocab_size": 1000`:       {`"vocab_size": -1`, "vocab_size -1"},
		`"context_length": 77`:     {`"hf_model_name": "roberta"`, "are not supported"},
		`"patch_size": 8`:          {`"patch_size": 16`, "patch_embedding"},
		`0.1]`:                     {`0]`, "preprocess_cfg.std"},
		`"preprocess_cfg": {`:      {`"preprocess_cfg": {"resize_mode": "squash", `, "resize_mode \"squash\": want bicubic and shortest"},
		`{"model_cfg"`:             {`"model_cfg"`, "open_clip_config.json"},
	} {
		write(strings.Replace(good, from, c[0], 1))
		_, err := Load(dir, tensor.CPU())
		require.ErrorContains(t, err, c[1])
		require.ErrorContains(t, err, dir)
	}
}

// TestMisshapenOpenAITensors: what cannot be taken apart is named.
func TestMisshapenOpenAITensors(t *testing.T) {
	config, err := os.ReadFile(filepath.Join(tiny, "config.json"))
	require.NoError(t, err)
	for name, want := range map[string]string{
		"transformer.resblocks.0.attn.in_proj_weight": `in_proj_weight": [2 2] holds no 3 equal parts`,
		"visual.class_embedding":                      "visual.class_embedding as vision_model.embeddings.class_embedding: found [2 2], want [64]",
	} {
		path := filepath.Join(t.TempDir(), "x.safetensors")
		require.NoError(t, safetensors.Write(path, []safetensors.Tensor{{Name: name, DType: "F32", Shape: []int{2, 2}, Floats: make([]float32, 4)}}, nil))
		file, err := os.ReadFile(path)
		require.NoError(t, err)
		_, err = Open(file, config, tensor.CPU())
		require.ErrorContains(t, err, want)
	}
}

// A folder with shards and an index is the same model.
func TestShardedFolder(t *testing.T) {
	want, _ := load(t)
	f, err := safetensors.Open(filepath.Join(tiny, "model.safetensors"))
	require.NoError(t, err)
	defer f.Close()
	config, err := os.ReadFile(filepath.Join(tiny, "config.json"))
	require.NoError(t, err)
	dir, where := t.TempDir(), map[string]string{}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), config, 0o644))
	names := f.Names()
	for i, part := range [][]string{names[:50], names[50:]} {
		file, ts := string('a'+rune(i))+".safetensors", []safetensors.Tensor{}
		for _, name := range part {
			x, err := f.As(name, name)
			require.NoError(t, err)
			ts, where[name] = append(ts, x), file
		}
		require.NoError(t, safetensors.Write(filepath.Join(dir, file), ts, nil))
	}
	require.NoError(t, nn.WriteJSON(filepath.Join(dir, "model.safetensors.index.json"), map[string]any{"weight_map": where}))
	got, err := Load(dir, tensor.CPU())
	require.NoError(t, err)
	sameParameters(t, want, got)
	got.Close()
	require.NoError(t, os.Truncate(filepath.Join(dir, "b.safetensors"), 9000))
	_, err = Load(dir, tensor.CPU())
	require.ErrorContains(t, err, "index.json: shard "+filepath.Join(dir, "b.safetensors"))
	require.ErrorContains(t, err, "truncated")
}
