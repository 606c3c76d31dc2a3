package config

// reasons say where each default comes from: a paper or its published code, or "ours" with the reason. The numbers of a preset have theirs in the
// preset's head. Every key has a reason; a test holds that.
var reasons = map[string]string{
	"preset": "ours: the drawn world needs no files",
	"seed":   "ours", "seeds": "ours: one run; the table of --full takes three",

	"data.captions": "ours: the drawn world needs no files", "data.format": "ours: formats tell themselves apart", "data.count": "ours: a run of minutes",
	"data.share": "ours: all of them", "data.val": "ours: nothing is watched unless asked", "data.val_count": "ours: all", "data.test": "ours: the drawn world needs no files",
	"data.test_count": "ours: a run of minutes", "data.images": "none: a folder of the user", "data.cross": "none: files of the user", "data.cross_images": "none: a folder of the user",
	"data.web": "ours: the drawn world's web texts", "data.train_list": "none: a file of the user", "data.val_list": "none: a file of the user", "data.test_list": "none: a file of the user",
	"data.restval": "DeCap's corpus of 500,000 captions is only possible with it; Karpathy's protocol trains on it",

	"synth.model": "ours: the drawn world's own model", "synth.sampler": "ours: the same image for few steps", "synth.steps": "ours, measured on the drawn world; SynTIC's number is not known",
	"synth.guidance": "ours, measured on the drawn world; Stable Diffusion's own default is 7.5", "synth.negative": "ours: none", "synth.images_per_caption": "SynTIC: one image a text (its figure 1)",
	"synth.keep": "ours: what the report shows", "synth.batch": "ours",

	"clip.model": "ours: the drawn world's own model; SynTIC has ViT-B/32", "clip.prompt": "DeCap and CapDec encode the caption as it is", "clip.batch": "ours",

	"synth.combine": "ours: no source tries several images for SynTIC",

	"remap.enabled": "SynTIC: an image stays with the text that it was made of", "remap.top_k": "SynC: 15", "remap.captions": "SynC: 2", "remap.keep": "SynC: the best 90 %",
	"gap.correct": "SynTIC: none", "gap.std": "TOMCap: better than the mean alone",

	"refine.enabled": "SynTIC", "refine.direction": "ours: SynTIC says contrastive, not which direction; this one needs no other image",
	"refine.temperature": "ours, measured on the drawn world (.01 to .1 do alike)", "refine.optimiser": "ours, measured on the drawn world", "refine.lr": "ours, measured on the drawn world",
	"refine.steps": "ours, measured on the drawn world (10 to 50 do alike)", "refine.batch": "ours", "refine.momentum": "ours: the usual one",
	"refine.stop_recall": "ours: all steps; SynTIC says nothing of an early end", "refine.stop_plateau": "ours: all steps", "refine.patience": "ours",
	"refine.negatives": "ours: those of the batch, as in CLIP's own training",

	"memory.source": "SynTIC, DeCap: the training texts", "memory.size": "SynTIC: all texts; DeCap draws 500,000", "memory.dtype": "ours: exact", "memory.top_k": "SynTIC, DeCap: all texts", "memory.temperature": "DeCap's code: 1/100",
	"memory.exclude_self": "ours: without it a training feature finds its own caption, which no test image does", "memory.normalise": "DeCap's code",

	"project.enabled": "SynTIC, DeCap", "project.train": "SynTIC",

	"objects.enabled": "SynTIC", "objects.model": "ours: the drawn world's own detector", "objects.source": "SynTIC: an object detector", "objects.threshold": "ours: DETR's usual one is .7 or .9",
	"objects.prompt": "ours: as CLIP's prompts for classes; SynTIC's is not known", "objects.pooling": "ours: SynTIC has one block of tags, how made is not known", "objects.max_tags": "ours",
	"objects.none": "ours: SynTIC does not say", "objects.neutral": "ViECap's word where it finds no entity",

	"objects.vocabulary": "ours: the drawn world's; ViECap has COCO's in-domain", "objects.temperature": "ViECap: 1/100", "objects.as": "SynTIC",
	"objects.words_prompt": "ViECap: There are ... in image.", "objects.drop": "SynTIC: none; ViECap and IFCap have .4",

	"retrieve.tokens": "SynTIC: none; IFCap has 5", "retrieve.captions": "IFCap on COCO: 9", "retrieve.min_count": "IFCap on COCO: 5", "retrieve.noise_std": "IFCap: a variance of .04",

	"patches.enabled": "SynTIC: none", "patches.tags": "PCM-Net: 5", "patches.mix": "PCM-Net: 5", "patches.temperature": "PCM-Net: 1/100",

	"decoder.width": "ours: small; DeCap has 768", "decoder.layers": "SynTIC, DeCap", "decoder.heads": "SynTIC, DeCap", "decoder.ffn": "four times the width, as in GPT-2",
	"decoder.max_length": "DeCap's code", "decoder.vocabulary": "ours: the same model with a smaller table; DeCap has all ids", "decoder.start": "SynTIC, DeCap: from scratch; CapDec, ViECap and IFCap start from GPT-2", "decoder.prefix_tokens": "DeCap: one; CLOSE has 4, ViECap and IFCap 10", "decoder.prefix_layout": "ours: SynTIC's figure 1 shows [v, u]",
	"decoder.dropout": "DeCap's code, GPT-2", "decoder.init": "GPT-2",

	"train.features": "SynTIC", "train.epochs": "ours: 6 leave the drawn world's decoder half trained, 30 bring no more; DeCap has 10", "train.batch": "DeCap's code: 64 on each of two GPUs", "train.lr": "ours: a small decoder learns faster; DeCap has 1e-5",
	"train.warmup": "ours: of few steps; DeCap has 1000", "train.schedule": "DeCap's code", "train.weight_decay": "torch's AdamW", "train.label_smoothing": "DeCap's code",
	"train.clip_norm": "ours", "train.noise": "SynTIC, DeCap: none", "train.noise_shape": "CapDec: Gaussian", "train.noise_std": "ours, the spread of the captions of a drawn scene; CapDec has a variance of .016, which is .1265",

	"train.weight": "SynTIC: none", "train.weight_scale": "PCM-Net with ViT-B/32: 2.5",

	"decode.beams": "PCM-Net; DeCap is greedy, ViECap and IFCap have 5, SynTIC's is not known", "decode.length_penalty": "ours: the mean log probability of a token", "decode.max_tokens": "DeCap's code", "decode.rerank": "SynTIC, DeCap: none",

	"eval.rows": "ours: the method and its nearest relation", "eval.settings": "SynTIC's tables", "eval.bootstrap": "ours",
	"sweep.over":      "ours: nothing is varied unless asked",
	"shards.captions": "ours", "shards.checkpoint": "ours", "shards.images": "ours",
}
