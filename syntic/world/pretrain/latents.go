package pretrain

import (
	"syntic/diffusion"
	"syntic/syntic/world"
	"syntic/tensor"
)

// poolBatches is how many batches of scenes the UNet sees before it meets the first again, with another caption: drawing and encoding
// would otherwise cost a third of a step. The latents of batches of 64 take 256 MiB.
const poolBatches = 1024

// latentPool keeps the latents of the scenes that a training of the UNet goes through, each encoded when it is first met.
type latentPool struct {
	vae   *diffusion.VAE
	batch int

	z      [poolBatches][]float32
	scenes [poolBatches][]world.Scene
	src    *source // draws from batch next on
	next   int
}

// take is the batch of a step: scaled latents [B, h, w, 4] and one caption a scene, which changes from one round to the next. It depends on
// the step alone.
func (p *latentPool) take(s *tensor.Scope, step int) (z *tensor.Tensor, captions []string) {
	at, round := step%poolBatches, step/poolBatches
	if p.z[at] == nil {
		if p.src == nil || p.next != at {
			p.src = newSource(p.batch, at, false, photo)
		}
		b := p.src.batch()
		p.next = at + 1
		p.scenes[at] = b.Scenes
		c := s.Child()
		p.z[at] = p.vae.Scale(c, p.vae.Encode(c, signed(c, b.Pixels)).Mean).Float32s()
		c.Close()
	}
	for i := range p.scenes[at] {
		captions = append(captions, p.scenes[at][i].Caption((at*p.batch+i+round)%5))
	}
	down := p.vae.Factor()
	return s.FromFloat32s(p.z[at], p.batch, world.Side/down, world.Side/down, p.vae.Config.LatentChannels), captions
}
