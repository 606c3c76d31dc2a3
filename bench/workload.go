package bench

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"syntic/kernels"
)

// Size is one size of an op. Dims mean what the comment at the op's Dims in package kernels says.
type Size struct {
	Name string // where it comes from; "test" for sizes of the parity test
	Dims []int
}

// models holds sizes from the models, by op: SD 1.x at 512×512 pixels (latents 64×64, widths 320 to 1280), its text encoder (77 tokens, 768),
// CLIP ViT-B/32 (50 tokens, 768; joint space 512), the decoder of the paper (4 layers, 4 heads, width 512), a memory of 10 000 texts, and the
// tiny models of the drawn world (32×32 latents and less, widths 64 to 256).
var models = map[string][]Size{
	"gemm": {
		{"square", []int{1, 1024, 1024, 1024, 0, 0, 0}},
		{"unet feed-forward 64×64", []int{1, 4096, 2560, 320, 0, 1, 1}},
		{"text encoder mlp, 8 captions", []int{1, 616, 3072, 768, 0, 1, 9}},
		{"clip image attention out, 8 images", []int{1, 400, 768, 768, 0, 1, 3}},
		{"tiny transformer", []int{1, 1024, 512, 128, 0, 1, 9}},
		{"decoder, one token of 4 beams", []int{1, 4, 2048, 512, 0, 1, 9}},
	},
	"conv2d": {
		{"unet 64×64×320", []int{1, 64, 64, 320, 320, 3, 3, 1, 1, 1, 1, 1, 3}},
		{"unet 8×8×1280", []int{2, 8, 8, 1280, 1280, 3, 3, 1, 1, 1, 1, 1, 1}},
		{"vae 128×128×128", []int{1, 128, 128, 128, 128, 3, 3, 1, 1, 1, 1, 1, 1}},
		{"detr stem 224×224", []int{1, 224, 224, 3, 64, 7, 7, 2, 3, 3, 3, 3, 1}},
		{"tiny unet 16×16×64, 16 images", []int{16, 16, 16, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1}},
	},
	"conv2d_grad_x": {{"tiny unet 16×16×64, 16 images", []int{16, 16, 16, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1}}, {"unet 32×32×320", []int{1, 32, 32, 320, 320, 3, 3, 1, 1, 1, 1, 1, 1}}},
	"conv2d_grad_w": {{"tiny unet 16×16×64, 16 images", []int{16, 16, 16, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1}}, {"unet 32×32×320", []int{1, 32, 32, 320, 320, 3, 3, 1, 1, 1, 1, 1, 1}}},
	"attention": {
		{"unet self 32×32", []int{2, 1024, 1024, 8, 80, 32}},
		{"unet cross 64×64", []int{2, 4096, 77, 8, 40, 32}},
		{"text encoder, 8 captions", []int{8, 77, 77, 12, 64, 33}},
		{"decoder training, 32 captions", []int{32, 40, 40, 4, 128, 1}},
	},
	"attention_grad":      {{"decoder training, 32 captions", []int{32, 40, 40, 4, 128, 1}}, {"tiny unet self 16×16", []int{8, 256, 256, 4, 32, 0}}},
	"layer_norm":          {{"unet 64×64×320", []int{4096, 320, 3}}, {"text encoder, 8 captions", []int{616, 768, 3}}},
	"layer_norm_grad":     {{"decoder training, 32 captions", []int{1280, 512, 3}}},
	"group_norm":          {{"unet 64×64×320", []int{1, 4096, 320, 32, 1}}, {"tiny unet 16×16×64, 16 images", []int{16, 256, 64, 32, 1}}},
	"group_norm_grad":     {{"tiny unet 16×16×64, 16 images", []int{16, 256, 64, 32, 1}}},
	"softmax":             {{"vocabulary of 49408", []int{32, 49408, 1}}, {"scores of 77 tokens", []int{4096, 77, 0}}},
	"select":              {{"10 of a vocabulary of 49408", []int{32, 49408, 10, 0}}},
	"softmax_grad":        {{"scores of 77 tokens", []int{4096, 77, 0}}},
	"row_norm":            {{"512 features", []int{4096, 512, 1}}},
	"row_norm_grad":       {{"512 features", []int{4096, 512, 1}}},
	"unary":               {{"gelu, decoder", []int{int(kernels.GELU), 1280 * 2048}}, {"silu, unet 64×64×320", []int{int(kernels.SiLU), 4096 * 320}}},
	"unary_grad":          {{"gelu, decoder", []int{int(kernels.GELU), 1280 * 2048}}},
	"glu":                 {{"geglu, unet 64×64", []int{int(kernels.GELU), 4096, 1280}}},
	"glu_grad":            {{"geglu, tiny unet", []int{int(kernels.GELU), 4096, 256}}},
	"binary":              {{"sum of 64×64×320", []int{0, 1, 4096, 320, 1, 4096, 320}}, {"time embedding onto 64×64×320", []int{0, 1, 4096, 320, 1, 1, 320}}},
	"affine":              {{"64×64×320", []int{4096 * 320, 0}}},
	"reduce":              {{"bias of 64×64×320", []int{1, 4096, 320, 1, 1, 320}}},
	"dropout":             {{"decoder training", []int{1280 * 512, 10}}},
	"adamw":               {{"1 Mi parameters", []int{1 << 20, 10}}},
	"lerp":                {{"1 Mi parameters", []int{1 << 20}}},
	"sum_squares":         {{"1 Mi parameters", []int{1 << 20, 0}}},
	"crossentropy":        {{"decoder training, 8000 words", []int{640, 8000, 2}}, {"64 tokens of 49408", []int{64, 49408, 2}}},
	"linear_crossentropy": {{"decoder training, 8000 words", []int{640, 8000, 512, 6}}, {"2 bands of 49408", []int{960, 49408, 512, 6}}},
	"infonce":             {{"batch of 1024", []int{1024, 1024, 512, 5}}, {"batch of 256", []int{256, 256, 512, 5}}},
	"project_topk":        {{"memory of 10000, all rows", []int{64, 10000, 512, 0, 0}}, {"memory of 10000, 10 rows", []int{64, 10000, 512, 10, 0}}, {"one image", []int{1, 10000, 512, 0, 0}}},
	"project_topk_grad":   {{"memory of 4000, all rows", []int{16, 4000, 512, 0, 0}}},
	"topk":                {{"memory of 10000", []int{64, 10000, 512, 10, 0, 0}}, {"one image", []int{1, 10000, 512, 10, 0, 0}}, {"one image, bank in bytes too", []int{1, 10000, 512, 10, 0, 2}}},
	"embedding":           {{"8 captions", []int{8000, 616, 768, 0}}},
	"embedding_grad":      {{"8 captions", []int{8000, 616, 768}}},
	"permute":             {{"64×64×320 to channels first", []int{1, 64, 64, 320, 0, 3, 1, 2}}},
	"copy_block":          {{"skip connection 64×64", []int{4096, 320, 640, 0, 320, 320, 0}}},
	"resize":              {{"nearest, 32×32×640 to 64×64", []int{0, 1, 32, 32, 640, 64, 64}}, {"bicubic, 512×512 to 224×224", []int{2, 1, 512, 512, 3, 224, 224}}},
	"resize_grad":         {{"nearest, 16×16×64 to 32×32, 16 images", []int{0, 16, 16, 16, 64, 32, 32}}},
	"max_pool":            {{"detr stem 112×112×64", []int{1, 112, 112, 64, 3, 2, 1}}},
	"max_pool_grad":       {{"detr stem 112×112×64", []int{1, 112, 112, 64, 3, 2, 1}}},
	"box_loss":            {{"100 boxes", []int{100, 1}}},
	"box_match":           {{"detr, 6 layers of 8 images", []int{6, 8, 100, 91, 20, 0}}},
}

// Sizes are the sizes of an op that which names: "test" those of the parity test, "real" those of models, "all" both, or the sizes themselves:
// numbers with commas between them, sizes with semicolons, as in "1,64,64,64,0,0,0;1,512,512,512,0,0,0".
func Sizes(op string, which string) ([]Size, error) {
	found, err := ops([]string{op})
	if err != nil {
		return nil, err
	}
	var list []Size
	switch which {
	case "real", "all", "test":
		if which != "test" {
			list = slices.Clone(models[op])
		}
		for i := 0; which != "real" && i < found[0].NumCases(); i++ {
			list = append(list, Size{"test", found[0].CaseDims(i)})
		}
		return list, nil
	}
	want := len(found[0].CaseDims(0))
	for _, text := range strings.Split(which, ";") {
		var dims []int
		for _, number := range strings.Split(text, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(number))
			if err != nil || n < 0 || n > 1<<30 {
				return nil, fmt.Errorf("sizes %q: want test, real, all, or whole numbers with commas between them, sizes with semicolons", which)
			}
			dims = append(dims, n)
		}
		if len(dims) != want {
			return nil, fmt.Errorf("sizes %q: %s takes %d numbers, such as %v", text, op, want, found[0].CaseDims(0))
		}
		list = append(list, Size{"given", dims})
	}
	return list, nil
}
