// Package diffusion is Stable Diffusion 1.x: text states in, images out, and the losses that train it.
//
// The map: config.go the JSON files of a diffusers folder · unet.go UNet, its forward pass in the paper's order · unet_blocks.go
// residual, down, middle and up blocks · transformer.go attention over image tokens and text · timestep.go the time embedding ·
// vae.go vae_blocks.go images to latents and back · scheduler.go the interface and its configuration; noise.go noise tables; ddpm.go ddim.go
// pndm.go dpmsolver.go unipc.go lcm.go one scheduler a file, and so euler.go eulerancestral.go heun.go lms.go, which go over the noise levels of
// sigmas.go · guidance.go classifier-free guidance · sampler.go the denoising loop · torchrand.go PyTorch's
// normal numbers · load.go folders and checkpoint names · ldm.go single-file checkpoints · samplers.go
// short names · train.go losses.
//
// Images and latents are channels-last, [B, H, W, C]; the tokens of attention are the same memory as [B, H·W, C]. Pixels are in -1..1.
// The package takes text states as tensors and does not know where they come from. Sizes come from the configuration files alone: the
// same code is the full model and the tiny ones of the tests.
//
// Sources: Rombach et al. 2022 (latent diffusion), Ho et al. 2020 (DDPM), Ho and Salimans 2022 (guidance); the names of parameters and of
// configuration keys are those of the diffusers library, which real checkpoints use.
package diffusion
