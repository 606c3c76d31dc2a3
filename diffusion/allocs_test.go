package diffusion

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestStepsAllocateNothing: in a scope that begins anew for each call, steps of the UNet, with one text for all and with texts that are repeated, and decoding
// leave nothing to the collector.
func TestStepsAllocateNothing(t *testing.T) {
	u, v, outer := loadUNet(t), loadVAE(t), newScope(t)
	in, latents := openGolden(t, "sd/golden/unet.inputs.safetensors"), openGolden(t, "sd/golden/vae.inputs.safetensors")
	x, hidden, z := in.image(outer, "sample"), in.tensor(outer, "encoder_hidden_states"), latents.image(outer, "latent")
	text, one, times := u.Context(outer, hidden), u.Context(outer, outer.Slice(hidden, 0, 0, 1)), []float64{801}
	guided := &steps{u: u, text: text, sin: u.sinusoids(outer, []float64{801, 401}), guidance: 7.5}
	half := outer.Slice(x, 0, 0, 1)
	s := newScope(t)
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection takes spare work spaces away
	for name, call := range map[string]func(){
		"step":      func() { u.Forward(s, x, times, text) },
		"one text":  func() { u.Forward(s, x, times, one) },
		"guided":    func() { guided.call(s, half, 1) },
		"decode":    func() { v.Decode(s, z) },
		"inference": func() { Pixels(s, v.Decode(s, v.Unscale(s, z))) },
	} {
		for range 3 { // memory of all sizes, and headers, are made
			s.Reset()
			call()
		}
		got := testing.AllocsPerRun(12, func() {
			s.Reset()
			call()
		})
		require.Zero(t, got, name)
	}
}
