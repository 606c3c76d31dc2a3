package config

import "math"

// Recipe is every choice of a run. The keys of a YAML recipe are the yaml tags; doc is what the key means, with its unit;
// min, max and oneof bound it (min and max inclusive unless they begin with '>' or '<').
type Recipe struct {
	Preset   string   `yaml:"preset" doc:"named recipe that this one starts from"`
	Seed     int64    `yaml:"seed" doc:"the run's seed; item i draws from (seed, i) alone" min:"0"`
	Seeds    int      `yaml:"seeds" doc:"number of runs, with seeds seed, seed+1, ...; intervals in the table come from them" min:"1" max:"100"`
	Data     Data     `yaml:"data" doc:"texts to learn from, images to be tested on"`
	Synth    Synth    `yaml:"synth" doc:"caption to synthetic image"`
	CLIP     CLIP     `yaml:"clip" doc:"features of texts and images"`
	Remap    Remap    `yaml:"remap" doc:"captions paired anew with synthetic images, before refinement (SynC)"`
	Gap      Gap      `yaml:"gap" doc:"features of one modality carried to where the other's lie, by statistics of all synthetic pairs"`
	Refine   Refine   `yaml:"refine" doc:"moves synthetic image features by a contrastive loss, before training only"`
	Memory   Memory   `yaml:"memory" doc:"text features that projection blends"`
	Project  Project  `yaml:"project" doc:"projection of image features into text space"`
	Retrieve Retrieve `yaml:"retrieve" doc:"texts of the memory that are like the image, for the decoder and for tags"`
	Objects  Objects  `yaml:"objects" doc:"detected objects as a second part of the prefix"`
	Patches  Patches  `yaml:"patches" doc:"the parts of an image as prefix tokens of their own, mixed with tags (PCM-Net)"`
	Decoder  Decoder  `yaml:"decoder" doc:"the text decoder, the only part that is trained"`
	Train    Train    `yaml:"train" doc:"training of the decoder"`
	Decode   Decode   `yaml:"decode" doc:"writing captions"`
	Eval     Eval     `yaml:"eval" doc:"scores"`
	Sweep    Sweep    `yaml:"sweep" doc:"points of syntic sweep; any other verb does one run and looks at none of them"`
	Shards   Shards   `yaml:"shards" doc:"how work is cut; never changes a result"`

	origin map[string]string
}

// Data names the corpora. "world" is the drawn world that comes with the program; everything else is a file or folder in one of the formats of
// syntic/dataset, or several with commas between.
type Data struct {
	Captions    string  `yaml:"captions" doc:"training captions: world, world:other, world:web, world:known (of half of the kinds of things), or files (the split train of those that have splits); also called data.train"`
	Format      string  `yaml:"format" doc:"format of the files, whatever they look like: auto, or one that syntic data formats lists"`
	Count       int     `yaml:"count" doc:"use this many training captions, the first ones; 0: all" min:"0"`
	Share       float64 `yaml:"share" doc:"use this share of them, the first ones; the memory is of those alone" min:">0" max:"1"`
	Val         string  `yaml:"val" doc:"images and references for watching training (the split val); same forms as captions, or empty"`
	ValN        int     `yaml:"val_count" doc:"use this many images for watching, the first ones; 0: all, and 200 of the drawn world" min:"0"`
	Test        string  `yaml:"test" doc:"images and references for the table (the split test); world, world:other, world:nocaps (in its domains) or files"`
	TestN       int     `yaml:"test_count" doc:"use this many test images, the first ones; 0: all" min:"0"`
	Images      string  `yaml:"images" doc:"folder, tar or pattern of tars with the pictures that val and test name"`
	Cross       string  `yaml:"cross" doc:"images and references of the setting cross_domain; empty: the other domain of the drawn world"`
	CrossImages string  `yaml:"cross_images" doc:"folder, tar or pattern of tars with the pictures that cross names; empty: data.images"`
	Web         string  `yaml:"web" doc:"training captions of the setting zero_shot; same forms as captions"`
	TrainList   string  `yaml:"train_list" doc:"file that names the training images, for captions without splits; or empty"`
	ValList     string  `yaml:"val_list" doc:"file that names the images of the split val, for captions without splits; or empty"`
	TestList    string  `yaml:"test_list" doc:"file that names the images of the split test, for captions without splits; or empty"`
	Restval     bool    `yaml:"restval" doc:"count the split restval of COCO as training captions"`
}

// Of is how many of n captions data.share leaves: at least one of some.
func (d Data) Of(n int) int {
	if d.Share >= 1 || n == 0 {
		return n
	}
	return max(1, int(math.Round(d.Share*float64(n))))
}

// Synth is the text-to-image step.
type Synth struct {
	Model            string  `yaml:"model" doc:"text-to-image model: world, or a directory in the diffusers layout"`
	Sampler          string  `yaml:"sampler" doc:"denoising scheduler" oneof:"ddim|pndm|dpmsolver++|dpmsolver++-karras|dpmsolver++-1|dpmsolver++-sde|dpmsolver++-sde-karras|unipc|euler|euler-karras|euler-a|heun|lms|lms-karras|ddpm|lcm"`
	Steps            int     `yaml:"steps" doc:"denoising steps an image" min:"1" max:"1000"`
	Guidance         float64 `yaml:"guidance" doc:"classifier-free guidance scale; 1: none" min:"1" max:"50"`
	Negative         string  `yaml:"negative" doc:"negative prompt; empty: the unconditional prompt"`
	ImagesPerCaption int     `yaml:"images_per_caption" doc:"synthetic images for each caption" min:"1" max:"16"`
	Combine          string  `yaml:"combine" doc:"several images a caption: an example each; one example of their mean feature and all their tags; or one drawn anew each epoch" oneof:"all|mean|sample"`
	Keep             string  `yaml:"keep" doc:"images kept on disk beside the features: none, sample (those of the report) or all" oneof:"none|sample|all"`
	Batch            int     `yaml:"batch" doc:"images denoised together; memory only, never changes a result" min:"1" max:"1024"`
}

// CLIP is the feature extractor.
type CLIP struct {
	Model  string `yaml:"model" doc:"CLIP model: world, or a directory with config.json and model.safetensors"`
	Prompt string `yaml:"prompt" doc:"template around a caption before it is encoded; {text} stands for the caption"`
	Batch  int    `yaml:"batch" doc:"items encoded together; memory only, never changes a result" min:"1" max:"4096"`
}

// Remap pairs captions anew with synthetic images. Captions are compared by CLIP's text features where SynC has a sentence encoder (SBERT).
type Remap struct {
	Enabled  bool    `yaml:"enabled" doc:"pair anew"`
	TopK     int     `yaml:"top_k" doc:"candidates for a caption: this many synthetic images most like it" min:"1" max:"1000"`
	Captions int     `yaml:"captions" doc:"an image's score is how like the caption the best of this many captions is that the image is most like" min:"1" max:"1000"`
	Keep     float64 `yaml:"keep" doc:"share of the pairs that stay, those with the highest scores" min:">0" max:"1"`
}

// Gap is a correction of each dimension: x' = (x − μ_from) · σ_to/σ_from + μ_to.
type Gap struct {
	Correct string `yaml:"correct" doc:"none; images, synthetic and test ones, towards texts, before refinement and projection; or the texts that training goes by towards images (TOMCap)" oneof:"none|images|texts"`
	Std     bool   `yaml:"std" doc:"correct the standard deviations as well as the means"`
}

// Refine moves each synthetic image feature s_i towards its own text: s <- normalise(s - lr * dL/ds).
type Refine struct {
	Enabled     bool    `yaml:"enabled" doc:"refine synthetic features before training"`
	Direction   string  `yaml:"direction" doc:"contrastive loss from image to text, from text to image, or the mean of both" oneof:"image_to_text|text_to_image|both"`
	Temperature float64 `yaml:"temperature" doc:"tau_r of the contrastive loss" min:">0" max:"10"`
	Optimiser   string  `yaml:"optimiser" doc:"how a feature is moved: plain gradient descent, with momentum, or Adam; back to unit length after each step" oneof:"adam|gd|momentum"`
	Momentum    float64 `yaml:"momentum" doc:"share of the last step that optimiser: momentum adds to the gradient" min:"0" max:"<1"`
	LR          float64 `yaml:"lr" doc:"step size" min:">0" max:"10"`
	Steps       int     `yaml:"steps" doc:"number of steps K" min:"0" max:"10000"`
	Batch       int     `yaml:"batch" doc:"items refined together; with negatives: batch they are each other's negatives" min:"2" max:"65536"`
	Negatives   string  `yaml:"negatives" doc:"texts to move away from: those of the batch, or the whole memory" oneof:"batch|memory"`
	StopRecall  float64 `yaml:"stop_recall" doc:"a batch is done when this share of its items find their own text first among the negatives; 0: never before the last step" min:"0" max:"1"`
	StopPlateau float64 `yaml:"stop_plateau" doc:"a batch is done when its loss fell by less than this share of itself in patience steps; 0: never before the last step" min:"0" max:"<1"`
	Patience    int     `yaml:"patience" doc:"steps that stop_plateau looks back" min:"1" max:"10000"`
}

// Memory is the bank of text features.
type Memory struct {
	Source      string  `yaml:"source" doc:"texts of the memory at test: training; target, training texts of the domain that is tested; or a corpus in the forms of data.captions"`
	Size        int     `yaml:"size" doc:"keep this many texts, drawn by the run's seed, in training too; 0: all" min:"0"`
	DType       string  `yaml:"dtype" doc:"how the memory is stored and held: f32; f16 (numbers off by at most 1/4096 of 1); int8 with a scale a row (by at most 1/254 of the row's largest)" oneof:"f32|f16|int8"`
	TopK        int     `yaml:"top_k" doc:"blend only the k most similar texts; 0: all" min:"0"`
	Temperature float64 `yaml:"temperature" doc:"tau_p of the softmax over similarities" min:">0" max:"10"`
	ExcludeSelf bool    `yaml:"exclude_self" doc:"while training, leave an item's own caption out of its blend (no test image finds its exact caption either)"`
	Normalise   bool    `yaml:"normalise" doc:"bring the blend back to unit length"`
}

// Project says where image features are replaced by blends of the memory.
type Project struct {
	Enabled bool `yaml:"enabled" doc:"project the features of test images"`
	Train   bool `yaml:"train" doc:"project training features as well (needs enabled); off for DeCap, which trains on texts"`
}

// Retrieve looks texts up in the memory by the image's feature, and by a text's own, with noise, where training goes by texts (IFCap).
type Retrieve struct {
	Tokens   int     `yaml:"tokens" doc:"so many most similar texts become a prefix token each, a linear layer of their features; 0: none" min:"0" max:"64"`
	Captions int     `yaml:"captions" doc:"objects.source: retrieval counts words in this many most similar texts" min:"1" max:"1000"`
	MinCount int     `yaml:"min_count" doc:"a name of the vocabulary becomes a tag if so many of those texts have it" min:"1" max:"1000"`
	NoiseStd float64 `yaml:"noise_std" doc:"standard deviation per dimension of the noise on a text's feature that looks others up, in training on texts" min:"0" max:"10"`
}

// Objects is the auxiliary branch of detected tags.
type Objects struct {
	Enabled     bool    `yaml:"enabled" doc:"add objects to the prefix"`
	Model       string  `yaml:"model" doc:"detector: world, or a directory with config.json and model.safetensors"`
	Source      string  `yaml:"source" doc:"where tags come from: a detector; CLIP as a classifier over the vocabulary (ViECap); names that many retrieved texts have (IFCap). The latter two also go with training on texts: there a caption's own words of the vocabulary are its tags" oneof:"detector|classifier|retrieval"`
	Vocabulary  string  `yaml:"vocabulary" doc:"names that the sources classifier and retrieval know: world, coco (its 80 classes), or a file with a name a line"`
	Threshold   float64 `yaml:"threshold" doc:"least confidence of a detection, or probability of the classifier" min:"0" max:"1"`
	Temperature float64 `yaml:"temperature" doc:"of the classifier's softmax over the vocabulary" min:">0" max:"10"`
	Prompt      string  `yaml:"prompt" doc:"text that is encoded for a tag; {tag} stands for it"`
	Pooling     string  `yaml:"pooling" doc:"one prefix token for all tags' features: their mean at unit length (which is their sum at unit length), their mean as long as it is, or the largest of each dimension at unit length; or a token for each tag" oneof:"mean|mean_raw|max|per_tag"`
	As          string  `yaml:"as" doc:"tags as features of CLIP (SynTIC), or as words of a prompt before the caption (ViECap)" oneof:"features|words"`
	WordsPrompt string  `yaml:"words_prompt" doc:"that prompt; {tags} stands for the tags with commas between, or for neutral"`
	Drop        float64 `yaml:"drop" doc:"in training, leave each tag out with this probability, anew each epoch" min:"0" max:"<1"`
	MaxTags     int     `yaml:"max_tags" doc:"use the most confident distinct tags, at most this many" min:"1" max:"100"`
	None        string  `yaml:"none" doc:"in place of tags when nothing is detected: a learned token, or the feature of the prompt neutral" oneof:"null_token|neutral_prompt"`
	Neutral     string  `yaml:"neutral" doc:"prompt for none: neutral_prompt"`
}

// Patches are the features that CLIP has of an image's patches. They are held for every image: 32 KB each of the drawn world, 100 KB of ViT-B/32.
type Patches struct {
	Enabled     bool    `yaml:"enabled" doc:"a prefix token for each patch, before that of the image"`
	Tags        int     `yaml:"tags" doc:"names of objects.vocabulary that CLIP finds most like the image" min:"1" max:"100"`
	Mix         int     `yaml:"mix" doc:"the so many highest similarities of a patch with a tag choose patches: in training the tags stand in their place, at test behind all patches" min:"1" max:"100"`
	Temperature float64 `yaml:"temperature" doc:"of the softmax that weighs the tags of a patch" min:">0" max:"10"`
}

// Decoder is the shape of the text decoder, a pre-norm Transformer with tied embeddings and learned positions.
type Decoder struct {
	Width        int     `yaml:"width" doc:"size of the hidden state" min:"8" max:"8192"`
	Layers       int     `yaml:"layers" doc:"Transformer layers" min:"1" max:"96"`
	Heads        int     `yaml:"heads" doc:"attention heads; must divide width" min:"1" max:"128"`
	FFN          int     `yaml:"ffn" doc:"size of the feed-forward layer" min:"8" max:"65536"`
	MaxLength    int     `yaml:"max_length" doc:"caption tokens seen in training; longer captions are cut" min:"2" max:"1024"`
	Vocabulary   string  `yaml:"vocabulary" doc:"tokens that can be written: those of the training captions, or all of the tokenizer's" oneof:"captions|full"`
	Start        string  `yaml:"start" doc:"scratch, or a folder of GPT-2 (config.json, model.safetensors) whose Transformer, sizes and tokenizer are taken"`
	PrefixTokens int     `yaml:"prefix_tokens" doc:"prefix tokens that one linear layer makes of the feature" min:"1" max:"256"`
	PrefixLayout string  `yaml:"prefix_layout" doc:"feature and objects as tokens of their own, or concatenated into one" oneof:"tokens|concat"`
	Dropout      float64 `yaml:"dropout" doc:"dropout probability of the embedding and residual paths" min:"0" max:"<1"`
	Init         float64 `yaml:"init" doc:"standard deviation of initial weights" min:">0" max:"1"`
}

// Train is the optimisation of the decoder.
type Train struct {
	Features       string  `yaml:"features" doc:"train on features of synthetic images, or of the captions themselves (DeCap, CapDec)" oneof:"synthetic|text"`
	Epochs         int     `yaml:"epochs" doc:"passes over the captions" min:"1" max:"10000"`
	Batch          int     `yaml:"batch" doc:"captions a step" min:"1" max:"65536"`
	LR             float64 `yaml:"lr" doc:"highest learning rate of AdamW" min:">0" max:"1"`
	Warmup         int     `yaml:"warmup" doc:"steps of linear warm-up" min:"0"`
	Schedule       string  `yaml:"schedule" doc:"learning rate after warm-up" oneof:"linear|cosine|constant"`
	WeightDecay    float64 `yaml:"weight_decay" doc:"decoupled weight decay of AdamW" min:"0" max:"1"`
	LabelSmoothing float64 `yaml:"label_smoothing" doc:"label smoothing of the cross entropy" min:"0" max:"<1"`
	ClipNorm       float64 `yaml:"clip_norm" doc:"largest global gradient norm; 0: no clipping" min:"0"`
	Noise          bool    `yaml:"noise" doc:"add noise to training features and bring them back to unit length (CapDec)"`
	NoiseShape     string  `yaml:"noise_shape" doc:"Gaussian noise; or noise drawn evenly from a ball (CapDec has both)" oneof:"gaussian|ball"`
	NoiseStd       float64 `yaml:"noise_std" doc:"standard deviation of that noise, per dimension; of noise_shape: ball the radius of the ball, as in CapDec's code" min:"0" max:"10"`
	Weight         string  `yaml:"weight" doc:"how much a caption counts: all alike, or by the cosine of its synthetic image (before refinement) with it (PCM-Net)" oneof:"none|clip"`
	WeightScale    float64 `yaml:"weight_scale" doc:"weight: clip is this times the cosine, held between 0 and 1" min:">0" max:"100"`
}

// Decode is how captions are written.
type Decode struct {
	Beams         int     `yaml:"beams" doc:"beam width; 1: greedy" min:"1" max:"64"`
	LengthPenalty float64 `yaml:"length_penalty" doc:"a beam's log probability is divided by its length to this power" min:"0" max:"4"`
	MaxTokens     int     `yaml:"max_tokens" doc:"longest caption" min:"1" max:"1024"`
	Rerank        string  `yaml:"rerank" doc:"order of the beams: the search's; the cosine of CLIP with the image; or the sum of the ranks in both (fusion)" oneof:"none|clip|fusion"`
}

// Eval is what is scored and how sure the scores are.
type Eval struct {
	Rows      []string `yaml:"rows" doc:"rows of the table: syntic, no_refine, no_projection, no_objects, decap, capdec, and others that syntic recipe --rows lists"`
	Settings  []string `yaml:"settings" doc:"test settings, from: in_domain, cross_domain (images of the other domain), zero_shot (trained on web texts)"`
	Bootstrap int      `yaml:"bootstrap" doc:"resamplings of the test images for the 95 % intervals; 0: no intervals" min:"0" max:"100000"`
}

// Sweep is what syntic sweep varies.
type Sweep struct {
	Over []string `yaml:"over" doc:"key=value,value,… for each key that is varied; every combination is a point"`
}

// Shards is the cut of the work.
type Shards struct {
	Checkpoint int `yaml:"checkpoint" doc:"steps between the checkpoints of a training, which is what kill -9 loses at most" min:"1" max:"1000000"`
	Captions   int `yaml:"captions" doc:"captions in a shard of synthetic pairs" min:"1" max:"1000000"`
	Images     int `yaml:"images" doc:"images in a shard of everything that goes by image" min:"1" max:"1000000"`
}
