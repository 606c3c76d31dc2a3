package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/syntic/inspect"
	"syntic/tensor/safetensors"
)

// The originals' tiny models that the packages test against.
const (
	clipTiny  = "../../clip/testdata/tiny"
	textTiny  = "../../clip/testdata/sd_text"
	detrTiny  = "../../syntic/detr/testdata"
	gpt2Tiny  = "../../syntic/testdata/decoder_tiny"
	toyModels = "../../syntic/world/weights/data/"
)

func inspected(t *testing.T, args ...string) *inspect.Report {
	t.Helper()
	code, stdout, errs := execute(append([]string{"inspect", "--json"}, args...)...)
	require.Zero(t, code, errs)
	var r inspect.Report
	require.NoError(t, json.Unmarshal([]byte(stdout), &r))
	return &r
}

func TestInspect(t *testing.T) {
	for _, c := range []struct {
		path, architecture, naming string
		parts                      int
		parameters                 int64
		mapped, own                int64 // of the first part
	}{
		{clipTiny, "CLIP", "Hugging Face", 1, 304737, 4 * (304737 - 64*3*8*8), 4 * 64 * 3 * 8 * 8},
		{textTiny, "CLIP text encoder", "Hugging Face", 1, 136608, 4 * 136608, 0},
		{detrTiny, "DETR", "Hugging Face", 1, 87244, 290608, 58368},
		{gpt2Tiny, "GPT-2", "Hugging Face", 1, 236160, 0, 4 * 236160},
		{toyModels + "clip", "CLIP", "Hugging Face", 1, 1598849, 2 * (1598849 - 128*3*8*8), 2 * 128 * 3 * 8 * 8},
		{detrTiny + "/model_facebook.safetensors", "DETR", "original repository", 1, 87244, 0, 0},
		{detrTiny + "/model_timm.safetensors", "DETR", "Hugging Face (timm backbone)", 1, 87244, 0, 0},
		{pickles + "training.ckpt", "unknown", "", 1, 16, 0, 0},
	} {
		r := inspected(t, c.path)
		assert.Equal(t, c.architecture, r.Architecture, c.path)
		require.Len(t, r.Parts, c.parts, c.path)
		p := r.Parts[0]
		assert.Equal(t, c.naming, p.Naming, c.path)
		assert.Equal(t, c.parameters, p.Parameters, c.path)
		assert.Equal(t, c.mapped > 0 || c.own > 0, p.Loads, c.path)
		assert.Equal(t, []int64{c.mapped, c.own}, []int64{p.Mapped, p.Own}, c.path)
	}
	r := inspected(t, toyModels+"sd")
	var names []string
	for _, p := range r.Parts {
		assert.True(t, p.Loads, p.Name)
		names = append(names, p.Name)
	}
	assert.Equal(t, []string{"text_encoder", "unet", "vae"}, names)

	r = inspected(t, textTiny, "--tensors")
	assert.Len(t, r.Parts[0].List, r.Parts[0].Tensors)
	code, stdout, errs := execute("inspect", textTiny, "--tensors")
	require.Zero(t, code, errs)
	for _, want := range []string{"CLIP text encoder", "F32 136608, I64 77", "text_model.final_layer_norm.bias", "loads", "yes"} {
		assert.Contains(t, stdout, want)
	}
}

// TestRecognise tells namings that no folder here has.
func TestRecognise(t *testing.T) {
	for want, name := range map[string]string{
		"Stable Diffusion 1.x":                 "cond_stage_model.transformer.text_model.embeddings.position_ids",
		"Stable Diffusion XL (not supported)":  "conditioner.embedders.0.x",
		"Stable Diffusion 2.x (not supported)": "cond_stage_model.model.ln_final.bias",
		"CLIP with a ResNet (not supported)":   "visual.layer1.0.conv1.weight",
		"CLIP":                                 "text.transformer.resblocks.0.ln_1.bias",
		"GPT-2":                                "h.0.attn.c_attn.weight",
		"caption decoder of syntic":            "prefix.feature.weight",
		"Stable Diffusion autoencoder":         "post_quant_conv.weight",
		"unknown":                              "fc.weight",
	} {
		got, _ := inspect.Recognise([]string{"a", name})
		assert.Equal(t, want, got, name)
	}
	got, naming := inspect.Recognise([]string{"module.visual.transformer.resblocks.0.ln_1.bias", "module.logit_scale"})
	assert.Equal(t, "CLIP", got)
	assert.Equal(t, `openai/CLIP behind "module."`, naming)
}

// TestMalformedModels: damaged checkpoints and configurations end with code 3 and one line that names file and key.
func TestMalformedModels(t *testing.T) {
	replace := func(from, to string) func([]byte) []byte {
		return func(b []byte) []byte {
			require.Contains(t, string(b), from)
			return []byte(strings.Replace(string(b), from, to, 1))
		}
	}
	// tensors writes the checkpoint again with one tensor changed.
	tensors := func(name string, change func(*safetensors.Tensor)) func([]byte) []byte {
		return func(b []byte) []byte {
			f, err := safetensors.OpenBytes(b)
			require.NoError(t, err)
			var all []safetensors.Tensor
			for _, n := range f.Names() {
				x, err := f.As(n, n)
				require.NoError(t, err)
				if n == name {
					change(&x)
				}
				all = append(all, x)
			}
			path := filepath.Join(t.TempDir(), "x.safetensors")
			require.NoError(t, safetensors.Write(path, all, nil))
			b, err = os.ReadFile(path)
			require.NoError(t, err)
			return b
		}
	}
	const weights, unet = "model.safetensors", "unet/diffusion_pytorch_model.safetensors"
	ints := func(x *safetensors.Tensor) { x.DType = safetensors.I32 }
	flat := func(x *safetensors.Tensor) { x.Shape = []int{len(x.Bytes) / 4} }
	renamed := func(x *safetensors.Tensor) { x.Name += "s" }
	for _, c := range []struct {
		name, model, file string
		change            func([]byte) []byte
		want              string
	}{
		{"clip wrong dtype", clipTiny, weights, tensors("visual_projection.weight", ints), "visual_projection.weight: found I32, want F32, F16, BF16 or F64"},
		{"clip wrong shape", clipTiny, weights, tensors("visual_projection.weight", flat), "visual_projection.weight: found [2560], want [40 64]"},
		{"clip wrong name", clipTiny, weights, tensors("logit_scale", renamed), "1 missing: logit_scale (want []); 1 unexpected: logit_scales"},
		{"clip truncated", clipTiny, weights, half, "truncated"},
		{"clip empty", clipTiny, weights, func([]byte) []byte { return nil }, "0 bytes"},
		{"clip absurd width", clipTiny, "config.json", replace(`"hidden_size": 64`, `"hidden_size": 640000000`), "hidden_size 640000000"},
		{"clip no heads", clipTiny, "config.json", replace(`"num_attention_heads": 4`, `"num_attention_heads": 0`), "num_attention_heads 0"},
		{"clip negative layers", clipTiny, "config.json", replace(`"num_hidden_layers": 3`, `"num_hidden_layers": -3`), "num_hidden_layers -3"},
		{"clip vocabulary", clipTiny, "config.json", replace(`"vocab_size": 1000`, `"vocab_size": 49408`), "token_embedding.weight: found [1000 48], want [49408 48]"},
		{"clip config cut", clipTiny, "config.json", half, "config.json"},
		{"no such architecture", clipTiny, "config.json", func([]byte) []byte { return []byte(`{"model_type": "llama"}`) }, `config.json: model_type "llama"`},
		{"text encoder wrong dtype", textTiny, weights, tensors("text_model.final_layer_norm.bias", ints), "final_layer_norm.bias: found I32"},
		{"detr wrong shape", detrTiny, weights, tensors("class_labels_classifier.weight", flat), "class_labels_classifier.weight: found [256], want [8 32]"},
		{"detr truncated", detrTiny, weights, half, "truncated"},
		{"detr absurd queries", detrTiny, "config.json", replace(`"num_queries": 12`, `"num_queries": 2147483648`), "num_queries"},
		{"gpt2 wrong shape", gpt2Tiny, weights, tensors("transformer.wpe.weight", flat), "transformer.wpe.weight: found [4096], want [64 64]"},
		{"gpt2 vocabulary", gpt2Tiny, "config.json", replace(`"vocab_size": 500`, `"vocab_size": 50257`), "transformer.wte.weight: found [500 64], want [50257 64]"},
		{"gpt2 million layers", gpt2Tiny, "config.json", replace(`"n_layer": 4`, `"n_layer": 1000000`), "n_layer 1000000"},
		{"gpt2 other activation", gpt2Tiny, "config.json", replace(`"gelu_new"`, `"relu"`), `activation_function "relu"`},
		{"unet wrong dtype", toyModels + "sd", unet, tensors("conv_in.weight", func(x *safetensors.Tensor) { x.DType = safetensors.I16 }), "conv_in.weight: found I16"},
		{"unet truncated", toyModels + "sd", unet, half, "truncated"},
		{"unet missing", toyModels + "sd", unet, nil, "diffusion_pytorch_model.safetensors"},
		{"index without shards", clipTiny, "model.safetensors.index.json", func([]byte) []byte { return []byte(`{"weight_map": {"logit_scale": "a.safetensors"}}`) }, "names the shard a.safetensors, which is not there"},
		{"index cut", clipTiny, "model.safetensors.index.json", func([]byte) []byte { return []byte(`{"weight_map": {"logit`) }, "not the index of a checkpoint"},
		{"no weights", clipTiny, weights, nil, "none of model.safetensors, model.safetensors.index.json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "model")
			require.NoError(t, os.CopyFS(dir, os.DirFS(c.model)))
			at := filepath.Join(dir, filepath.FromSlash(c.file))
			data, err := os.ReadFile(at)
			if err != nil { // a file that is not there yet stands in place of the weights
				require.NoError(t, os.Remove(filepath.Join(dir, weights)))
			}
			if c.change == nil {
				require.NoError(t, os.Remove(at))
			} else {
				require.NoError(t, os.WriteFile(at, c.change(slices.Clone(data)), 0o644))
			}
			code, _, errs := execute("inspect", dir)
			assert.Equal(t, 3, code, errs)
			assert.Equal(t, 1, strings.Count(errs, "\n"), errs)
			assert.Contains(t, errs, c.want)
			assert.Contains(t, errs, dir)
		})
	}
	for name, args := range map[string][]string{"no path": {"inspect", "/nowhere"}, "empty folder": {"inspect", t.TempDir()}, "hostile pickle": {"inspect", "inspect_test.go"}} {
		code, stdout, errs := execute(args...)
		assert.Equal(t, 3, code, name)
		assert.Empty(t, stdout, name)
		assert.Equal(t, 1, strings.Count(errs, "\n"), errs)
	}
}
