// Package pixels turns image files into the numbers that models read. Images are RGB (or RGBA) bytes, row-major, interleaved (HWC);
// results are float32 in the same order, NHWC for batches. It knows no tensors.
//
//	decode.go   JPEG and PNG files, with a limit on pixels before anything is allocated; conversion to RGB as Pillow does it
//	resize.go   Pillow's resize, bit for bit: nearest, box, bilinear, hamming, bicubic, lanczos
//	clip.go     CLIP's processor, as Hugging Face crops and as openai/CLIP does; preprocessor_config.json
//	detr.go     DETR's processor: size rule, batches with padding and mask
//	vae.go      Stable Diffusion's VaeImageProcessor, both ways
package pixels
