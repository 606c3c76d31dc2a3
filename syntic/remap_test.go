package syntic

import (
	"cmp"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/syntic/config"
	"syntic/tensor"
)

// remapLoop is Remap in plain loops in float64.
func remapLoop(images, texts, sentences []float32, e, size int, o config.Remap) (image, caption []int32) {
	n, m := len(texts)/e, len(images)/e
	row := func(x []float32, i, w int) []float32 { return x[i*w : (i+1)*w] }
	near := func(count, k int, sim func(i int) float64) []int {
		all := make([]int, count)
		for i := range all {
			all[i] = i
		}
		slices.SortStableFunc(all, func(a, b int) int {
			return cmp.Compare(sim(b), sim(a))
		})
		return all[:k]
	}
	score := make([]float64, n)
	best := make([]int32, n)
	for c := range n {
		score[c] = math.Inf(-1)
		for _, i := range near(m, o.TopK, func(i int) float64 { return cosine(row(images, i, e), row(texts, c, e)) }) {
			for _, r := range near(n, o.Captions, func(r int) float64 { return cosine(row(images, i, e), row(texts, r, e)) }) {
				if s := cosine(row(sentences, r, size), row(sentences, c, size)); s > score[c]+1e-12 {
					score[c], best[c] = s, int32(i)
				}
			}
		}
	}
	for _, c := range near(n, int(math.Ceil(o.Keep*float64(n))), func(c int) float64 { return math.Round(score[c] * 1e9) }) {
		image, caption = append(image, best[c]), append(caption, int32(c))
	}
	return image, caption
}

func TestRemapIsALoop(t *testing.T) {
	const n, m, e, size = 23, 31, 12, 5
	images, texts, sentences := random(1, m, e), random(2, n, e), random(3, n, size)
	for _, o := range []config.Remap{{TopK: 4, Captions: 2, Keep: 1}, {TopK: 1, Captions: 3, Keep: 0.6}, {TopK: 31, Captions: 1, Keep: 0.3}} {
		got, err := Remap(ctx, tensor.CPU(), images, texts, e, sentences, o, nil)
		require.NoError(t, err)
		image, caption := remapLoop(images, texts, sentences, e, size, o)
		own, want := map[int32]int32{}, map[int32]int32{}
		for i := range image {
			own[got.Caption[i]], want[caption[i]] = got.Image[i], image[i]
		}
		assert.Equal(t, want, own, "%+v", o)
		assert.Len(t, got.Score, Kept(n, o.Keep))
		assert.True(t, slices.IsSortedFunc(got.Score, func(a, b float64) int { return cmp.Compare(b, a) }))
	}
	more := config.Remap{TopK: 99, Captions: 99, Keep: 0.5} // than there are
	_, err := Remap(ctx, tensor.CPU(), images, texts, e, sentences, more, nil)
	require.NoError(t, err)
	_, err = Remap(ctx, tensor.CPU(), images, texts, e, sentences[:size], more, nil)
	assert.ErrorContains(t, err, "remap: 5 numbers of sentences for 23 texts")
	assert.Equal(t, []int{1, 9, 10}, []int{Kept(10, 0.01), Kept(10, 0.9), Kept(10, 1)})
}

func TestGapMovesMomentsOver(t *testing.T) {
	const n, e = 400, 6
	from, to := random(1, n, e), random(2, n, e)
	for i := range from { // away from the origin, so that unit length changes little
		from[i] = 4 + 0.3*from[i]
		to[i] = 2*float32(i%e) + 0.1*to[i]
	}
	for _, spread := range []bool{true, false} {
		g, err := NewGap(from, to, e, spread)
		require.NoError(t, err)
		meanTo, stdTo, err := moments(to, e)
		require.NoError(t, err)
		meanFrom, stdFrom, err := moments(from, e)
		require.NoError(t, err)
		got := g.Correct(from)
		for i := range n {
			x, norm := unit(from[i*e:(i+1)*e]), 0.0
			want := make([]float64, e)
			for d := range want {
				scale := 1.0
				if spread {
					scale = stdTo[d] / stdFrom[d]
				}
				want[d] = (float64(x[d])-meanFrom[d])*scale + meanTo[d]
				norm += want[d] * want[d]
			}
			for d := range want {
				require.InDelta(t, want[d]/math.Sqrt(norm), got[i*e+d], 1e-5)
			}
		}
		mean, std, err := moments(got, e)
		require.NoError(t, err)
		for d := range mean {
			assert.InDelta(t, meanTo[d], mean[d], 0.01)
			if spread {
				assert.InDelta(t, stdTo[d], std[d], 0.01)
			}
		}
		path := filepath.Join(t.TempDir(), "gap.safetensors")
		require.NoError(t, g.Save(path))
		again, err := LoadGap(path, e)
		require.NoError(t, err)
		assert.Equal(t, g, again)
		_, err = LoadGap(path, e+1)
		assert.ErrorContains(t, err, "[7]")
	}
	assert.Equal(t, from, (*Gap)(nil).Correct(from))
	_, err := NewGap(from[:e], to, e, true)
	assert.ErrorContains(t, err, "gap: from: 1 features: want 2 or more")
}
