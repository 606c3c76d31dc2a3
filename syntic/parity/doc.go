// Package parity runs single models on tensors from a file, in the layout and under the names of the original libraries, and compares files
// of tensors: how to hold this engine against another one, layer by layer.
//
//	forward.go     Forward: the modules by name, folders
//	clip.go        clip.vision, clip.text, sd.text (transformers' CLIPModel, CLIPTextModel)
//	diffusion.go   sd.unet, sd.vae.encode, sd.vae.decode (diffusers' UNet2DConditionModel, AutoencoderKL)
//	detr.go        detr (transformers' DetrForObjectDetection)
//	decoder.go     decoder (transformers' GPT2LMHeadModel behind a prefix of embeddings)
//	tensors.go     inputs and results: images [B, C, H, W] in files, [B, H, W, C] inside
//	compare.go     Compare: errors, tensor by tensor
package parity
