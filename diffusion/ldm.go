package diffusion

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"syntic/tensor/safetensors"
)

// The single-file layout of the latent-diffusion repository (CompVis): one checkpoint with UNet, autoencoder and text encoder, whose names lie
// below these prefixes. Sizes are not told; those of Stable Diffusion 1.x are assumed.
const (
	ldmUNet = "model.diffusion_model."
	ldmVAE  = "first_stage_model."
	ldmText = "cond_stage_model.transformer."
)

// IsLDM tells whether a model's path is a file, in the single-file layout, and not a folder.
func IsLDM(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// StableDiffusion1 is the configuration of Stable Diffusion 1.x's parts (Rombach et al. 2022, and the model cards of its versions 1.1 to 1.5).
func StableDiffusion1() (UNetConfig, VAEConfig, SchedulerConfig) {
	u := DefaultUNetConfig()
	u.CrossAttentionDim = 768
	v := DefaultVAEConfig()
	v.BlockOutChannels, v.LayersPerBlock, v.SampleSize = []int{128, 256, 512, 512}, 2, 512
	v.DownBlockTypes, v.UpBlockTypes = slices.Repeat(v.DownBlockTypes, 4), slices.Repeat(v.UpBlockTypes, 4)
	s, err := DefaultSchedulerConfig("PNDMScheduler")
	if err != nil {
		panic(err) // the class is there
	}
	s.BetaStart, s.BetaEnd, s.BetaSchedule, s.StepsOffset, s.SkipPRKSteps = 0.00085, 0.012, "scaled_linear", 1, true
	return u, v, s
}

// LDMText opens the text encoder of a single-file checkpoint under the names of Hugging Face's CLIPTextModel. The error says which kind of model
// the file is of, where it is not Stable Diffusion 1.x.
func LDMText(path string) (*safetensors.File, error) {
	return openLDM(path, ldmText, func(name string, t *safetensors.Tensor) string {
		if !strings.HasPrefix(name, "text_model.") { // as newer libraries write it
			return "text_model." + name
		}
		return name
	})
}

// openLDM opens the part of a single-file checkpoint below a prefix, renamed; rename may also change the shape. Closing the part closes the file.
func openLDM(path, prefix string, rename func(name string, t *safetensors.Tensor) string) (*safetensors.File, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	var part []safetensors.Tensor
	for _, name := range f.Names() {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok || strings.HasPrefix(rest, "loss.") || strings.HasSuffix(rest, "position_ids") { // the autoencoder's training, and 0, 1, 2, …
			continue
		}
		t, err := f.As(name, "")
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		t.Name = rename(rest, &t)
		part = append(part, t)
	}
	if len(part) == 0 {
		return nil, errors.Join(fmt.Errorf("%s: no tensor below %s: %s", path, prefix, kindOfFile(f.Names())), f.Close())
	}
	g, err := f.Derive(part)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return g, nil
}

// kindOfFile says what a checkpoint seems to be instead.
func kindOfFile(names []string) string {
	has := func(prefix string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, prefix) })
	}
	const want = "want Stable Diffusion 1.x"
	switch {
	case has("conditioner.embedders."):
		return "this is Stable Diffusion XL; " + want
	case has("cond_stage_model.model."):
		return "this is Stable Diffusion 2; " + want
	case has("down_blocks.") || has("encoder.down_blocks."):
		return "this is one part of a diffusers folder; name the folder that holds model_index.json"
	}
	return want + " in one file (" + ldmUNet + "…, " + ldmVAE + "…, " + ldmText + "…)"
}

// ldmUNetName is diffusers' name of a UNet's tensor. The latent-diffusion code numbers blocks through all levels: a level of L residual blocks
// is L + 1 input blocks, of which the last halves, and L + 1 output blocks, of which the last also doubles. A name that it does not
// know is left as it is.
func ldmUNetName(name string, layers int) string {
	p := strings.Split(name, ".")
	rest := func(n int) string { return strings.Join(p[min(n, len(p)):], ".") }
	number := func(i int) int {
		if i < len(p) {
			if n, err := strconv.Atoi(p[i]); err == nil && n >= 0 {
				return n
			}
		}
		return -1
	}
	n, k := number(1), number(2) // of the block, and of the layer in it
	switch p[0] {
	case "time_embed":
		if n == 0 || n == 2 {
			return fmt.Sprintf("time_embedding.linear_%d.%s", n/2+1, rest(2))
		}
	case "out":
		if n == 0 || n == 2 {
			return []string{"conv_norm_out.", "conv_out."}[n/2] + rest(2)
		}
	case "middle_block":
		switch n {
		case 0, 2:
			return fmt.Sprintf("mid_block.resnets.%d.%s", n/2, ldmResnet(rest(2)))
		case 1:
			return "mid_block.attentions.0." + rest(2)
		}
	case "input_blocks":
		if n == 0 && k == 0 {
			return "conv_in." + rest(3)
		}
		level := fmt.Sprintf("down_blocks.%d.", (n-1)/(layers+1))
		j := (n - 1) % (layers + 1)
		switch {
		case n > 0 && k == 0 && len(p) > 3 && p[3] == "op":
			return level + "downsamplers.0.conv." + rest(4)
		case n > 0 && k == 0:
			return fmt.Sprintf("%sresnets.%d.%s", level, j, ldmResnet(rest(3)))
		case n > 0 && k == 1:
			return fmt.Sprintf("%sattentions.%d.%s", level, j, rest(3))
		}
	case "output_blocks":
		level := fmt.Sprintf("up_blocks.%d.", n/(layers+1))
		j := n % (layers + 1)
		switch {
		case n >= 0 && k == 0:
			return fmt.Sprintf("%sresnets.%d.%s", level, j, ldmResnet(rest(3)))
		case n >= 0 && k > 0 && len(p) > 3 && p[3] == "conv": // after the attention, where there is one
			return level + "upsamplers.0.conv." + rest(4)
		case n >= 0 && k == 1:
			return fmt.Sprintf("%sattentions.%d.%s", level, j, rest(3))
		}
	}
	return name
}

// ldmResnets pairs the layers of a UNet's residual block, which is two lists there, with diffusers' names.
var ldmResnets = [][2]string{{"in_layers.0.", "norm1."}, {"in_layers.2.", "conv1."}, {"emb_layers.1.", "time_emb_proj."}, {"out_layers.0.", "norm2."},
	{"out_layers.3.", "conv2."}, {"skip_connection.", "conv_shortcut."}}

func ldmResnet(name string) string {
	for _, p := range ldmResnets {
		if rest, ok := strings.CutPrefix(name, p[0]); ok {
			return p[1] + rest
		}
	}
	return name
}

// ldmVAENames pairs parts of the autoencoder's names with diffusers', after the levels.
var ldmVAENames = strings.NewReplacer(".norm_out.", ".conv_norm_out.", ".mid.block_1.", ".mid_block.resnets.0.", ".mid.block_2.", ".mid_block.resnets.1.",
	".mid.attn_1.norm.", ".mid_block.attentions.0.group_norm.", ".mid.attn_1.q.", ".mid_block.attentions.0.to_q.",
	".mid.attn_1.k.", ".mid_block.attentions.0.to_k.", ".mid.attn_1.v.", ".mid_block.attentions.0.to_v.",
	".mid.attn_1.proj_out.", ".mid_block.attentions.0.to_out.0.",
	".block.", ".resnets.", ".nin_shortcut.", ".conv_shortcut.", ".downsample.", ".downsamplers.0.", ".upsample.", ".upsamplers.0.")

// ldmVAEName is diffusers' name of an autoencoder's tensor; the decoder's levels are counted from the other end of levels.
func ldmVAEName(name string, levels int) string {
	p := strings.SplitN(name, ".", 4)
	if len(p) == 4 && (p[1] == "down" || p[1] == "up") {
		i, err := strconv.Atoi(p[2])
		if err != nil || i < 0 || i >= levels {
			return name
		}
		if p[1] == "up" {
			i = levels - 1 - i
		}
		name = fmt.Sprintf("%s.%s_blocks.%d.%s", p[0], p[1], i, p[3])
	}
	return ldmVAENames.Replace(name)
}

// asLinear makes the weight [O, I, 1, 1] of a convolution that looks at one pixel [O, I].
func asLinear(t *safetensors.Tensor) {
	if len(t.Shape) == 4 && t.Shape[2] == 1 && t.Shape[3] == 1 {
		t.Shape = t.Shape[:2]
	}
}
