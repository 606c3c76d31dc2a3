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

// Hypothesis is a caption that the search kept.
type Hypothesis struct {
	Tokens  []int32 // the tokenizer's ids, without the end
	LogProb float64 // sum of the tokens' log-probabilities, the end's included
	Ended   bool    // false if the search stopped at the longest caption
}

// maxLanes is how many beams of all images together take a step at once; it bounds memory and changes no result.
const maxLanes = 256

// Generate writes captions for N images with features v [N, E] and their context (nil for a decoder that reads none). The best
// Beams captions of each image come best first; 1 beam is greedy search. A beam's score is its log-probability over its length, the end
// included, to the power of LengthPenalty; of equal ones the beam that ranked higher before, then the lower id comes first. Results do not
// depend on how many images come together. ctx is looked at between tokens.
func (d *Decoder) Generate(ctx context.Context, v []float32, about *Context, o config.Decode, progress plan.Progress) (out [][]Hypothesis, err error) {
	defer tensor.Catch(&err)
	n, err := d.Shape.checkInputs(v, about)
	if err != nil {
		return nil, err
	}
	if o.Beams < 1 || o.MaxTokens < 1 || !(o.LengthPenalty >= 0) || d.Shape.prefix()+o.MaxTokens > d.Shape.Positions+1 {
		return nil, fmt.Errorf("decode %+v: want 1 or more beams, a length penalty of 0 or more, 1 to %d tokens", o, d.Shape.Positions+1-d.Shape.prefix())
	}
	bar := plan.OrQuiet(progress).Stage("caption", n)
	defer bar.Done()
	e, group := d.Shape.Features, max(1, maxLanes/o.Beams)
	for at := 0; at < n; at += group {
		b := min(group, n-at)
		index := make([]int, b)
		for i := range index {
			index[i] = at + i
		}
		found, err := d.search(ctx, v[at*e:(at+b)*e], about.Pick(index, e), o)
		if err != nil {
			return nil, err
		}
		for _, beams := range found {
			out = append(out, d.hypotheses(beams))
		}
		bar.Add(b)
	}
	return out, nil
}

// search is Generate for images that go together.
func (d *Decoder) search(ctx context.Context, v []float32, about *Context, o config.Decode) ([][]beam, error) {
	s := tensor.NewScope(d.dev)
	defer s.Close()
	prefix, mask, err := d.embed(s, v, about)
	if err != nil {
		return nil, err
	}
	return (&search{m: d.Model, end: d.Vocab.end, o: o, mask: mask}).run(ctx, s, prefix)
}

func (d *Decoder) hypotheses(beams []beam) []Hypothesis {
	out := make([]Hypothesis, len(beams))
	for i, b := range beams {
		out[i] = Hypothesis{d.Vocab.caption(b.rows), b.sum, b.done}
	}
	return out
}

// beam is a caption under way.
type beam struct {
	rows []int32 // of the vocabulary, with the end
	sum  float64 // of log-probabilities
	done bool    // ended
	lane int     // where its state is, while it is not done
}

// search is a beam search for several images at once. A lane is a row of the batch: the cached keys and values of a beam that has not ended.
type search struct {
	m    *GPT2
	end  int32
	o    config.Decode
	mask []int32 // i32 [N·P] of the prefix, or nil

	cache []past    // of each layer, [lanes, M, C]
	masks [][]int32 // of each lane, the prefix's part; nil if there is no mask
}

// run returns the beams of each row of prefix [N, P, C], best first.
func (q *search) run(ctx context.Context, s *tensor.Scope, prefix *tensor.Tensor) ([][]beam, error) {
	n, p := prefix.Dim(0), prefix.Dim(1)
	images := make([][]beam, n)
	for i := range images {
		images[i] = []beam{{lane: i}}
		if q.mask != nil {
			q.masks = append(q.masks, q.mask[i*p:(i+1)*p])
		}
	}
	scores := q.step(s, prefix, 0)
	for t := 0; ; t++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var from, token []int32 // of the next step's lanes
		for i, beams := range images {
			if beams[0].lane < 0 {
				continue // all ended
			}
			beams, err := q.expand(beams, scores)
			if err != nil {
				return nil, fmt.Errorf("image %d, token %d: %w", i, t, err)
			}
			images[i] = beams
			open := false
			for j := range beams {
				if !beams[j].done {
					from, token = append(from, int32(beams[j].lane)), append(token, beams[j].rows[t])
					beams[j].lane, open = len(from)-1, true
				}
			}
			if !open {
				beams[0].lane = -1
			}
		}
		if len(from) == 0 || t+1 == q.o.MaxTokens {
			return images, nil
		}
		q.move(s, from)
		scores = q.step(s, s.Embedding(q.m.Tokens.Weight, s.FromInt32s(token, len(token), 1)), p+t)
	}
}

// best are the most likely tokens that come next in each lane, falling: log-probabilities and rows of the vocabulary [lanes, K].
type best struct {
	logp []float32
	row  []int32
	k    int
}

// step feeds tokens x [lanes, N, C] at position at and gives the best of what comes next.
func (q *search) step(s *tensor.Scope, x *tensor.Tensor, at int) best {
	c := s.Child()
	defer c.Close()
	lanes, n, width := x.Dim(0), x.Dim(1), x.Dim(2)
	var mask *tensor.Tensor
	if q.masks != nil {
		p := len(q.masks[0])
		mask = keyMask(c, slices.Concat(q.masks...), lanes, p, at+n)
	}
	h := q.m.at(c, x, at)
	if q.cache == nil {
		q.cache = make([]past, len(q.m.Blocks))
	}
	for i, b := range q.m.Blocks {
		var now past
		h, now = b.step(c, h, q.cache[i], mask)
		q.free(s, q.cache[i])
		q.cache[i] = past{c.Keep(now.k), c.Keep(now.v)}
	}
	last := c.Reshape(c.Slice(h, 1, n-1, n), lanes, width)
	k := min(2*q.o.Beams, q.m.Tokens.Weight.Dim(0))
	logp, row := c.Select(c.LogSoftmax(q.m.logits(c, q.m.Norm.Forward(c, last))), k)
	read := tensor.Fetch(logp, row)
	return best{read[0].Floats, read[1].Ints, k}
}

func (q *search) free(s *tensor.Scope, p past) {
	if p.k != nil {
		s.Free(p.k)
		s.Free(p.v)
	}
}

// move makes lane i the old lane from[i].
func (q *search) move(s *tensor.Scope, from []int32) {
	lanes := q.cache[0].k.Dim(0)
	same := len(from) == lanes
	for i, f := range from {
		same = same && int(f) == i
	}
	if same {
		return
	}
	index := s.FromInt32s(from, len(from))
	for i, old := range q.cache {
		m, c := old.k.Dim(1), old.k.Dim(2)
		gather := func(t *tensor.Tensor) *tensor.Tensor {
			return s.Reshape(s.Embedding(s.Reshape(t, lanes, m*c), index), len(from), m, c)
		}
		q.cache[i] = past{gather(old.k), gather(old.v)}
		q.free(s, old)
	}
	s.Free(index)
	if q.masks != nil {
		masks := make([][]int32, len(from))
		for i, f := range from {
			masks[i] = q.masks[f]
		}
		q.masks = masks
	}
}

// candidate is a beam with one more token, or one that has ended.
type candidate struct {
	sum, score  float64
	parent, row int // row -1: ended before
}

// expand keeps the best continuations of an image's beams. scores are those of the lanes.
func (q *search) expand(beams []beam, scores best) ([]beam, error) {
	score := func(sum float64, length int) float64 {
		return sum / math.Pow(float64(max(length, 1)), q.o.LengthPenalty)
	}
	var all []candidate
	for i, b := range beams {
		if b.done {
			all = append(all, candidate{b.sum, score(b.sum, len(b.rows)), i, -1})
			continue
		}
		for j := b.lane * scores.k; j < (b.lane+1)*scores.k && scores.row[j] >= 0; j++ {
			sum := b.sum + float64(scores.logp[j])
			all = append(all, candidate{sum, score(sum, len(b.rows)+1), i, int(scores.row[j])})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("the decoder's scores are not numbers: are its weights damaged?")
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.parent, b.parent), cmp.Compare(a.row, b.row))
	})
	next := make([]beam, 0, q.o.Beams)
	for _, c := range all[:min(q.o.Beams, len(all))] {
		b := beams[c.parent]
		if c.row >= 0 {
			rows := append(slices.Clip(slices.Clone(b.rows)), int32(c.row))
			b = beam{rows, c.sum, int32(c.row) == q.end, b.lane}
		}
		next = append(next, b)
	}
	return next, nil
}
