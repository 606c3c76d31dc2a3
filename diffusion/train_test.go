package diffusion

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/nn"
	"syntic/tensor"
)

// TestNoiseLoss computes the loss again from its parts.
func TestNoiseLoss(t *testing.T) {
	u := loadUNet(t)
	key := tensor.Key{Seed: 4, Item: 100, Step: 9}
	for _, c := range []struct {
		prediction string
		gamma      float64
	}{{"epsilon", 0}, {"epsilon", 5}, {"v_prediction", 0}, {"v_prediction", 5}, {"sample", 0}, {"sample", 5}} {
		s := newScope(t)
		l := noiseLoss(t, c.prediction, c.gamma)
		x, hidden := s.Randn(tensor.Key{Seed: 8}, 3, 4, 4, 4), s.Randn(tensor.Key{Seed: 9}, 3, 7, 48)
		loss, err := l.Loss(s, u, x, hidden, key)
		require.NoError(t, err)

		want := 0.
		keys := rowKeys(key, 3)
		for b, time := range l.Times(keys) {
			xb := s.Slice(x, 0, b, b+1)
			noise := Noise(s, keys[b:b+1], 4, 4, 4)
			a := float32(l.Scheduler.Table.AlphasBar[time])
			signal, sigma := float32(math.Sqrt(float64(a))), float32(math.Sqrt(float64(1-a)))
			out := u.Forward(s, s.AddScaled(xb, signal, noise, sigma), []float64{float64(time)}, u.Context(s, s.Slice(hidden, 0, b, b+1)))
			snr := float64(a) / (1 - float64(a))
			clipped := snr
			if c.gamma > 0 {
				clipped = min(snr, c.gamma)
			}
			target, weight := noise, clipped/snr
			switch c.prediction {
			case "v_prediction":
				target, weight = s.AddScaled(noise, signal, xb, -sigma), clipped/(snr+1)
			case "sample":
				target, weight = xb, clipped
			}
			if c.gamma == 0 {
				weight = 1
			}
			want += weight * float64(s.MSE(out, target).Item()) / 3
		}
		require.InEpsilon(t, want, loss.Item(), 2e-5, "%v", c)
	}
}

func TestNoiseLossTimes(t *testing.T) {
	l := noiseLoss(t, "epsilon", 0)
	counts := make([]int, 10)
	for _, time := range l.Times(rowKeys(tensor.Key{Seed: 1}, 10000)) {
		counts[time/100]++
	}
	for _, n := range counts {
		require.InDelta(t, 1000, n, 120) // four deviations
	}
}

// TestNoiseLossLearns takes steps of gradient descent on one batch.
func TestNoiseLossLearns(t *testing.T) {
	u := loadUNet(t)
	l := noiseLoss(t, "epsilon", 5)
	var losses []float32
	for range 8 {
		s := tensor.NewScope(tensor.CPU(), tensor.WithTape())
		x, hidden := s.Randn(tensor.Key{Seed: 8}, 2, 4, 4, 4), s.Randn(tensor.Key{Seed: 9}, 2, 5, 48)
		loss, err := l.Loss(s, u, x, hidden, tensor.Key{Seed: 1})
		require.NoError(t, err)
		losses = append(losses, loss.Item())
		descend(s, u, loss, 0.01)
		s.Close()
	}
	require.Less(t, losses[7], 0.7*losses[0], "%v", losses)
}

// TestVAELoss computes the loss again from its parts and its slope along the gradient by differences.
func TestVAELoss(t *testing.T) {
	v := loadVAE(t)
	key := tensor.Key{Seed: 1}
	for _, square := range []bool{false, true} {
		l := VAELoss{KL: 1e-2, Square: square}
		s := newScope(t, tensor.WithTape())
		x := s.Act(s.Randn(tensor.Key{Seed: 8}, 2, 16, 24, 3), tensor.Tanh)
		loss, err := l.Loss(s, v, x, key)
		require.NoError(t, err)
		value := func() float64 {
			c := newScope(t)
			loss, err := l.Loss(c, v, x, key)
			require.NoError(t, err)
			return float64(loss.Item())
		}
		c := newScope(t)
		p := v.Encode(c, x)
		want := 0.
		diff := c.Sub(v.Decode(c, p.Sample(c, rowKeys(key, 2))), x).Float32s()
		for _, d := range diff {
			if square {
				want += float64(d) * float64(d)
			} else {
				want += math.Abs(float64(d))
			}
		}
		want = (want + 1e-2*float64(p.KL(c).Item())) / float64(len(diff))
		require.InEpsilon(t, want, loss.Item(), 1e-5)

		grads := s.Backward(loss)
		slope := 0. // |gradient|²
		move := func(rate float32) {
			for _, p := range nn.Parameters(v) {
				p.Own() // may be mapped
				d, g := p.Tensor.Data(), grads.Of(p.Tensor).Data()
				for i := range d {
					d[i] += rate * g[i]
				}
			}
		}
		for _, p := range nn.Parameters(v) {
			for _, g := range grads.Of(p.Tensor).Data() {
				slope += float64(g) * float64(g)
			}
		}
		const h = 0.0005 // small, for the kinks of absolute errors
		move(h)
		up := value()
		move(-2 * h)
		down := value()
		move(h)
		require.InEpsilon(t, slope, (up-down)/(2*h), 1e-2)
	}
	s := newScope(t)
	_, err := (&VAELoss{}).Loss(s, v, s.Zeros(1, 12, 16, 3), tensor.Key{})
	require.ErrorContains(t, err, "multiples of 8")
	_, err = noiseLoss(t, "epsilon", 0).Loss(s, loadUNet(t), s.Zeros(2, 8, 8, 4), s.Zeros(1, 5, 48), tensor.Key{})
	require.ErrorContains(t, err, "want [B, H, W, C] and [B, L, C]")
}

// descend takes a step of plain gradient descent; every parameter must have a gradient.
func descend(s *tensor.Scope, module any, loss *tensor.Tensor, rate float32) {
	grads := s.Backward(loss)
	for _, p := range nn.Parameters(module) {
		p.Own() // may be mapped
		d, g := p.Tensor.Data(), grads.Of(p.Tensor).Data()
		for i := range d {
			d[i] -= rate * g[i]
		}
	}
}

func noiseLoss(t *testing.T, prediction string, gamma float64) *NoiseLoss {
	t.Helper()
	sc, err := ParseScheduler([]byte(`{"prediction_type": "`+prediction+`"}`), "DDIMScheduler")
	require.NoError(t, err)
	return &NoiseLoss{Scheduler: sc, Gamma: gamma}
}
