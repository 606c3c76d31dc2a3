package config

// Open is a key that decides a score and that what is known of SynTIC does not settle.
type Open struct {
	Key   string
	Known string // what the sources say, in a line
}

// OpenKeys are the choices that a reproduction of SynTIC has to make by itself. What is known of the paper (arXiv 2312.08865) are its title,
// abstract, introduction and first figure, and scores that posters of IFCap and SynC reprint; there is no code of its authors. Neighbours whose
// code was read are named where they tell what a number may have been.
var OpenKeys = []Open{
	{"data.restval", "not said; DeCap's corpus of 500,000 captions is only possible with it, MAGIC and CLOSE drop it"},
	{"synth.model", "a text-to-image model; which is not said where we could read it, Stable Diffusion 1.4 is usual"},
	{"synth.sampler", "not known"},
	{"synth.steps", "not known"},
	{"synth.guidance", "not known; Stable Diffusion's own default is 7.5"},
	{"refine.direction", "a contrastive loss; its directions are not known"},
	{"refine.negatives", "not known"},
	{"refine.batch", "not known"},
	{"refine.temperature", "not known; CLIP's own scale is 1/100"},
	{"refine.optimiser", "not known"},
	{"refine.lr", "not known"},
	{"refine.steps", "not known"},
	{"memory.temperature", "not known; DeCap's code has 1/100"},
	{"memory.exclude_self", "not said: in training the memory holds the caption that is to be written, at test it does not"},
	{"objects.model", "an object detector; DETR-R50 trained on COCO is usual, whose 80 classes come from COCO's boxes"},
	{"objects.threshold", "not known"},
	{"objects.max_tags", "not known"},
	{"objects.prompt", "not known"},
	{"objects.pooling", "one block of tags in figure 1; how they become one is not known"},
	{"objects.none", "not said what stands for no detection"},
	{"decoder.width", "4 layers and 4 heads are known; width 768 is DeCap's"},
	{"decoder.vocabulary", "not known; DeCap writes any of CLIP's tokens"},
	{"decoder.prefix_layout", "[v, u] in figure 1; whether as two tokens is not known"},
	{"decoder.max_length", "not known; DeCap cuts at 20"},
	{"train.epochs", "not known; DeCap has 10"},
	{"train.batch", "not known; DeCap has 64 on each of two GPUs"},
	{"train.lr", "not known; DeCap has 1e-5"},
	{"train.warmup", "not known; DeCap has 1000 steps"},
	{"train.label_smoothing", "not known; DeCap has 0.1"},
	{"decode.beams", "not known; DeCap is greedy, ViECap and IFCap have 5 beams, PCM-Net 3"},
	{"decode.length_penalty", "not known"},
}

// LeftOpen says what is known of a key that the paper leaves open, and "" of all others.
func LeftOpen(path string) string {
	for _, o := range OpenKeys {
		if o.Key == path {
			return o.Known
		}
	}
	return ""
}
