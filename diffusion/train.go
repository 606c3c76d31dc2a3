package diffusion

import (
	"fmt"
	"math"

	"syntic/tensor"
)

// NoiseLoss trains a UNet to predict what was added to latents (Ho et al. 2020, eq. 14).
type NoiseLoss struct {
	Scheduler *Scheduler // its noise table and prediction_type: epsilon, v_prediction or sample
	Gamma     float64    // of min-SNR weights (Hang et al. 2023); 0: plain mean squared error
}

// Loss is the mean squared error, [1], of the UNet's prediction for latents [B, H, W, C] (the UNet's: scaled) under text states hidden
// [B, L, C]. Row b's time and noise come from the key {Seed, Item + b, Step} alone. For guidance to work later, the caller gives the
// states of the empty prompt in a tenth of the rows.
func (l *NoiseLoss) Loss(s *tensor.Scope, u *UNet, latents, hidden *tensor.Tensor, key tensor.Key) (loss *tensor.Tensor, err error) {
	defer tensor.Catch(&err)
	if latents.Rank() != 4 || hidden.Rank() != 3 || hidden.Dim(0) != latents.Dim(0) {
		return nil, fmt.Errorf("latents %v, text states %v: want [B, H, W, C] and [B, L, C]", latents.Shape(), hidden.Shape())
	}
	keys := rowKeys(key, latents.Dim(0))
	times := l.Times(keys)
	noise := Noise(s, keys, latents.Shape()[1:]...)
	return l.LossAt(s, u, latents, hidden, times, noise), nil
}

// Times draws a time of training, uniform, for each key.
func (l *NoiseLoss) Times(keys []tensor.Key) []int {
	t := make([]int, len(keys))
	for b, k := range keys {
		k.Seed ^= timeStream // another stream than the noise's
		t[b] = k.Intn(0, len(l.Scheduler.Table.AlphasBar))
	}
	return t
}

// timeStream keeps the random times apart from the noise of the same key.
const timeStream = 0x9e3779b97f4a7c15

// LossAt is the loss for given times and noise.
func (l *NoiseLoss) LossAt(s *tensor.Scope, u *UNet, latents, hidden *tensor.Tensor, times []int, noise *tensor.Tensor) *tensor.Tensor {
	table := l.Scheduler.Table
	x := table.Add(s, latents, noise, times)
	target := noise
	switch l.Scheduler.Config.PredictionType {
	case "v_prediction":
		target = table.Velocity(s, latents, noise, times)
	case "sample":
		target = latents
	}
	out := u.Forward(s, x, floats(times), u.Context(s, hidden))
	square := s.Act(s.Sub(out, target), tensor.Square)
	if l.Gamma == 0 {
		return s.MeanAll(square)
	}
	w := make([]float32, len(times))
	for b, t := range times {
		w[b] = float32(l.Weight(t))
	}
	each := s.Mean(s.Reshape(square, len(times), -1), 1) // [B, 1]
	return s.MeanAll(s.Mul(each, s.FromFloat32s(w, len(times), 1)))
}

// Weight is the min-SNR weight of a time, for the quantity that is predicted (Hang et al. 2023, section 3.4): min(SNR, γ), divided by SNR
// for epsilon and by SNR + 1 for v.
func (l *NoiseLoss) Weight(time int) float64 {
	snr := l.Scheduler.Table.SNR(time)
	w := snr
	if l.Gamma > 0 {
		w = math.Min(snr, l.Gamma)
	}
	switch l.Scheduler.Config.PredictionType {
	case "v_prediction":
		return w / (snr + 1)
	case "sample":
		return w
	}
	if snr == 0 { // noise alone: min(SNR, γ)/SNR in the limit
		return 1
	}
	return w / snr
}

// VAELoss trains an autoencoder: how far the image that comes back is off, and how far the latents are from the standard normal
// distribution (Rombach et al. 2022, section 3.1 and appendix G, without the perceptual and adversarial terms).
type VAELoss struct {
	KL     float64 // weight of the divergence; 1e-6 in Stable Diffusion
	Square bool    // mean squared error instead of mean absolute error
}

// Loss is the loss, [1], of images x [B, H, W, 3] in -1..1: the mean error of a pixel's channel plus KL times the divergence, both divided by
// B·H·W·3. Image b's latents are drawn by the key {Seed, Item + b, Step}.
func (l *VAELoss) Loss(s *tensor.Scope, v *VAE, x *tensor.Tensor, key tensor.Key) (loss *tensor.Tensor, err error) {
	defer tensor.Catch(&err)
	if err := v.checkImage(x.Shape()); err != nil {
		return nil, err
	}
	p := v.Encode(s, x)
	y := v.Decode(s, p.Sample(s, rowKeys(key, x.Dim(0))))
	f := tensor.Abs
	if l.Square {
		f = tensor.Square
	}
	loss = s.MeanAll(s.Act(s.Sub(y, x), f))
	if l.KL != 0 {
		loss = s.AddScaled(loss, 1, p.KL(s), float32(l.KL/float64(x.Len())))
	}
	return loss, nil
}

// rowKeys are the keys of n rows that follow each other.
func rowKeys(k tensor.Key, n int) []tensor.Key {
	keys := make([]tensor.Key, n)
	for b := range keys {
		keys[b] = tensor.Key{Seed: k.Seed, Item: k.Item + uint64(b), Step: k.Step}
	}
	return keys
}
