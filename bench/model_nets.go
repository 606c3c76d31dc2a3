package bench

import (
	"fmt"

	"syntic/clip"
	"syntic/diffusion"
	"syntic/syntic/detr"
	"syntic/tensor"
)

// clipWorkloads are CLIP ViT-B/32 (Radford et al. 2021): vectors of images of 224×224 pixels; of texts of 77 tokens that are all needed; of texts with
// the lengths of real captions, padded to 77 tokens, of which those behind the end need not be computed.
func clipWorkloads() (list []Workload) {
	for _, b := range []int{1, 32} {
		list = append(list, inBoth(Workload{Name: "clip-image", Shape: shape("b", b), Items: float64(b), Unit: "image", Kind: "model", make: func(w *Work) { clipImage(w, b) }})...)
	}
	for _, b := range []int{1, 64} {
		list = append(list, inBoth(Workload{Name: "clip-text", Shape: shape("b", b), Items: float64(b), Unit: "text", Kind: "model", make: func(w *Work) {
			full := make([]int, b)
			for i := range full {
				full[i] = textPositions
			}
			clipText(w, full)
		}})...)
	}
	for _, b := range []int{64, 512} {
		list = append(list, inBoth(Workload{Name: "clip-text-real", Shape: shape("b", b), Items: float64(b), Unit: "text", Kind: "model",
			make: func(w *Work) { clipText(w, captionTokens(b)) }})...)
	}
	return list
}

const (
	textPositions = 77
	textBatch     = 64 // that a model is given at once
	bos, eos      = 49406, 49407
)

func clipImage(w *Work, batch int) {
	m := must(clip.NewImageModel(clip.DefaultConfig().Image, w.dev))
	w.weights(m)
	px := frozen(w.dev, numbers(batch*224*224*3, 1<<20, 2), InF32, batch, 224, 224, 3)
	w.each(func(s *tensor.Scope) { m.Encode(s, px) })
}

// clipText encodes texts with so many tokens each, start and end included, in batches of [textBatch].
func clipText(w *Work, tokens []int) {
	m := must(clip.NewTextModel(clip.DefaultConfig().Text, w.dev, true))
	w.weights(m)
	ids := textIDs(tokens)
	w.each(func(s *tensor.Scope) {
		for from := 0; from < len(tokens); from += textBatch {
			to := min(from+textBatch, len(tokens))
			s.Reset()
			m.Encode(s, s.FromInt32s(ids[from*textPositions:to*textPositions], to-from, textPositions))
		}
	})
}

// textIDs are texts of so many tokens, padded to [textPositions] with the end, as CLIP's own tokenizer does.
func textIDs(tokens []int) []int32 {
	ids := make([]int32, 0, len(tokens)*textPositions)
	for i, n := range tokens {
		for j := range textPositions {
			switch {
			case j == 0:
				ids = append(ids, bos)
			case j < n-1:
				ids = append(ids, int32(320+(i*7919+j*104729)%40000))
			default:
				ids = append(ids, eos)
			}
		}
	}
	return ids
}

// captionLengths counts the captions of 2,498 images of COCO's Karpathy test split, as pycocoevalcap tokenises them (the references of
// syntic/metric/testdata/coco_karpathy_test_magic), with 8, 9, 10 … tokens of CLIP, start and end included.
var captionLengths = []int{1, 86, 1675, 2537, 2651, 2070, 1384, 786, 509, 280, 171, 118, 73, 31, 30, 18, 14, 12, 11, 6, 2, 4, 3, 3, 5, 1, 1, 0, 1, 0, 2, 0, 1, 1, 1, 0, 2}

// captionTokens are the lengths of n captions that stand evenly among those, rising: a corpus is encoded in the order of length.
func captionTokens(n int) []int {
	total := 0
	for _, c := range captionLengths {
		total += c
	}
	tokens := make([]int, n)
	for i := range tokens {
		at, length := (2*i+1)*total/(2*n), 8
		for _, c := range captionLengths {
			if at -= c; at < 0 {
				break
			}
			length++
		}
		tokens[i] = length
	}
	return tokens
}

// diffusionWorkloads are Stable Diffusion 1.4 at 512×512 pixels (Rombach et al. 2022): one call of the UNet, whose text keys and values are made
// once before, as in sampling; latents to pixels.
func diffusionWorkloads() (list []Workload) {
	list = append(list, inBoth(Workload{Name: "sd-unet", Shape: "512", Items: 1, Unit: "step", Kind: "model", make: unetStep})...)
	return append(list, inBoth(Workload{Name: "sd-vae-decode", Shape: "512", Items: 1, Unit: "image", Kind: "model", make: vaeDecode})...)
}

// unetInputs are a UNet, latents and the states of a text.
func unetInputs(w *Work) (u *diffusion.UNet, x, hidden *tensor.Tensor) {
	c := diffusion.DefaultUNetConfig()
	c.CrossAttentionDim = 768
	u = must(diffusion.NewUNet(w.dev, c))
	w.weights(u)
	return u, frozen(w.dev, numbers(64*64*4, 1<<20, 1), InF32, 1, 64, 64, 4), frozen(w.dev, numbers(77*768, 1<<21, 1), InF32, 1, 77, 768)
}

// unetGraph is unetStep as sampling on a GPU calls it: recorded once, in the first call, then replayed.
func unetGraph(w *Work) {
	if !w.dev.HasGraphs() {
		must(0, fmt.Errorf("%v on %v: want a GPU, for only those have graphs", w.Workload, w.dev))
	}
	u, x, hidden := unetInputs(w)
	texts := tensor.NewScope(w.dev)
	w.onClose(texts.Close)
	var call func(s *tensor.Scope) *tensor.Tensor
	w.each(func(s *tensor.Scope) {
		if call == nil {
			var end func()
			call, end = u.Repeated(texts, x, hidden, 801)
			w.onClose(end)
		}
		call(s)
	})
}

func unetStep(w *Work) {
	u, x, hidden := unetInputs(w)
	texts := tensor.NewScope(w.dev)
	w.onClose(texts.Close)
	var text *diffusion.Context
	w.each(func(s *tensor.Scope) {
		if text == nil {
			text = u.Context(texts, hidden)
		}
		u.Forward(s, x, []float64{801}, text)
	})
}

func vaeDecode(w *Work) {
	c := diffusion.DefaultVAEConfig()
	down, up := "DownEncoderBlock2D", "UpDecoderBlock2D"
	c.BlockOutChannels, c.LayersPerBlock = []int{128, 256, 512, 512}, 2
	c.DownBlockTypes, c.UpBlockTypes = []string{down, down, down, down}, []string{up, up, up, up}
	v := must(diffusion.NewVAE(w.dev, c))
	w.weights(v)
	z := frozen(w.dev, numbers(64*64*4, 1<<20, 3), InF32, 1, 64, 64, 4)
	w.each(func(s *tensor.Scope) { v.Decode(s, z) })
}

// detectorWorkloads are DETR-R50 (Carion et al. 2020) on one image of 800×1066 pixels.
func detectorWorkloads() []Workload {
	return inBoth(Workload{Name: "detr", Shape: "800x1066", Items: 1, Unit: "image", Kind: "model", make: func(w *Work) {
		c := detr.DefaultConfig()
		c.Labels = make(detr.Labels, 91)
		m := must(detr.New(c, w.dev))
		w.weights(m)
		px := frozen(w.dev, numbers(800*1066*3, 1<<20, 2), InF32, 1, 800, 1066, 3)
		w.each(func(s *tensor.Scope) { m.Forward(s, px, nil) })
	}})
}
