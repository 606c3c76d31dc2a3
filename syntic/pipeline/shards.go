package pipeline

import (
	"bytes"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"syntic/clip/pixels"
	"syntic/syntic"
	"syntic/syntic/detr"
	"syntic/syntic/plan"
)

// Pairs is a shard of synthetic pairs: for each caption the features of an image, and what was found in it.
type Pairs struct {
	Features []float32            // [n, E]
	Found    [][]syntic.Detection // [n]
	Patches  []float32            // [n, P, E]; or nil
	PNG      [][]byte             // of the kept images, by place in the shard; nil elsewhere
}

// Tests is a shard of test images.
type Tests struct {
	Features   []float32
	Patches    []float32 // [n, P, E]; or nil
	Found      [][]syntic.Detection
	Boxes      [][]Box // of what was found, for the first of a run
	References [][]string
	PNG        [][]byte // of the images that the report shows
}

// Box is a detection in pixels.
type Box struct {
	X0    float64 `json:"x0"`
	Y0    float64 `json:"y0"`
	X1    float64 `json:"x1"`
	Y1    float64 `json:"y1"`
	Tag   string  `json:"tag"`
	Score float64 `json:"score"`
}

func encode(w io.Writer, v any) error { return gob.NewEncoder(w).Encode(v) }

// read reads all shards of a stage and hands them to add in order.
func read[T any](p *plan.Pipeline, stage string, add func(*T)) error {
	for i := range p.Stage(stage).Shards() {
		data, err := p.Read(stage, i)
		if err != nil {
			return err
		}
		v := new(T)
		if err := gob.NewDecoder(bytes.NewReader(data)).Decode(v); err != nil {
			return fmt.Errorf("stage %s, shard %d: %w", stage, i, err)
		}
		add(v)
	}
	return nil
}

// textFeatures are those of a corpus, [N, e].
func textFeatures(in *plan.Pipeline, corpus string) (features []float32, e int, err error) {
	stage := textsOf(corpus)
	err = read(in, stage, func(part *[]float32) { features = append(features, *part...) })
	return features, len(features) / in.Stage(stage).Items, err
}

// pairFeatures are those of the synthetic images of a stage, [N, E], before refinement, and what was found in them.
func pairFeatures(in *plan.Pipeline, stage string) (features []float32, found [][]syntic.Detection, err error) {
	err = read(in, stage, func(p *Pairs) { features, found = append(features, p.Features...), append(found, p.Found...) })
	return features, found, err
}

// pairPatches are those of the synthetic images of a stage, [N, P, E].
func pairPatches(in *plan.Pipeline, stage string) (patches []float32, err error) {
	err = read(in, stage, func(p *Pairs) { patches = append(patches, p.Patches...) })
	return patches, err
}

// testPatches are those of a set of test images, [N, P, E].
func testPatches(in *plan.Pipeline, set string) (patches []float32, err error) {
	err = read(in, set, func(t *Tests) { patches = append(patches, t.Patches...) })
	return patches, err
}

// testFeatures are those of a set of test images, [N, E], and what was found in them.
func testFeatures(in *plan.Pipeline, set string) (features []float32, found [][]syntic.Detection, err error) {
	err = read(in, set, func(t *Tests) { features, found = append(features, t.Features...), append(found, t.Found...) })
	return features, found, err
}

func readTrained(in *plan.Pipeline, key rowKey) (t *Trained, err error) {
	err = read(in, key.String(), func(x *Trained) { t = x })
	return t, err
}

func tagged(found [][]detr.Detection) [][]syntic.Detection {
	out := make([][]syntic.Detection, len(found))
	for i, f := range found {
		for _, d := range f {
			out[i] = append(out[i], syntic.Detection{Tag: d.Name, Score: float64(d.Score)})
		}
	}
	return out
}

func boxes(found []detr.Detection) (out []Box) {
	for _, d := range found {
		b := d.Box
		out = append(out, Box{float64(b[0]), float64(b[1]), float64(b[2]), float64(b[3]), d.Name, float64(d.Score)})
	}
	return out
}

// pngIf is the PNG of an image that is kept, nil of one that is not.
func pngIf(keep bool, im *pixels.Image) ([]byte, error) {
	if !keep {
		return nil, nil
	}
	return EncodePNG(im)
}

func hashTexts(texts []string) string {
	h := sha256.New()
	for _, t := range texts {
		fmt.Fprintf(h, "%d %s\n", len(t), t)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func prompted(texts []string, prompt string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = strings.ReplaceAll(prompt, "{text}", t)
	}
	return out
}
