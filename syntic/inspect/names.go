package inspect

import (
	"regexp"
	"slices"
	"strings"
)

// naming is an architecture and whose names its tensors have, recognised by a name that no other has.
type naming struct {
	architecture, names string
	mark                *regexp.Regexp
}

// namings are looked for in this order: the more particular come first.
var namings = []naming{
	{"Stable Diffusion 1.x", "latent-diffusion (single file)", regexp.MustCompile(`^cond_stage_model\.transformer\.`)},
	{"Stable Diffusion 2.x (not supported)", "latent-diffusion (single file)", regexp.MustCompile(`^cond_stage_model\.model\.`)},
	{"Stable Diffusion XL (not supported)", "generative-models (single file)", regexp.MustCompile(`^conditioner\.embedders\.`)},
	{"latent diffusion", "latent-diffusion (single file)", regexp.MustCompile(`^(model\.diffusion_model|first_stage_model)\.`)},
	{"training of syntic", "syntic", regexp.MustCompile(`^param\.`)},
	{"CLIP", "open_clip (CustomTextCLIP)", regexp.MustCompile(`^text\.transformer\.resblocks\.`)},
	{"CLIP with a ResNet (not supported)", "openai/CLIP", regexp.MustCompile(`^visual\.layer1\.`)},
	{"CLIP", "openai/CLIP", regexp.MustCompile(`^visual\.transformer\.resblocks\.`)},
	{"CLIP", "Hugging Face", regexp.MustCompile(`^visual_projection\.weight$`)},
	{"CLIP image tower", "Hugging Face", regexp.MustCompile(`^vision_model\.encoder\.`)},
	{"CLIP text encoder", "Hugging Face", regexp.MustCompile(`^text_model\.encoder\.`)},
	{"Stable Diffusion UNet", "diffusers", regexp.MustCompile(`^time_embedding\.linear_1\.`)},
	{"Stable Diffusion autoencoder", "diffusers", regexp.MustCompile(`^(post_)?quant_conv\.`)},
	{"DETR", "original repository", regexp.MustCompile(`^backbone\.0\.body\.`)},
	{"DETR", "Hugging Face (timm backbone)", regexp.MustCompile(`^model\.backbone\.(conv_encoder\.)?model\.layer1\.`)},
	{"DETR", "Hugging Face", regexp.MustCompile(`^model\.backbone\.(conv_encoder\.)?model\.(embedder|encoder)\.`)},
	{"caption decoder of syntic", "syntic", regexp.MustCompile(`^prefix\.`)},
	{"GPT-2", "Hugging Face", regexp.MustCompile(`^(transformer\.)?h\.0\.attn\.c_attn\.`)},
	{"features of texts", "syntic", regexp.MustCompile(`^features$`)},
}

// Recognise tells an architecture and whose names the tensors have; "unknown" and "" if no model that this engine knows has such names.
func Recognise(names []string) (architecture, naming string) {
	for _, n := range namings {
		if slices.ContainsFunc(names, n.mark.MatchString) {
			return n.architecture, n.names
		}
	}
	for _, wrap := range []string{"module.", "model."} { // of DataParallel, and of trainings
		bare := make([]string, 0, len(names))
		for _, name := range names {
			if rest, ok := strings.CutPrefix(name, wrap); ok {
				bare = append(bare, rest)
			}
		}
		if len(bare) > 0 && len(bare) == len(names) {
			if a, n := Recognise(bare); a != "unknown" {
				return a, n + ` behind "` + wrap + `"`
			}
		}
	}
	return "unknown", ""
}
