package syntic

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// TextEncoder turns texts into CLIP's features of them, [len(texts), E], of unit length.
type TextEncoder func(ctx context.Context, texts []string) ([]float32, error)

// rerank orders the beams of each image by how like the image their sentences are. v [N, E] are the images' own features, neither corrected nor
// projected. How "clip" takes the cosine alone, "fusion" the sum of a beam's rank in the search and its rank by cosine, both from 0 (fixed rank
// fusion of two frozen scorers, as in Adjudicated Captioning); of equal ones the beam that the search put first comes first.
func rerank(ctx context.Context, found [][]Hypothesis, v []float32, text Detokens, encode TextEncoder, how string) error {
	var texts []string
	place := map[string]int{}
	at := make([][]int, len(found))
	for i, beams := range found {
		for _, h := range beams {
			sentence := strings.TrimSpace(text.Decode(h.Tokens))
			if _, ok := place[sentence]; !ok {
				place[sentence] = len(texts)
				texts = append(texts, sentence)
			}
			at[i] = append(at[i], place[sentence])
		}
	}
	if len(texts) == 0 {
		return nil
	}
	features, err := encode(ctx, texts)
	if err != nil {
		return fmt.Errorf("rerank: %w", err)
	}
	e := len(v) / len(found)
	if len(features) != len(texts)*e {
		return fmt.Errorf("rerank: %d numbers of features for %d texts: want %d each", len(features), len(texts), e)
	}
	for i, beams := range found {
		cosines := make([]float64, len(beams))
		for b, row := range at[i] {
			cosines[b] = similarity(v[i*e:(i+1)*e], features[row*e:(row+1)*e])
		}
		found[i] = reordered(beams, cosines, how)
	}
	return nil
}

// similarity is the cosine of a and b.
func similarity(a, b []float32) float64 {
	return dot(unit(a), unit(b))
}

// reordered puts beams in their new order.
func reordered(beams []Hypothesis, cosines []float64, how string) []Hypothesis {
	order := make([]int, len(beams))
	for b := range order {
		order[b] = b
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(cosines[b], cosines[a]) })
	if how == "fusion" {
		rank := make([]int, len(beams)) // the sum of both
		for r, b := range order {
			rank[b] = b + r
		}
		slices.Sort(order)
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rank[a], rank[b]) })
	}
	out := make([]Hypothesis, len(beams))
	for i, b := range order {
		out[i] = beams[b]
	}
	return out
}
