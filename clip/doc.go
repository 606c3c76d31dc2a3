// Package clip is CLIP (Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision"): a text transformer and a
// vision transformer (Dosovitskiy et al. 2021) whose outputs share one space. Any size: config.json says which.
//
//	config.go    Config, TextConfig, ImageConfig: Hugging Face's config.json
//	layers.go    Block and Attention, of which both towers consist
//	text.go      TextModel: Hidden, Pool, Encode
//	image.go     ImageModel: Hidden, Pool, Encode, position tables of other image sizes
//	model.go     Model: both towers, the scale, New, ContrastiveLoss
//	encode.go    EncodeTexts, EncodeImages: whole corpora, on the host
//	load.go      Load, LoadText, Open, Save: folders in Hugging Face's layout
//	init.go      the initial values of a training
//	openclip.go  open_clip_config.json
//	openai.go    checkpoints with the names of openai/CLIP and open_clip
//	bpe/         the tokenizer
//	pixels/      image files to input
//
// The fields' tags are the names of Hugging Face's checkpoints, so the structs are the table of contents of model.safetensors.
package clip
