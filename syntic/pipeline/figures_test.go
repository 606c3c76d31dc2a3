package pipeline

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/clip"
	"syntic/syntic"
	"syntic/tensor"
)

// plainUnit is a row at unit length.
func plainUnit(x []float32) []float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	out := make([]float64, len(x))
	for d, v := range x {
		out[d] = float64(v) / math.Sqrt(sum)
	}
	return out
}

func plainRows(x []float32, e int) (out [][]float64) {
	for i := 0; i < len(x); i += e {
		out = append(out, plainUnit(x[i:i+e]))
	}
	return out
}

func plainDot(a, b []float64) (sum float64) {
	for d := range a {
		sum += a[d] * b[d]
	}
	return sum
}

// plainGap is the distance of the means of rows.
func plainGap(a, b [][]float64) float64 {
	sum := 0.0
	for d := range a[0] {
		diff := 0.0
		for i := range a {
			diff += a[i][d] / float64(len(a))
		}
		for i := range b {
			diff -= b[i][d] / float64(len(b))
		}
		sum += diff * diff
	}
	return math.Sqrt(sum)
}

func plainCosine(a, b [][]float64, shift int) float64 {
	sum := 0.0
	for i := range a {
		sum += plainDot(a[i], b[(i+shift)%len(b)]) / float64(len(a))
	}
	return sum
}

// plainProjection is the softmax over all texts but one of a unit row, its weights falling, and the blend at unit length.
func plainProjection(v []float64, texts [][]float64, except int, tau float64) (weights, blend []float64) {
	sum := 0.0
	blend = make([]float64, len(v))
	for i, text := range texts {
		if i == except {
			continue
		}
		w := math.Exp(plainDot(v, text) / tau)
		sum, weights = sum+w, append(weights, w)
		for d := range blend {
			blend[d] += w * text[d]
		}
	}
	for i := range weights {
		weights[i] /= sum
	}
	sort.Sort(sort.Reverse(sort.Float64Slice(weights)))
	norm := math.Sqrt(plainDot(blend, blend))
	for d := range blend {
		blend[d] /= norm
	}
	return weights, blend
}

// TestFigureNumbers holds the numbers of the figures against plain loops over what the stages made.
func TestFigureNumbers(t *testing.T) {
	dir, r := t.TempDir(), tiny(t, "memory.temperature=0.1")
	run := do(t, dir, r)
	w := &work{dev: tensor.CPU(), r: r}
	defer w.close()
	require.NoError(t, w.open())
	l, p, err := Job{Device: tensor.CPU(), Dir: dir, Recipe: r}.plan(w, filepath.Join(dir, "models"))
	require.NoError(t, err)
	textRows, e, err := textFeatures(p, mainCorpus)
	require.NoError(t, err)
	pairs, _, err := pairFeatures(p, l.first.key.pairs(0))
	require.NoError(t, err)
	tests, _, err := testFeatures(p, testIn)
	require.NoError(t, err)
	var refined []float32
	require.NoError(t, read(p, l.first.refined(), func(x *syntic.Refined) { refined = x.Features }))
	var first []string
	require.NoError(t, read(p, testIn, func(x *Tests) {
		for _, refs := range x.References {
			first = append(first, refs[0])
		}
	}))
	enc, err := w.encoder()
	require.NoError(t, err)
	encoded, err := clip.EncodeTexts(t.Context(), enc.Model, enc.tok, first, 3, nil)
	require.NoError(t, err)
	texts, references := plainRows(textRows, e), plainRows(encoded, e)

	var atTest, inTraining [][]float64
	spread := map[string][2]float64{}
	for i, v := range plainRows(tests, e) {
		weights, blend := plainProjection(v, texts, -1, 0.1)
		atTest = append(atTest, blend)
		ten, entropy := 0.0, 0.0
		for k, x := range weights {
			if entropy -= x * math.Log(x); k < 10 {
				ten += x
			}
		}
		spread[string(w.sets[testIn].id(i))] = [2]float64{ten, math.Exp(entropy)}
	}
	for i, v := range plainRows(refined, e) {
		except := -1
		if r.Memory.ExcludeSelf {
			except = i
		}
		_, blend := plainProjection(v, texts, except, 0.1)
		inTraining = append(inTraining, blend)
	}
	kinds := map[string][][]float64{realImages: plainRows(tests, e), syntheticImages: plainRows(pairs, e), ownTexts: texts, refinedImages: plainRows(refined, e),
		projectedSynthetic: inTraining, projectedReal: atTest}

	n := run.Figures
	require.Len(t, n.Features, len(kinds))
	for _, k := range n.Features {
		want := kinds[k.Name]
		require.Len(t, want, k.Count, k.Name)
		require.InDelta(t, plainGap(want, texts), k.Gap, 1e-5, k.Name)
	}
	require.Len(t, n.Cosines, 5)
	for _, c := range n.Cosines {
		own := texts
		if c.kind == realImages || c.kind == projectedReal {
			own = references
		}
		require.InDelta(t, plainCosine(kinds[c.kind], own, 0), c.Own, 1e-5, c.Name)
		require.InDelta(t, plainCosine(kinds[c.kind], own, 1), c.Other, 1e-5, c.Name)
	}
	require.Equal(t, 24, n.Weights.Rows)
	require.Len(t, n.Weights.Images, 10)
	mean := [2]float64{}
	for _, s := range n.Weights.Images {
		want := spread[string(s.Image)]
		require.InDelta(t, want[0], s.First, 1e-5)
		require.InDelta(t, want[1], s.Effective, 1e-4)
		mean[0], mean[1] = mean[0]+want[0]/10, mean[1]+want[1]/10
	}
	require.InDelta(t, mean[0], n.Weights.First, 1e-5)
	require.InDelta(t, mean[1], n.Weights.Effective, 1e-4)

	var written struct {
		Figures *Figures `json:"figures"`
	}
	text, err := os.ReadFile(filepath.Join(dir, "results.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &written))
	require.Equal(t, n.PCA, written.Figures.PCA)
	require.Equal(t, n.Weights.Effective, written.Figures.Weights.Effective)
	require.Equal(t, n.Cosines[0].Own, written.Figures.Cosines[0].Own)
}

// TestFailures holds the images of the section of failures against the scores of all.
func TestFailures(t *testing.T) {
	dir := t.TempDir()
	run := do(t, dir, tiny(t, "data.test_count=60", "shards.images=100"))
	score := run.Results[0].report.PerImage["CIDEr"]
	page, err := os.ReadFile(run.Report)
	require.NoError(t, err)
	_, part, ok := strings.Cut(string(page), `<section id="failures">`)
	require.True(t, ok)
	part, _, _ = strings.Cut(part, "</section>")
	require.Equal(t, failedImages, strings.Count(part, "<article>"))
	require.Contains(t, part, "of all 60")
	require.Equal(t, failedImages, strings.Count(part, "data:image/png"), "also those of which the stage kept no picture")
	var want, got []string
	taken := map[int]bool{}
	for range failedImages {
		worst := -1
		for i := range score {
			if !taken[i] && (worst < 0 || score[i] < score[worst]) {
				worst = i
			}
		}
		taken[worst] = true
		want = append(want, fmt.Sprint(worst+1))
	}
	for _, found := range regexp.MustCompile(`image (\d+), CIDEr-D`).FindAllStringSubmatch(part, -1) {
		got = append(got, found[1])
	}
	require.Equal(t, want, got)
}
