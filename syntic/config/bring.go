package config

import "path/filepath"

// bring tells of the files and folders that the presets name where each comes from.
var bring = map[string]string{
	"dataset_coco.json":             "dataset_coco.json of Karpathy's splits (caption_datasets.zip)",
	"dataset_flickr30k.json":        "dataset_flickr30k.json of Karpathy's splits (caption_datasets.zip)",
	"nocaps_val_4500_captions.json": "nocaps' validation captions",
	"ss1m.txt":                      "SS1M, the Shutterstock sentences of Unsupervised Image Captioning (Feng et al. 2019), or other texts, one a line",
	"coco":                          "COCO's images of 2014, train2014 and val2014",
	"flickr30k":                     "Flickr30k's images (flickr30k-images)",
	"nocaps":                        "nocaps' validation images, which are Open Images'",
	"clip-vit-base-patch32":         "openai/clip-vit-base-patch32 from the Hugging Face hub",
	"stable-diffusion-v1-4":         "CompVis/stable-diffusion-v1-4 from the Hugging Face hub",
	"detr-resnet-50":                "facebook/detr-resnet-50 from the Hugging Face hub",
}

// Bring says what to get for a file or folder that a preset names, and "" of any other.
func Bring(path string) string { return bring[filepath.Base(path)] }
