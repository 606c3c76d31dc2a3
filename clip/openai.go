package clip

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"syntic/tensor/safetensors"
)

// hubNames gives a checkpoint under Hugging Face's names: f itself if it has them, else a copy of what openai/CLIP or open_clip wrote: query, key and
// value stacked in one tensor come apart, the projections, stored [width, embed], are transposed.
func hubNames(f *safetensors.File) (*safetensors.File, error) {
	names := f.Names()
	if !slices.ContainsFunc(names, isOpenAIName) {
		return f, nil
	}
	var w packer
	for _, name := range names {
		if openAIBuffers[strings.TrimPrefix(name, "text.")] {
			continue
		}
		hub := hubName(name)
		info, _ := f.Info(name)
		b, err := f.Bytes(name)
		if err != nil {
			return nil, err
		}
		switch {
		case strings.Contains(hub, "in_proj_"):
			if len(info.Shape) == 0 || info.Shape[0]%3 != 0 {
				return nil, fmt.Errorf("tensor %s %v: want query, key and value stacked, [3·C] or [3·C, C]", name, info.Shape)
			}
			shape := slices.Clone(info.Shape)
			shape[0] /= 3
			for i, part := range []string{"q_proj.", "k_proj.", "v_proj."} {
				n := len(b) / 3
				w.add(strings.Replace(hub, "in_proj_", part, 1), info.DType, shape, b[i*n:(i+1)*n])
			}
		case hub == "text_projection.weight" || hub == "visual_projection.weight":
			if len(info.Shape) != 2 {
				return nil, fmt.Errorf("tensor %s %v: want [width, embed]", name, info.Shape)
			}
			w.add(hub, info.DType, []int{info.Shape[1], info.Shape[0]}, transposed(b, info.Shape[0], info.Shape[1], info.DType.Size()))
		default:
			w.add(hub, info.DType, info.Shape, b)
		}
	}
	return w.file()
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

// transposed turns [a, b] elements of size bytes into [b, a].
func transposed(x []byte, a, b, size int) []byte {
	y := make([]byte, len(x))
	for i := range a {
		for j := range b {
			copy(y[(j*a+i)*size:][:size], x[(i*b+j)*size:][:size])
		}
	}
	return y
}

// packer makes a checkpoint in memory.
type packer struct {
	header map[string]packed
	data   bytes.Buffer
	twice  string
}

type packed struct {
	DType   safetensors.DType `json:"dtype"`
	Shape   []int             `json:"shape"`
	Offsets [2]int            `json:"data_offsets"`
}

func (w *packer) add(name string, d safetensors.DType, shape []int, b []byte) {
	if w.header == nil {
		w.header = map[string]packed{}
	}
	if _, ok := w.header[name]; ok {
		w.twice = name
	}
	if shape == nil {
		shape = []int{} // null is no shape
	}
	at := w.data.Len()
	w.data.Write(b)
	w.header[name] = packed{d, shape, [2]int{at, at + len(b)}}
}

func (w *packer) file() (*safetensors.File, error) {
	if w.twice != "" {
		return nil, fmt.Errorf("two tensors are %s in Hugging Face's names", w.twice)
	}
	h, err := json.Marshal(w.header)
	if err != nil {
		return nil, err
	}
	h = append(h, bytes.Repeat([]byte(" "), (8-len(h)%8)%8)...)
	all := binary.LittleEndian.AppendUint64(make([]byte, 0, 8+len(h)+w.data.Len()), uint64(len(h)))
	return safetensors.OpenBytes(append(append(all, h...), w.data.Bytes()...))
}
