package syntic

import (
	"context"
	"fmt"
	"math"

	"syntic/syntic/config"
	"syntic/syntic/plan"
	"syntic/tensor"
)

// Memory is the bank of text features that projection blends, and that neighbours are looked up in. Which texts it holds is free: those of
// training, or of a target domain.
type Memory struct {
	bank   *tensor.Tensor // [M, E], unit rows; or nil
	packed *packed        // the same in fewer bits
	n, e   int            // M, E
	lossy  Rounding       // Cosine is what it falls short of 1
	dev    *tensor.Device
}

// queryRows is how many features are projected between two looks at ctx; it changes no result.
const queryRows = 1024

// NewMemory keeps features [M, E] of e numbers each, brought to unit length. A row that is zero or not finite is an error.
func NewMemory(dev *tensor.Device, features []float32, e int) (m *Memory, err error) {
	defer tensor.Catch(&err)
	n, err := rowsOf(features, e)
	if err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	if n == 0 {
		return nil, fmt.Errorf("memory: no texts: want at least one")
	}
	s := tensor.NewScope(dev)
	defer s.Close()
	return memoryOf(dev, s.Normalize(s.FromFloat32s(features, n, e)).Float32s(), e), nil
}

// memoryOf takes features of unit length.
func memoryOf(dev *tensor.Device, features []float32, e int) *Memory {
	bank := tensor.NewParameter(dev, len(features)/e, e)
	bank.SetTrainable(false)
	bank.SetData(features)
	return &Memory{bank: bank, n: len(features) / e, e: e, dev: dev}
}

// rowsOf is the number of rows of e numbers in x; a row that is zero or not finite is an error.
func rowsOf(x []float32, e int) (int, error) {
	if e < 1 || len(x)%e != 0 {
		return 0, fmt.Errorf("%d numbers of features: want a multiple of their size %d", len(x), e)
	}
	for i := range len(x) / e {
		sum := 0.0
		for _, v := range x[i*e : (i+1)*e] {
			sum += float64(v) * float64(v)
		}
		if !(sum > 0) || math.IsInf(sum, 0) {
			return 0, fmt.Errorf("feature %d: its length is %g: want finite numbers, not all zero", i, math.Sqrt(sum))
		}
	}
	return len(x) / e, nil
}

// Size is M, the number of texts.
func (m *Memory) Size() int { return m.n }

// Features is E.
func (m *Memory) Features() int { return m.e }

// Release frees the bank.
func (m *Memory) Release() {
	if m.bank != nil {
		m.bank.Release()
	}
}

// At is the features of some texts, by number, as they are stored: [len(index), E].
func (m *Memory) At(index []int32) []float32 {
	out := make([]float32, 0, len(index)*m.e)
	if m.packed != nil {
		for _, at := range index {
			out = append(out, m.packed.rows(int(at), int(at)+1)...)
		}
		return out
	}
	all := m.bank.Float32s()
	for _, at := range index {
		out = append(out, all[int(at)*m.e:(int(at)+1)*m.e]...)
	}
	return out
}

// Project replaces each feature v_n of [N, E] by a blend of the memory (SynTIC; the form is DeCap's, Li et al. 2023):
//
//	p_n = Σ_m softmax_m(⟨v_n, m_m⟩ / temperature) · m_m
//
// over all texts or the TopK most similar, brought back to unit length if Normalise is set. Rows of v are brought to unit length first.
// exclude, nil or [N], names a text that item n must not see (its own caption, in training), -1 for none; whether to use it is ExcludeSelf's say.
// Each result depends on its own feature alone. ctx is looked at every thousand features.
func (m *Memory) Project(ctx context.Context, v []float32, exclude []int32, o config.Memory, progress plan.Progress) (to []float32, err error) {
	defer tensor.Catch(&err)
	if !o.ExcludeSelf {
		exclude = nil
	}
	if o.TopK >= m.Size() || exclude != nil && o.TopK == m.Size()-1 {
		o.TopK = 0 // that is all
	}
	if !(o.Temperature > 0) || o.TopK < 0 {
		return nil, fmt.Errorf("project: Tau %g, top %d: want a temperature above 0, 0 or more texts", o.Temperature, o.TopK)
	}
	to = make([]float32, len(v))
	err = m.query(ctx, "project", v, exclude, progress, func(s *tensor.Scope, q *tensor.Tensor, out []int32, at int) {
		p := m.blend(s, q, out, o)
		if o.Normalise {
			p = s.Normalize(p)
		}
		p.CopyTo(to[at*m.e:][:p.Len()])
	})
	return to, err
}

// blend is Project without normalising: [N, E].
func (m *Memory) blend(s *tensor.Scope, q *tensor.Tensor, except []int32, o config.Memory) *tensor.Tensor {
	switch {
	case m.packed == nil:
		return s.ProjectTopKExcept(q, m.bank, indices(s, except), o.TopK, float32(o.Temperature))
	case o.TopK > 0:
		return s.FromFloat32s(m.blendNearest(s, q, except, o.TopK, o.Temperature), q.Shape()...)
	}
	return s.FromFloat32s(m.blendAll(s, q, except, o.Temperature), q.Shape()...)
}

// indices is x as a tensor; nil of nil.
func indices(s *tensor.Scope, x []int32) *tensor.Tensor {
	if x == nil {
		return nil
	}
	return s.FromInt32s(x, len(x))
}

// Neighbours finds the k most similar texts of each feature of v [N, E]: their cosines, falling, and their indices, both [N, k]; of equal ones
// the lower index comes first. exclude is as in Project.
func (m *Memory) Neighbours(ctx context.Context, v []float32, exclude []int32, k int, progress plan.Progress) (cosine []float32, index []int32, err error) {
	defer tensor.Catch(&err)
	if most := m.Size() - min(1, len(exclude)); k < 1 || k > most {
		return nil, nil, fmt.Errorf("%d neighbours: want 1 to %d", k, most)
	}
	err = m.query(ctx, "retrieve", v, exclude, progress, func(s *tensor.Scope, q *tensor.Tensor, except []int32, _ int) {
		if m.packed != nil {
			for _, best := range m.nearest(s, q, except, k) {
				for _, b := range best {
					cosine, index = append(cosine, b.cosine), append(index, b.index)
				}
			}
			return
		}
		c, i := s.TopKExcept(q, m.bank, indices(s, except), k)
		cosine, index = append(cosine, c.Float32s()...), append(index, i.Int32s()...)
	})
	return cosine, index, err
}

// query runs fn for pieces of v that begin at feature at.
func (m *Memory) query(ctx context.Context, what string, v []float32, exclude []int32, progress plan.Progress, fn func(s *tensor.Scope, q *tensor.Tensor, except []int32, at int)) error {
	e := m.Features()
	n, err := rowsOf(v, e)
	if err != nil {
		return err
	}
	if exclude != nil && len(exclude) != n {
		return fmt.Errorf("%d texts to leave out for %d features: want one each", len(exclude), n)
	}
	for i, x := range exclude {
		if x < -1 || int(x) >= m.Size() || x >= 0 && m.Size() == 1 {
			return fmt.Errorf("feature %d: text %d to leave out: want -1 to %d, and a text that stays", i, x, m.Size()-1)
		}
	}
	bar := plan.OrQuiet(progress).Stage(what, n)
	defer bar.Done()
	for at := 0; at < n; at += queryRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := min(queryRows, n-at)
		func() {
			s := tensor.NewScope(m.dev)
			defer s.Close()
			var except []int32
			if exclude != nil {
				except = exclude[at : at+b]
			}
			fn(s, s.Normalize(s.FromFloat32s(v[at*e:(at+b)*e], b, e)), except, at)
		}()
		bar.Add(b)
	}
	return nil
}
