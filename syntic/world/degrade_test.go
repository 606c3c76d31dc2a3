package world

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func rms(a, b []uint8) float64 {
	var s float64
	for i := range a {
		e := float64(a[i]) - float64(b[i])
		s += e * e
	}
	return math.Sqrt(s / float64(len(a)))
}

func TestDegrade(t *testing.T) {
	var g Degrader
	sc := Sample(Photo, Web, 1, 4)
	src := make([]uint8, PixelBytes)
	require.NoError(t, (&Renderer{Clean: true}).Render(&sc, src))
	apply := func(d Degradation, seed uint64, pix []uint8) []uint8 {
		out := append([]uint8{}, pix...)
		require.NoError(t, g.Apply(d, seed, out))
		return out
	}
	same := Degradation{Scale: Side, Gain: 1}
	assert.Equal(t, src, apply(same, 1, src))

	flat := make([]uint8, PixelBytes)
	for i := range flat {
		flat[i] = uint8(100 + i%3)
	}
	for scale := 8; scale <= Side; scale++ { // an even picture stays as it is at any scale and blur
		assert.Equal(t, flat, apply(Degradation{Scale: scale, Gain: 1, Blur: scale % 4}, 1, flat), "scale %d", scale)
	}
	assert.InDelta(t, 8, rms(flat, apply(Degradation{Scale: Side, Gain: 1, Noise: 8}, 1, flat)), .3)
	assert.NotEqual(t, apply(Degradation{Scale: Side, Gain: 1, Noise: 8}, 1, flat), apply(Degradation{Scale: Side, Gain: 1, Noise: 8}, 2, flat))
	contrast := apply(Degradation{Scale: Side, Gain: .5}, 1, src)
	assert.InDelta(t, 128+(float64(src[0])-128)/2, float64(contrast[0]), 1)

	// A linear slope survives shrinking and growing away from the borders: no shift of half a pixel.
	slope := make([]uint8, PixelBytes)
	for i := range slope {
		slope[i] = uint8(i / 3 % Side * 3)
	}
	half := apply(Degradation{Scale: 32, Gain: 1}, 1, slope)
	for x := 2; x < Side-2; x++ {
		assert.InDelta(t, float64(slope[x*3]), float64(half[x*3]), 1, "column %d", x)
	}
	// More of it is worse.
	assert.Less(t, rms(src, apply(Degradation{Scale: 48, Gain: 1}, 1, src)), rms(src, apply(Degradation{Scale: 16, Gain: 1}, 1, src)))
	assert.Less(t, rms(src, apply(Degradation{Scale: Side, Gain: 1, Blur: 1}, 1, src)), rms(src, apply(Degradation{Scale: Side, Gain: 1, Blur: 4}, 1, src)))

	untouched := 0
	for seed := range uint64(200) {
		a, b := append([]uint8{}, src...), append([]uint8{}, src...)
		require.NoError(t, g.Degrade(seed, a))
		require.NoError(t, new(Degrader).Degrade(seed, b))
		require.Equal(t, a, b)
		if rms(a, src) == 0 {
			untouched++
		}
	}
	assert.InDelta(t, 55, untouched, 25)

	for _, bad := range []Degradation{{Blur: -1, Scale: 64, Gain: 1}, {Scale: 7, Gain: 1}, {Scale: 65, Gain: 1}, {Scale: 64}, {Scale: 64, Gain: math.NaN()}, {Scale: 64, Gain: 1, Noise: -1}} {
		pix := append([]uint8{}, src...)
		assert.Error(t, g.Apply(bad, 1, pix))
		assert.Equal(t, src, pix)
	}
	assert.Error(t, g.Apply(same, 1, src[:3]))
}

func BenchmarkDegrade(b *testing.B) {
	var g Degrader
	pix := make([]uint8, PixelBytes)
	b.ReportAllocs()
	for b.Loop() {
		if err := g.Apply(Degradation{Blur: 2, Scale: 40, Gain: 1.1, Noise: 5}, 1, pix); err != nil {
			b.Fatal(err)
		}
	}
}
