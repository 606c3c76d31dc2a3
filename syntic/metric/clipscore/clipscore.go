// Package clipscore is CLIPScore and RefCLIPScore (Hessel et al. 2021, "CLIPScore: A Reference-free Evaluation Metric for Image
// Captioning") on CLIP features; clip.EncodeImages and clip.EncodeTexts make these. Published numbers are OpenAI's ViT-B/32.
package clipscore

import "fmt"

// Prompt goes before every caption, candidate and reference (section 3.1 and the authors' program).
const Prompt = "A photo depicts "

// Weight is w, which stretches the scores to about 0..1 (eq. 1).
const Weight = 2.5

// Score gives CLIPScore of each image [N]: w·max(cos(image, candidate), 0). images and cands are [N, dim], rows of unit length. It
// returns an error if the sizes disagree.
func Score(images, cands []float32, dim int) ([]float64, error) {
	if dim < 1 || len(images)%dim != 0 || len(images) != len(cands) {
		return nil, fmt.Errorf("clipscore: %d values of images, %d of candidates, %d a row: want as many rows of both", len(images), len(cands), dim)
	}
	out := make([]float64, len(images)/dim)
	for i := range out {
		out[i] = Weight * max(dot(images[i*dim:(i+1)*dim], cands[i*dim:(i+1)*dim]), 0)
	}
	return out, nil
}

// RefScore gives RefCLIPScore of each image [N]: the harmonic mean of its CLIPScore and of the largest cosine of the candidate with a
// reference, not less than 0 (eq. 2); 0 where one of them is. refs is [M, dim]; image i has the next counts[i] rows of it, one or
// more. It returns an error if the sizes disagree.
func RefScore(scores []float64, cands, refs []float32, counts []int, dim int) ([]float64, error) {
	total := 0
	for i, n := range counts {
		if n < 1 {
			return nil, fmt.Errorf("clipscore: image %d has no reference: want at least one", i)
		}
		total += n
	}
	if dim < 1 || len(cands) != len(scores)*dim || len(counts) != len(scores) || len(refs) != total*dim {
		return nil, fmt.Errorf("clipscore: %d scores, %d values of candidates, %d of references for %d, %d a row: the sizes disagree",
			len(scores), len(cands), len(refs), total, dim)
	}
	out := make([]float64, len(scores))
	row := 0
	for i, s := range scores {
		best := 0.0
		for range counts[i] {
			best = max(best, dot(cands[i*dim:(i+1)*dim], refs[row*dim:(row+1)*dim]))
			row++
		}
		if s > 0 && best > 0 {
			out[i] = 2 * s * best / (s + best)
		}
	}
	return out, nil
}

func dot(a, b []float32) float64 {
	sum := 0.0
	for i, x := range a {
		sum += float64(x) * float64(b[i])
	}
	return sum
}
