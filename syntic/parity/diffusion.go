package parity

import (
	"syntic/diffusion"
	"syntic/nn"
)

// act names the result of an inner module as the goldens do.
func act(path string) string { return "act." + path }

func (r *run) unet() error {
	u, err := diffusion.LoadUNet(r.dev, r.part("unet"))
	if err != nil {
		return err
	}
	defer u.Close()
	s := r.scope(nn.Paths(u), act)
	defer s.Close()
	x := r.image(s, "sample", u.Config.InChannels)
	n := x.Dim(0)
	t := r.times("timestep", n)
	rows := r.shape("encoder_hidden_states", 0, 0, u.Config.CrossAttentionDim)[0]
	if rows != 1 && rows != n {
		fail("input %q has %d texts for %d images: want one, or one each", "encoder_hidden_states", rows, n)
	}
	text := u.Context(s, r.floats(s, "encoder_hidden_states", 0, 0, 0))
	r.give("out", u.Forward(s, x, t, text))
	return nil
}

func (r *run) vae() (*diffusion.VAE, error) { return diffusion.LoadVAE(r.dev, r.part("vae")) }

func (r *run) vaeEncode() error {
	v, err := r.vae()
	if err != nil {
		return err
	}
	defer v.Close()
	s := r.scope(nn.Paths(v), act)
	defer s.Close()
	x := r.image(s, "image", v.Config.InChannels)
	if f := v.Factor(); x.Dim(1)%f != 0 || x.Dim(2)%f != 0 {
		fail("input %q is %d×%d: want multiples of %d", "image", x.Dim(2), x.Dim(1), f)
	}
	p := v.Encode(s, x)
	r.give("mean", p.Mean)
	r.give("logvar", p.LogVar)
	r.give("std", p.Std(s))
	return nil
}

func (r *run) vaeDecode() error {
	v, err := r.vae()
	if err != nil {
		return err
	}
	defer v.Close()
	s := r.scope(nn.Paths(v), act)
	defer s.Close()
	r.give("decoded", v.Decode(s, r.image(s, "latent", v.Config.LatentChannels)))
	return nil
}
