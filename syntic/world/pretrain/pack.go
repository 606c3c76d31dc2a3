package pretrain

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"syntic/syntic/world"
	"syntic/syntic/world/weights"
	"syntic/tensor/wholefile"
)

// Pack collects finished trainings of the folder from into the layout that package weights embeds: clip, sd and detr, each with the curves of
// its trainings. Trainings that are missing are an error.
func Pack(from, to string) error {
	tok, err := Tokenizer()
	if err != nil {
		return err
	}
	for _, c := range []struct{ src, dst string }{
		{"clip/model", "clip"}, {"clip/curve.jsonl", "clip/training.jsonl"},
		{"unet/model/unet", "sd/unet"}, {"unet/model/scheduler", "sd/scheduler"}, {"unet/model/text_encoder", "sd/text_encoder"}, {"vae/model", "sd/vae"},
		{"unet/curve.jsonl", "sd/unet/training.jsonl"}, {"vae/curve.jsonl", "sd/vae/training.jsonl"},
		{"detr/model", "detr"}, {"detr/curve.jsonl", "detr/training.jsonl"},
	} {
		if err := copyAll(filepath.Join(from, filepath.FromSlash(c.src)), filepath.Join(to, filepath.FromSlash(c.dst))); err != nil {
			return fmt.Errorf("pack: %w", err)
		}
	}
	if _, err := os.Stat(filepath.Join(from, "vae-decoder", "model")); err == nil { // the same latents, better pictures
		for src, dst := range map[string]string{"model": "", "curve.jsonl": "training-decoder.jsonl"} {
			if err := copyAll(filepath.Join(from, "vae-decoder", src), filepath.Join(to, "sd", "vae", dst)); err != nil {
				return fmt.Errorf("pack: %w", err)
			}
		}
	}
	if err := wholefile.WriteBytes(filepath.Join(to, weights.WorldFile), fmt.Appendf(nil, "%016x\n", world.Fingerprint())); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(to, "sd", "tokenizer"), 0o777); err != nil {
		return err
	}
	if err := tok.Save(filepath.Join(to, "sd", "tokenizer")); err != nil {
		return err
	}
	index, err := json.MarshalIndent(map[string]any{"_class_name": "StableDiffusionPipeline", "unet": []string{"diffusers", "UNet2DConditionModel"},
		"vae": []string{"diffusers", "AutoencoderKL"}, "scheduler": []string{"diffusers", "DDIMScheduler"}, "text_encoder": []string{"transformers", "CLIPTextModel"},
		"tokenizer": []string{"transformers", "CLIPTokenizer"}, "safety_checker": []any{nil, nil}, "feature_extractor": []any{nil, nil}}, "", "  ")
	if err != nil {
		return err
	}
	return wholefile.WriteBytes(filepath.Join(to, "sd", "model_index.json"), append(index, '\n'))
}

// copyAll copies a file, or the files of a folder.
func copyAll(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
			return err
		}
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		return wholefile.WriteBytes(to, data)
	}
	list, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, f := range list {
		if err := copyAll(filepath.Join(from, f.Name()), filepath.Join(to, f.Name())); err != nil {
			return err
		}
	}
	return nil
}
