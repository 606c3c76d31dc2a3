package syntic

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"syntic/syntic/config"
	"syntic/syntic/plan"
	"syntic/tensor"
)

// Remapped are pairs of an image and a caption, by number, the best score first.
type Remapped struct {
	Image, Caption []int32
	Score          []float64
}

// Remap gives captions other images than those that were made of them (SynC, Kim et al. 2025). Candidates for a caption are the TopK images most like
// it; a candidate's score is how like the caption the most similar of the Captions texts is that the image itself is most like (the cycle); the
// best candidate is taken, of equal ones the more similar. Of all pairs the share Keep with the highest scores stays; of equal ones those of earlier
// captions. Images may come more than once or not at all. images [M, E] and texts [N, E] are CLIP's features. Captions are compared by sentences,
// features [N, S] of a sentence encoder; SynC's is an SBERT. Where there is none, pass texts.
func Remap(ctx context.Context, dev *tensor.Device, images, texts []float32, e int, sentences []float32, o config.Remap, progress plan.Progress) (*Remapped, error) {
	all, err := NewMemory(dev, images, e)
	if err != nil {
		return nil, fmt.Errorf("remap: images: %w", err)
	}
	defer all.Release()
	captions, err := NewMemory(dev, texts, e)
	if err != nil {
		return nil, fmt.Errorf("remap: texts: %w", err)
	}
	defer captions.Release()
	n := captions.Size()
	size := len(sentences) / n
	if rows, err := rowsOf(sentences, max(size, 1)); err != nil || rows != n {
		return nil, fmt.Errorf("remap: %d numbers of sentences for %d texts: want as many features", len(sentences), n)
	}
	k, back := min(o.TopK, all.Size()), min(o.Captions, n)
	_, candidates, err := all.Neighbours(ctx, texts, nil, k, progress)
	if err != nil {
		return nil, fmt.Errorf("remap: %w", err)
	}
	_, retrieved, err := captions.Neighbours(ctx, images, nil, back, nil)
	if err != nil {
		return nil, fmt.Errorf("remap: %w", err)
	}
	units := make([]float32, 0, len(sentences))
	for i := range n {
		units = append(units, unit(sentences[i*size:(i+1)*size])...)
	}
	out := &Remapped{}
	for c := range n {
		best, score := int32(-1), math.Inf(-1)
		for _, image := range candidates[c*k : (c+1)*k] { // most similar first
			for _, r := range retrieved[int(image)*back : (int(image)+1)*back] {
				s := 1.0 // of a caption with itself, whatever rounding makes of it
				if int(r) != c {
					s = min(1, dot(units[c*size:(c+1)*size], units[int(r)*size:(int(r)+1)*size]))
				}
				if s > score {
					best, score = image, s
				}
			}
		}
		out.Image, out.Caption, out.Score = append(out.Image, best), append(out.Caption, int32(c)), append(out.Score, score)
	}
	return out.best(Kept(n, o.Keep)), nil
}

// Kept is how many of n pairs the share keep is, at least one.
func Kept(n int, keep float64) int { return max(1, int(math.Ceil(keep*float64(n)-1e-9))) }

// Weights are how much captions count by the cosines of their images [N, E] with them [N, E]: scale · cosine, held between 0 and 1 (PCM-Net, Luo et
// al. 2024; its own scale is 2.5 for ViT-B/32, 4 for ViT-L/14).
func Weights(images, texts []float32, e int, scale float64) []float32 {
	out := make([]float32, len(images)/e)
	for i := range out {
		out[i] = float32(min(1, max(0, scale*similarity(images[i*e:(i+1)*e], texts[i*e:(i+1)*e]))))
	}
	return out
}

// best are the keep pairs of the highest scores.
func (r *Remapped) best(keep int) *Remapped {
	order := make([]int, len(r.Score))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(r.Score[b], r.Score[a]) })
	out := &Remapped{}
	for _, i := range order[:min(keep, len(order))] {
		out.Image, out.Caption, out.Score = append(out.Image, r.Image[i]), append(out.Caption, r.Caption[i]), append(out.Score, r.Score[i])
	}
	return out
}

func dot(a, b []float32) (sum float64) {
	for d, x := range a {
		sum += float64(x) * float64(b[d])
	}
	return sum
}
