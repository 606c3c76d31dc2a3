package syntic

import (
	"context"
	"math"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/syntic/config"
	"syntic/tensor"
)

// pairs are texts and images that lie near their text, off by a common offset and noise.
func pairs(n, e int) (images, texts []float32) {
	texts, noise, gap := random(5, n, e), random(6, n, e), random(7, 1, e)
	images = make([]float32, n*e)
	for i := range images {
		images[i] = 0.4*texts[i] + noise[i] + 0.5*gap[i%e]
	}
	return images, texts
}

func TestRefineFindsOwnTexts(t *testing.T) {
	const n, e = 75, 32
	images, texts := pairs(n, e)
	base := config.Refine{Direction: "image_to_text", Temperature: 0.05, Optimiser: "adam", LR: 0.02, Steps: 10, Batch: 32, Negatives: "batch"}
	for _, change := range []func(*config.Refine){
		func(*config.Refine) {},
		func(o *config.Refine) { o.Direction = "text_to_image" },
		func(o *config.Refine) { o.Direction = "both" },
		func(o *config.Refine) { o.Negatives = "memory" },
		func(o *config.Refine) { o.Negatives, o.Direction = "memory", "both" },
		func(o *config.Refine) { o.Optimiser, o.LR = "gd", 0.01 },
		func(o *config.Refine) { o.Optimiser, o.LR, o.Momentum = "momentum", 0.004, 0.5 },
	} {
		o := base
		change(&o)
		r, err := Refine(ctx, tensor.CPU(), images, texts, e, o, 3, nil)
		require.NoError(t, err)
		require.Len(t, r.Loss, o.Steps+1)
		for i := 1; i < len(r.Loss); i++ {
			assert.Less(t, r.Loss[i], r.Loss[i-1], "%+v step %d", o, i)
		}
		assert.Less(t, r.Before, 0.9)
		assert.Greater(t, r.After, r.Before, "%+v", o)
		assert.Greater(t, r.CosineAfter, r.CosineBefore, "%+v", o)
		for i := range n {
			assert.InDelta(t, 1, cosine(r.Features[i*e:(i+1)*e], unit(r.Features[i*e:(i+1)*e])), 1e-6)
			sum := 0.0
			for _, x := range r.Features[i*e : (i+1)*e] {
				sum += float64(x) * float64(x)
			}
			require.InDelta(t, 1, sum, 1e-5)
		}
	}
}

func TestRefineStepIsTheEquation(t *testing.T) {
	const n, e, tau, lr = 5, 12, 0.2, 0.05
	images, texts := pairs(n, e)
	o := config.Refine{Direction: "image_to_text", Temperature: tau, Optimiser: "gd", LR: lr, Steps: 1, Batch: n, Negatives: "batch"}
	r, err := Refine(ctx, tensor.CPU(), images, texts, e, o, 3, nil)
	require.NoError(t, err)
	total := 0.0
	for i := range n {
		x := unit(images[i*e : (i+1)*e])
		loss := func(x []float64) float64 { // of the direction of x
			norm, sum, own := 0.0, 0.0, 0.0
			for _, v := range x {
				norm += v * v
			}
			for j := range n {
				dot := 0.0
				for d, m := range unit(texts[j*e : (j+1)*e]) {
					dot += x[d] * float64(m) / math.Sqrt(norm)
				}
				sum += math.Exp(dot / tau)
				if j == i {
					own = dot / tau
				}
			}
			return math.Log(sum) - own
		}
		at := make([]float64, e)
		for d := range at {
			at[d] = float64(x[d])
		}
		total += loss(at)
		moved := make([]float32, e)
		for d := range at {
			const h = 1e-5
			old := at[d]
			at[d] = old + h
			up := loss(at)
			at[d] = old - h
			down := loss(at)
			at[d] = old
			moved[d] = float32(old - lr*(up-down)/(2*h))
		}
		for d, want := range unit(moved) {
			require.InDelta(t, want, r.Features[i*e+d], 2e-5, "item %d", i)
		}
	}
	assert.InDelta(t, total/n, r.Loss[0], 1e-5)
}

// refineLoop is gradient descent with momentum in float64, on the exact gradient of the image → text loss on the sphere.
func refineLoop(x, t [][]float64, tau, lr, momentum float64, steps int) {
	v := make([][]float64, len(x))
	dot := func(a, b []float64) (s float64) {
		for d := range a {
			s += a[d] * b[d]
		}
		return s
	}
	for range steps {
		for i := range x {
			sum, p := 0.0, make([]float64, len(t))
			for j := range t {
				p[j] = math.Exp(dot(x[i], t[j]) / tau)
				sum += p[j]
			}
			g := make([]float64, len(x[i]))
			for j := range t {
				w := p[j] / sum / tau
				if i == j {
					w -= 1 / tau
				}
				for d := range g {
					g[d] += w * t[j][d]
				}
			}
			if v[i] == nil {
				v[i] = make([]float64, len(g))
			}
			along := dot(g, x[i])
			for d := range g {
				v[i][d] = momentum*v[i][d] + g[d] - along*x[i][d]
			}
			for d := range g {
				x[i][d] -= lr * v[i][d]
			}
			norm := math.Sqrt(dot(x[i], x[i]))
			for d := range g {
				x[i][d] /= norm
			}
		}
	}
}

func wide(rows []float32, e int) (out [][]float64) {
	for i := range len(rows) / e {
		row := make([]float64, e)
		for d, x := range unit(rows[i*e : (i+1)*e]) {
			row[d] = float64(x)
		}
		out = append(out, row)
	}
	return out
}

func TestRefineWithMomentumIsALoop(t *testing.T) {
	const n, e, tau, lr, momentum, steps = 6, 10, 0.2, 0.02, 0.8, 7
	images, texts := pairs(n, e)
	for _, negatives := range []string{"batch", "memory"} { // one batch of all: the same texts
		o := config.Refine{Direction: "image_to_text", Temperature: tau, Optimiser: "momentum", Momentum: momentum, LR: lr, Steps: steps, Batch: n, Negatives: negatives}
		r, err := Refine(ctx, tensor.CPU(), images, texts, e, o, 3, nil)
		require.NoError(t, err)
		x := wide(images, e)
		refineLoop(x, wide(texts, e), tau, lr, momentum, steps)
		for i := range x {
			for d, want := range x[i] {
				require.InDelta(t, want, r.Features[i*e+d], 1e-5, "%s, item %d", negatives, i)
			}
		}
		assert.Equal(t, float64(steps), r.Steps)
	}
}

func TestRefineEndsEarly(t *testing.T) {
	const n, e = 75, 32
	images, texts := pairs(n, e)
	base := config.Refine{Direction: "image_to_text", Temperature: 0.05, Optimiser: "adam", LR: 0.02, Steps: 200, Batch: 32, Negatives: "batch", Patience: 5}
	for _, negatives := range []string{"batch", "memory"} {
		o := base
		o.Negatives, o.StopRecall = negatives, 0.9
		r, err := Refine(ctx, tensor.CPU(), images, texts, e, o, 3, nil)
		require.NoError(t, err)
		assert.Less(t, r.Steps, 50.0)
		require.Len(t, r.Recall, 201)
		assert.Less(t, r.Recall[0], 0.9)
		assert.GreaterOrEqual(t, r.Recall[200], 0.9)
		shorter := base // as many steps as the slowest batch took, and no early end: no item is further than there
		shorter.Negatives, shorter.Steps = negatives, 0
		for shorter.Steps < 200 && r.Loss[shorter.Steps] != r.Loss[200] {
			shorter.Steps++
		}
		all, err := Refine(ctx, tensor.CPU(), images, texts, e, shorter, 3, nil)
		require.NoError(t, err)
		same := 0
		for i := range n {
			if assert.ObjectsAreEqual(all.Features[i*e:(i+1)*e], r.Features[i*e:(i+1)*e]) {
				same++
			}
		}
		assert.GreaterOrEqual(t, same, 25, "the batch that went on longest is where it would be")
		assert.Equal(t, negatives == "memory", all.Recall == nil)
	}
	o := base
	o.StopPlateau = 0.05
	r, err := Refine(ctx, tensor.CPU(), images, texts, e, o, 3, nil)
	require.NoError(t, err)
	assert.Greater(t, r.Steps, 5.0)
	assert.Less(t, r.Steps, 100.0)
	assert.Equal(t, r.Loss[199], r.Loss[200])
}

// withProcs runs fn with 1, 2 and 8 processors.
func withProcs(t *testing.T, fn func(procs int)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 2, 8} {
		runtime.GOMAXPROCS(procs)
		fn(procs)
	}
}

func TestRefineSameBitsForAnyProcessors(t *testing.T) {
	images, texts := pairs(200, 48)
	o := config.Refine{Direction: "both", Temperature: 0.05, Optimiser: "adam", LR: 0.01, Steps: 3, Batch: 128, Negatives: "memory"}
	var first *Refined
	withProcs(t, func(procs int) {
		r, err := Refine(ctx, tensor.CPU(), images, texts, 48, o, 1, nil)
		require.NoError(t, err)
		if first == nil {
			first = r
		}
		assert.Equal(t, first, r, "%d processors", procs)
	})
	other, err := Refine(ctx, tensor.CPU(), images, texts, 48, o, 2, nil)
	require.NoError(t, err)
	assert.NotEqual(t, first.Features, other.Features, "another seed deals other batches")
}

func TestRefineRefuses(t *testing.T) {
	images, texts := pairs(4, 8)
	o := config.Refine{Direction: "both", Temperature: 0.05, Optimiser: "adam", LR: 0.01, Steps: 3, Batch: 2, Negatives: "batch"}
	_, err := Refine(ctx, tensor.CPU(), images, texts[:16], 8, o, 1, nil)
	assert.EqualError(t, err, "refine: 4 images, 2 texts: want a text an image, at least one")
	_, err = Refine(ctx, tensor.CPU(), make([]float32, 32), texts, 8, o, 1, nil)
	assert.ErrorContains(t, err, "refine: images: feature 0: its length is 0")
	texts[9] = float32(math.NaN())
	_, err = Refine(ctx, tensor.CPU(), images, texts, 8, o, 1, nil)
	assert.ErrorContains(t, err, "refine: texts: feature 1")
	texts[9] = 1
	_, err = Refine(ctx, tensor.CPU(), images, texts, 8, config.Refine{}, 1, nil)
	assert.ErrorContains(t, err, "want a batch of at least 2")
	bad := o
	bad.StopPlateau, bad.Patience = 0.1, 0
	_, err = Refine(ctx, tensor.CPU(), images, texts, 8, bad, 1, nil)
	assert.ErrorContains(t, err, "with a plateau a patience of 1 or more")
	stop, cancel := context.WithCancel(ctx)
	cancel()
	_, err = Refine(stop, tensor.CPU(), images, texts, 8, o, 1, nil)
	assert.ErrorIs(t, err, context.Canceled)
}
