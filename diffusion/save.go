package diffusion

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"syntic/nn"
	"syntic/tensor/wholefile"
)

// Save writes the model as a folder that [LoadPipeline] and diffusers read: model_index.json, unet, vae and scheduler. dtype is that of
// the weights: F32, F16 or BF16. Each file appears whole or not at all, model_index.json last.
func (p *Pipeline) Save(dir, dtype string) error {
	if err := p.UNet.Save(filepath.Join(dir, "unet"), dtype); err != nil {
		return err
	}
	if err := p.VAE.Save(filepath.Join(dir, "vae"), dtype); err != nil {
		return err
	}
	keys, err := p.Scheduler.Config.changed()
	if err != nil {
		return err
	}
	if err := writeConfig(filepath.Join(dir, "scheduler", "scheduler_config.json"), p.Scheduler.Config.Class, keys); err != nil {
		return err
	}
	return writeConfig(filepath.Join(dir, "model_index.json"), "StableDiffusionPipeline", map[string][2]string{
		"unet": {"diffusers", "UNet2DConditionModel"}, "vae": {"diffusers", "AutoencoderKL"}, "scheduler": {"diffusers", p.Scheduler.Config.Class},
	})
}

// Save writes config.json and the checkpoint of a UNet to a folder.
func (u *UNet) Save(dir, dtype string) error {
	return saveModel(dir, "UNet2DConditionModel", u.Config, u, dtype)
}

// Save writes config.json and the checkpoint of an autoencoder to a folder.
func (v *VAE) Save(dir, dtype string) error {
	return saveModel(dir, "AutoencoderKL", v.Config, v, dtype)
}

func saveModel(dir, class string, config, module any, dtype string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := nn.Save(filepath.Join(dir, weightsStem+".safetensors"), module, dtype, map[string]string{"format": "pt"}); err != nil {
		return err
	}
	return writeConfig(filepath.Join(dir, "config.json"), class, config)
}

// writeConfig writes config with the class it belongs to, in place of whatever is there.
func writeConfig(path, class string, config any) error {
	raw, err := json.Marshal(config)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	raw = append([]byte(fmt.Sprintf(`{"_class_name":%q,`, class)), raw[1:]...)
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	b.WriteByte('\n')
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return wholefile.WriteBytes(path, b.Bytes())
}

// changed is the keys that differ from the class's defaults and a few that always tell; other schedulers' keys would be wrong for them.
func (c SchedulerConfig) changed() (map[string]json.RawMessage, error) {
	base, err := DefaultSchedulerConfig(c.Class)
	if err != nil {
		return nil, err
	}
	var mine, usual map[string]json.RawMessage
	for _, p := range []struct {
		c    SchedulerConfig
		keys *map[string]json.RawMessage
	}{{c, &mine}, {base, &usual}} {
		b, err := json.Marshal(p.c)
		if err == nil {
			err = json.Unmarshal(b, p.keys)
		}
		if err != nil {
			return nil, err
		}
	}
	always := []string{"num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "prediction_type"}
	maps.DeleteFunc(mine, func(k string, v json.RawMessage) bool {
		return k == "_class_name" || (bytes.Equal(v, usual[k]) && !slices.Contains(always, k))
	})
	return mine, nil
}
