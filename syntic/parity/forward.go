package parity

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// Module is a model that Forward runs.
type Module struct {
	Name    string
	Inputs  string // names and shapes of what it reads
	Outputs string // of what it gives, without layers
	run     func(r *run) error
}

// Modules lists what Forward runs.
func Modules() []Module {
	return []Module{
		{"clip.vision", "pixel_values [B, 3, H, W]", "vision.last_hidden_state, vision.pooler_output, image_features, image_embeds", (*run).clipVision},
		{"clip.text", "input_ids [B, T], attention_mask [B, T] (optional)",
			"text.last_hidden_state, text.pooler_output, text_features, text_embeds; with a mask text_masked.…", (*run).clipText},
		{"sd.text", "input_ids [B, T]", "last_hidden_state, pooler_output", (*run).sdText},
		{"sd.unet", "sample [B, C, H, W], timestep [1 or B], encoder_hidden_states [1 or B, T, D]", "out [B, C, H, W]", (*run).unet},
		{"sd.vae.encode", "image [B, 3, H, W] in -1..1", "mean, logvar, std [B, C, h, w]", (*run).vaeEncode},
		{"sd.vae.decode", "latent [B, C, h, w], divided by the scaling factor", "decoded [B, 3, H, W]", (*run).vaeDecode},
		{"detr", "pixel_values [B, 3, H, W], pixel_mask [B, H, W] (optional)", "logits [B, Q, K+1], pred_boxes [B, Q, 4]", (*run).detr},
		{"decoder", "prefix [B, P, C], input_ids [B, T], attention_mask [B, T] (optional)", "logits [B, P+T, V], loss", (*run).decoder},
	}
}

// run is one call of Forward.
type run struct {
	dev    *tensor.Device
	dir    string
	in     *safetensors.File
	layers bool
	out    []safetensors.Tensor
}

// Forward runs a module of the model in folder dir on the tensors of in, and gives its outputs, in the order in which
// they were computed. Names, shapes and dtypes are those of
// the original libraries, see [Modules]. layers adds what the layers give: "hidden.0" after the embeddings, "hidden.1" after the first
// layer, and for convolutional models "act." with the module's name in the checkpoint. Tensors of in that the module does not read are
// left alone. Errors name the module, and the tensor or file that is wrong.
func Forward(dev *tensor.Device, module, dir string, in *safetensors.File, layers bool) (out []safetensors.Tensor, err error) {
	defer func() {
		if err != nil {
			out, err = nil, fmt.Errorf("%s: %w", module, err)
		}
	}()
	defer tensor.Catch(&err)
	all := Modules()
	i := slices.IndexFunc(all, func(m Module) bool { return m.Name == module })
	if i < 0 {
		var names []string
		for _, m := range all {
			names = append(names, m.Name)
		}
		return nil, fmt.Errorf("no such module: want one of %s", strings.Join(names, ", "))
	}
	r := &run{dev: dev, dir: dir, in: in, layers: layers}
	if err := all[i].run(r); err != nil {
		return nil, err
	}
	return r.out, nil
}

// part is the folder of a part of a pipeline, or the model's folder itself where it is no pipeline's.
func (r *run) part(name string) string {
	if dir := filepath.Join(r.dir, name); isFolder(dir) {
		return dir
	}
	return r.dir
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// scope is where the module runs. With layers, what it traces is among the results under the name that name gives for the module's path
// and the part, or not at all if that is empty. paths is nn.Paths of the model.
func (r *run) scope(paths map[any]string, name func(path string) string) *tensor.Scope {
	if !r.layers {
		return tensor.NewScope(r.dev)
	}
	return tensor.NewScope(r.dev, tensor.WithTrace(func(module any, part string, x *tensor.Tensor) {
		path, known := paths[module]
		if !known {
			return
		}
		if path != "" && part != "" {
			path += "."
		}
		if n := name(path + part); n != "" {
			r.give(n, x)
		}
	}))
}
