// Package pixels turns image files into the numbers that models read. Images are RGB (or RGBA) bytes, row-major, interleaved (HWC);
// results are float32 in the same order, NHWC for batches. It knows no tensors.
//
//	decode.go   files to bytes, with a limit on pixels before anything is allocated; conversion to RGB as Pillow 13 does it
//	jpeg/       JPEG as libjpeg-turbo decodes it
//	png.go      PNG: every type and depth, interlaced, transparent colours
//	webp.go     WebP: golang.org/x/image decodes, libwebp's upsampling and colours are here
//	gif.go      GIF: the first picture
//	bmp.go      BMP: 1 to 32 bits, masks, run lengths
//	exif.go     EXIF orientation: read, and obeyed where asked
//	resize.go   Pillow's resize, bit for bit: nearest, box, bilinear, hamming, bicubic, lanczos
//	clip.go     CLIP's processor, as Hugging Face crops and as openai/CLIP does; preprocessor_config.json
//	detr.go     DETR's processor: size rule, batches with padding and mask
//	vae.go      Stable Diffusion's VaeImageProcessor, both ways
//
// Who looks at EXIF orientation: nobody in the originals. Pillow's Image.open, the processors of CLIP (Hugging Face, open_clip, openai/CLIP) and
// DETR and diffusers' VaeImageProcessor take the pixels as they lie in the file, and so does Decode; Image.Upright is there for who wants it.
package pixels
