package clip

import (
	"slices"
	"strings"

	"syntic/tensor/safetensors"
)

// hubNames gives a checkpoint under Hugging Face's names: f itself if it has them, else a view of what openai/CLIP or open_clip wrote: query, key and
// value stacked in one tensor come apart, the projections, stored [width, embed], are transposed. Closing the view closes f.
func hubNames(f *safetensors.File) (*safetensors.File, error) {
	names := f.Names()
	if !slices.ContainsFunc(names, isOpenAIName) {
		return f, nil
	}
	var all []safetensors.Tensor
	for _, name := range names {
		if openAIBuffers[strings.TrimPrefix(name, "text.")] || strings.HasSuffix(name, ".attn_mask") { // each block's, in TorchScript archives
			continue
		}
		hub := hubName(name)
		var parts []safetensors.Tensor
		var one safetensors.Tensor
		var err error
		switch {
		case strings.Contains(hub, "in_proj_"):
			part := func(x string) string { return strings.Replace(hub, "in_proj_", x+"_proj.", 1) }
			parts, err = f.Rows(name, part("q"), part("k"), part("v"))
		case hub == "text_projection.weight" || hub == "visual_projection.weight":
			one, err = f.Transposed(name, hub)
		default:
			one, err = f.As(name, hub)
		}
		if err != nil {
			return nil, err
		}
		if parts == nil {
			parts = []safetensors.Tensor{one}
		}
		all = append(all, parts...)
	}
	return f.Derive(all)
}

// isOpenAIName tells the layouts of openai/CLIP and open_clip: "visual." and "transformer.resblocks." occur in no other.
func isOpenAIName(name string) bool {
	return strings.HasPrefix(name, "visual.") || strings.HasPrefix(strings.TrimPrefix(name, "text."), "transformer.resblocks.")
}

// openAIBuffers are entries that hold no weights: the causal mask and the sizes that openai/CLIP's archives repeat.
var openAIBuffers = map[string]bool{"attn_mask": true, "input_resolution": true, "context_length": true, "vocab_size": true}

// hubName is Hugging Face's name for one of openai/CLIP's, or of open_clip's, whose CustomTextCLIP keeps the text tower below "text.".
func hubName(name string) string {
	name = strings.TrimPrefix(name, "text.")
	if hub, ok := openAINames[name]; ok {
		return hub
	}
	tower := "text_model."
	if rest, ok := strings.CutPrefix(name, "visual."); ok {
		name, tower = rest, "vision_model."
	}
	if rest, ok := strings.CutPrefix(name, "transformer.resblocks."); ok {
		return tower + "encoder.layers." + openAILayers.Replace(rest)
	}
	return tower + name // unknown: the error of loading tells
}

var openAINames = map[string]string{
	"logit_scale":                 "logit_scale",
	"token_embedding.weight":      "text_model.embeddings.token_embedding.weight",
	"positional_embedding":        "text_model.embeddings.position_embedding.weight",
	"ln_final.weight":             "text_model.final_layer_norm.weight",
	"ln_final.bias":               "text_model.final_layer_norm.bias",
	"text_projection":             "text_projection.weight",
	"visual.class_embedding":      "vision_model.embeddings.class_embedding",
	"visual.conv1.weight":         "vision_model.embeddings.patch_embedding.weight",
	"visual.ln_pre.weight":        "vision_model.pre_layrnorm.weight",
	"visual.ln_pre.bias":          "vision_model.pre_layrnorm.bias",
	"visual.ln_post.weight":       "vision_model.post_layernorm.weight",
	"visual.ln_post.bias":         "vision_model.post_layernorm.bias",
	"visual.proj":                 "visual_projection.weight",
	"visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
}

var openAILayers = strings.NewReplacer(".attn.", ".self_attn.", ".ln_1.", ".layer_norm1.", ".ln_2.", ".layer_norm2.", ".mlp.c_fc.", ".mlp.fc1.",
	".mlp.c_proj.", ".mlp.fc2.")
