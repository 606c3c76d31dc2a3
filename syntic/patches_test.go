package syntic

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/syntic/config"
	"syntic/tensor"
)

// mixedLoop is Mixed in plain loops in float64: cells taken one by one, the largest that is left.
func mixedLoop(patches, tags []float32, e int, o config.Patches) (chosen map[int][]float64) {
	p, t := len(patches)/e, len(tags)/e
	row := func(x []float32, i int) []float32 { return x[i*e : (i+1)*e] }
	taken := map[[2]int]bool{}
	chosen = map[int][]float64{}
	for range o.Mix {
		best, at := math.Inf(-1), [2]int{}
		for i := range p {
			for j := range t {
				if s := cosine(row(patches, i), row(tags, j)); s > best && !taken[[2]int{i, j}] {
					best, at = s, [2]int{i, j}
				}
			}
		}
		taken[at] = true
		sum, blend := 0.0, make([]float64, e)
		for j := range t {
			w := math.Exp(cosine(row(patches, at[0]), row(tags, j)) / o.Temperature)
			sum += w
			for d, x := range unit(row(tags, j)) {
				blend[d] += w * float64(x)
			}
		}
		for d := range blend {
			blend[d] /= sum
		}
		chosen[at[0]] = blend
	}
	return chosen
}

func TestMixedPatchesAreALoop(t *testing.T) {
	const p, e = 9, 12
	patches, tags := random(1, p, e), random(2, 4, e)
	for _, o := range []config.Patches{{Mix: 5, Temperature: 0.1}, {Mix: 1, Temperature: 0.01}, {Mix: 36, Temperature: 1}} {
		chosen, blends := Mixed(patches, tags, e, o)
		want := mixedLoop(patches, tags, e, o)
		require.Len(t, chosen, len(want))
		for k, i := range chosen {
			require.Contains(t, want, i)
			for d, x := range want[i] {
				require.InDelta(t, x, blends[k*e+d], 1e-6)
			}
		}
	}
	o := config.Patches{Mix: 3, Temperature: 0.1}
	chosen, blends := Mixed(patches, tags, e, o)
	taught, seen := NewPatches(patches, tags, e, o, true), NewPatches(patches, tags, e, o, false)
	assert.Equal(t, []int{0}, taught.Used)
	assert.Equal(t, []int{len(chosen)}, seen.Used)
	assert.Equal(t, patches, seen.Features)
	assert.Equal(t, blends, seen.Behind[:len(blends)])
	count := 0
	for i, tagged := range taught.Tagged {
		want := patches[i*e : (i+1)*e]
		if tagged {
			want = blends[count*e : (count+1)*e]
			count++
		}
		assert.Equal(t, want, taught.Features[i*e:(i+1)*e])
	}
	assert.Equal(t, len(chosen), count)
}

// TestPatchesArePrefixTokens holds the prefix against its layers, and images together against images alone.
func TestPatchesArePrefixTokens(t *testing.T) {
	const n, p, m, c = 6, 5, 2, 32
	x, o := toy(n, 0), config.Patches{Mix: m, Temperature: 0.1}
	learn, see := &Patches{}, &Patches{}
	for i := range n {
		patches, tags := random(uint64(40+i), p, toyE), random(uint64(50+i), 3, toyE)
		learn.Append(NewPatches(patches, tags, toyE, o, true))
		see.Append(NewPatches(patches, tags, toyE, o, false))
	}
	see.Used[2] = 0
	sh := Shape{Features: toyE, Width: c, Layers: 2, Heads: 4, FFN: 64, Positions: 24, Layout: "tokens", Patches: p, Mixed: m}
	d, err := NewDecoder(tensor.CPU(), sh, NewVocabulary(x.Captions, toyEnd), 0.05, 7)
	require.NoError(t, err)
	defer d.Release()
	s := tensor.NewScope(tensor.CPU())
	defer s.Close()
	for _, about := range []*Patches{learn, see} {
		prefix, mask, err := d.embed(s, x.Features, &Context{Patches: about})
		require.NoError(t, err)
		require.Equal(t, []int{n, p + m + 1, c}, prefix.Shape())
		got := prefix.Float32s()
		for i := range n {
			for k := range p + m {
				layer, f := d.Prefix.Patches.Patch, about.Features
				at, seen := (i*p+k)*toyE, int32(1)
				if k >= p {
					layer, f, at = d.Prefix.Patches.Tag, about.Behind, (i*m+k-p)*toyE
					if k-p >= about.Used[i] {
						seen = 0
					}
				} else if about.Tagged[i*p+k] {
					layer = d.Prefix.Patches.Tag
				}
				assert.Equal(t, seen, mask[i*(p+m+1)+k])
				want := layer.Forward(s, s.FromFloat32s(f[at:at+toyE], 1, toyE)).Float32s()
				assert.InDeltaSlice(t, want, got[(i*(p+m+1)+k)*c:(i*(p+m+1)+k+1)*c], 1e-5)
			}
		}
	}
	x.Context = &Context{Patches: learn}
	_, err = d.Train(ctx, x, toyOptions(), nil)
	require.NoError(t, err)
	about := &Context{Patches: see}
	decode := config.Decode{Beams: 2, MaxTokens: 6, LengthPenalty: 1}
	all, err := d.Generate(ctx, x.Features, about, decode, nil)
	require.NoError(t, err)
	for i := range n {
		one, err := d.Generate(ctx, x.Features[i*toyE:(i+1)*toyE], about.Pick([]int{i}, toyE), decode, nil)
		require.NoError(t, err)
		for b := range one[0] {
			assert.Equal(t, all[i][b].Tokens, one[0][b].Tokens)
		}
	}
	see.Used[0] = m + 1
	_, err = d.Generate(ctx, x.Features, about, decode, nil)
	assert.ErrorContains(t, err, "image 0: 3 slots behind its patches: want 0 to 2")
	_, err = d.Generate(ctx, x.Features, nil, decode, nil)
	assert.ErrorContains(t, err, "patches of 6 images: want 5 each and 2 slots")
}
