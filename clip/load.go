package clip

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"syntic/clip/pixels"
	"syntic/nn"
	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// The files of a model's folder.
const (
	configFile       = "config.json"
	weightsStem      = "model"
	preprocessorFile = "preprocessor_config.json"

	openCLIPFile = "open_clip_config.json"
	openCLIPStem = "open_clip_model"
)

// Load reads a folder in the layout of Hugging Face's CLIPModel: config.json, model.safetensors (or its shards) and, if it is there,
// preprocessor_config.json. The checkpoint may also have the names of openai/CLIP or open_clip, and the folder
// may be open_clip's: open_clip_config.json and open_clip_model.safetensors. On the CPU weights are used in place, in the
// mapped file, until Close: it must not be overwritten, only replaced. The error names the file and what is missing, unexpected or misshapen.
func Load(dir string, dev *tensor.Device) (m *Model, err error) {
	defer tensor.Catch(&err)
	c, err := nn.ReadJSON(filepath.Join(dir, configFile), ParseConfig)
	if errors.Is(err, fs.ErrNotExist) {
		if o, e := nn.ReadJSON(filepath.Join(dir, openCLIPFile), parseOpenCLIP); !errors.Is(e, fs.ErrNotExist) {
			if err = e; e == nil {
				if m, err = newModel(o.Config, dev); err == nil {
					m.Pixels = o.Pixels
				}
			}
		}
	} else if err == nil {
		m, err = newModel(c, dev)
	}
	if err != nil {
		return nil, fmt.Errorf("clip: %w", err)
	}
	switch p, e := pixels.ReadCLIP(filepath.Join(dir, preprocessorFile)); {
	case e == nil:
		m.Pixels = p
	case !errors.Is(e, fs.ErrNotExist):
		return nil, e
	}
	if m.weights, err = openWeights(dir); err != nil {
		return nil, err
	}
	if err := fill(m, m.weights, nil, true); err != nil {
		path := m.weights.Path()
		m.Close()
		return nil, fmt.Errorf("clip: %s: %w", path, err)
	}
	return m, nil
}

// LoadText reads a text tower alone: the folder of a CLIPTextModel (text_encoder of Stable Diffusion), of a CLIPTextModelWithProjection, or the text
// part of a CLIPModel's.
func LoadText(dir string, dev *tensor.Device) (t *TextModel, err error) {
	defer tensor.Catch(&err)
	c, err := nn.ReadJSON(filepath.Join(dir, configFile), ParseTextConfig)
	if err != nil {
		return nil, fmt.Errorf("clip: %w", err)
	}
	f, err := openWeights(dir)
	if err != nil {
		return nil, err
	}
	return OpenText(f, c, dev)
}

// OpenText makes a text tower of a checkpoint with Hugging Face's names, which it takes over: f is closed with the model, or at once where there
// is an error.
func OpenText(f *safetensors.File, c TextConfig, dev *tensor.Device) (t *TextModel, err error) {
	defer tensor.Catch(&err)
	_, projection := f.Info("text_projection.weight")
	if t, err = NewTextModel(c, dev, projection); err != nil {
		return nil, errors.Join(fmt.Errorf("clip: %s: %w", f.Path(), err), f.Close())
	}
	t.weights = f
	if err := fill(t, f, isImageName, true); err != nil {
		t.Close()
		return nil, fmt.Errorf("clip: %s: %w", f.Path(), err)
	}
	return t, nil
}

// isImageName tells whether a name of Hugging Face's layout is no part of a text tower.
func isImageName(name string) bool {
	return strings.HasPrefix(name, "vision_model.") || name == "visual_projection.weight" || name == "logit_scale"
}

// Open makes a model of the bytes of model.safetensors and config.json, for weights that a program embeds. The weights are copied. Images are
// taken at the model's own size with CLIP's mean and deviation; set Pixels for others.
func Open(weights, config []byte, dev *tensor.Device) (m *Model, err error) {
	defer tensor.Catch(&err)
	c, err := ParseConfig(config)
	if err != nil {
		return nil, fmt.Errorf("clip: config.json: %w", err)
	}
	f, err := safetensors.OpenBytes(weights)
	if err != nil {
		return nil, fmt.Errorf("clip: %w", err)
	}
	if f, err = hubNames(f); err != nil {
		return nil, fmt.Errorf("clip: %w", err)
	}
	if m, err = newModel(c, dev); err != nil {
		return nil, fmt.Errorf("clip: %w", err)
	}
	if err := fill(m, f, nil, false); err != nil {
		m.Close()
		return nil, fmt.Errorf("clip: %w", err)
	}
	return m, nil
}

// openWeights opens a folder's checkpoint; whatever its names were, it has Hugging Face's afterwards.
func openWeights(dir string) (*safetensors.File, error) {
	f, err := safetensors.OpenFolderOrHalf(dir, weightsStem, openCLIPStem)
	if err != nil {
		return nil, fmt.Errorf("clip: %w", err)
	}
	g, err := hubNames(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("clip: %w", err), f.Close())
	}
	return g, nil
}

// fill loads a module from a checkpoint with Hugging Face's names, but for the position_ids of old files (0, 1, 2, …) and what skip names. With
// share the module uses the file's memory and must keep it open.
func fill(module any, f *safetensors.File, skip func(string) bool, share bool) error {
	return nn.Load(module, f, nn.LoadOptions{Map: share, Ignore: func(name string) bool {
		return strings.HasSuffix(name, ".position_ids") || (skip != nil && skip(name))
	}})
}

// release frees a module's parameters, then the file that they may have been parts of.
func release(module any, weights **safetensors.File) {
	nn.Release(module)
	if *weights != nil {
		_ = (*weights).Close() // unmapping what was mapped does not fail
		*weights = nil
	}
}

// Save writes the model as a folder that [Load] and Hugging Face's CLIPModel read, with float32 weights.
func (m *Model) Save(dir string) error { return m.SaveAs(dir, "F32") }

// SaveAs is [Model.Save] with weights of dtype F32, F16 or BF16. Each file appears whole or not at all, config.json last.
func (m *Model) SaveAs(dir, dtype string) (err error) {
	defer tensor.Catch(&err)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("clip: save: %w", err)
	}
	if err := nn.Save(filepath.Join(dir, weightsStem+".safetensors"), m, dtype, map[string]string{"format": "pt"}); err != nil {
		return fmt.Errorf("clip: save: %w", err)
	}
	p := m.Pixels
	if err := nn.WriteJSON(filepath.Join(dir, preprocessorFile), map[string]any{
		"image_processor_type": "CLIPImageProcessor", "do_resize": true, "size": map[string]int{"shortest_edge": p.Size}, "resample": p.Filter,
		"do_center_crop": true, "crop_size": map[string]int{"height": p.Crop, "width": p.Crop}, "do_rescale": true, "rescale_factor": 1.0 / 255,
		"do_normalize": true, "image_mean": p.Mean, "image_std": p.Std, "do_convert_rgb": true,
	}); err != nil {
		return fmt.Errorf("clip: save: %w", err)
	}
	if err := nn.WriteJSON(filepath.Join(dir, configFile), struct {
		Architectures []string `json:"architectures"`
		ModelType     string   `json:"model_type"`
		Config
	}{[]string{"CLIPModel"}, "clip", m.Config}); err != nil {
		return fmt.Errorf("clip: save: %w", err)
	}
	return nil
}
