package config

// Default is the recipe of the drawn world, which is also what every other recipe starts from.
//
// The paper leaves most numbers open. Shape of the decoder: 4 layers, 4 heads (SynTIC); its optimiser, label smoothing and
// lengths follow DeCap's published configuration. Refinement, projection and noise were measured on a prototype
// of the drawn world: refinement works alike for tau_r .01 to .1 and 10 to 50 steps of Adam at .01, projection for tau_p
// up to .02, and the spread between captions of one scene is .06 a dimension. Steps and
// guidance were measured on the world's own weights (syntic/world/weights/data/README.md). All other numbers are our choice.
func Default() *Recipe {
	return &Recipe{
		Preset: "toy", Seed: 1, Seeds: 1,
		Data:     Data{Captions: "world", Format: "auto", Count: 2000, Share: 1, Test: "world", TestN: 500, Web: "world:web", Restval: true},
		Synth:    Synth{Model: "world", Sampler: "ddim", Steps: 8, Guidance: 2.5, ImagesPerCaption: 1, Combine: "all", Keep: "sample", Batch: 8},
		CLIP:     CLIP{Model: "world", Prompt: "{text}", Batch: 64},
		Remap:    Remap{TopK: 15, Captions: 2, Keep: 0.9},
		Gap:      Gap{Correct: "none", Std: true},
		Refine:   Refine{Enabled: true, Direction: "image_to_text", Temperature: 0.05, Optimiser: "adam", LR: 0.01, Steps: 10, Batch: 512, Negatives: "batch", Momentum: 0.9, Patience: 5},
		Memory:   Memory{Source: "training", DType: "f32", Temperature: 0.01, ExcludeSelf: true, Normalise: true},
		Project:  Project{Enabled: true, Train: true},
		Retrieve: Retrieve{Captions: 9, MinCount: 5, NoiseStd: 0.2},
		Objects: Objects{Enabled: true, Model: "world", Source: "detector", Threshold: 0.5, Prompt: "a photo of a {tag}", Pooling: "mean",
			MaxTags: 5, None: "null_token", Neutral: "something", Vocabulary: "world", Temperature: 0.01, As: "features", WordsPrompt: "there are {tags} in image"},
		Patches: Patches{Tags: 5, Mix: 5, Temperature: 0.01},
		Decoder: Decoder{Width: 128, Layers: 4, Heads: 4, FFN: 512, MaxLength: 20, Vocabulary: "captions", PrefixLayout: "tokens", PrefixTokens: 1, Start: "scratch", Dropout: 0.1, Init: 0.02},
		Train: Train{Features: "synthetic", Epochs: 15, Batch: 64, LR: 1e-3, Warmup: 50, Schedule: "linear", WeightDecay: 0.01,
			LabelSmoothing: 0.1, ClipNorm: 1, NoiseShape: "gaussian", NoiseStd: 0.06, Weight: "none", WeightScale: 2.5},
		Decode: Decode{Beams: 3, LengthPenalty: 1, MaxTokens: 30, Rerank: "none"},
		Eval:   Eval{Rows: []string{"syntic", "decap"}, Settings: []string{"in_domain", "cross_domain"}, Bootstrap: 1000},
		Shards: Shards{Checkpoint: 500, Captions: 250, Images: 250},
	}
}
