package syntic

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"syntic/syntic/config"
	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// packed is a bank in fewer bits than float32. It stays so in memory; pieces of it are unpacked as they are needed.
type packed struct {
	dtype safetensors.DType // F16 or I8
	data  []byte            // [M, E]
	scale []float32         // [M], of I8
	e     int
}

// bankRows is how many rows of a packed bank are unpacked at once. Results depend on it in rounding, so it is part of the format.
const bankRows = 8192

// memoryItem is the stream of random numbers that draws the texts of a smaller memory.
const memoryItem = 0x6d656d6f

// MemoryOf is the memory that o asks for, of features [N, E]: all of them, or o.Size drawn by seed, as o.DType stores them. rows says which
// texts they are, rising. Rows of features are brought to unit length first.
func MemoryOf(dev *tensor.Device, features []float32, e int, o config.Memory, seed uint64) (m *Memory, rows []int, err error) {
	n, err := rowsOf(features, e)
	if err != nil {
		return nil, nil, fmt.Errorf("memory: %w", err)
	}
	if rows = DrawTexts(n, o.Size, seed); len(rows) < n {
		part := make([]float32, 0, len(rows)*e)
		for _, i := range rows {
			part = append(part, features[i*e:(i+1)*e]...)
		}
		features = part
	}
	if m, err = NewMemory(dev, features, e); err != nil {
		return nil, nil, err
	}
	return m, rows, m.Pack(o.DType)
}

// DrawTexts are size of the numbers 0..n-1, rising, drawn by seed; all of them where size is 0 or no less than n.
func DrawTexts(n, size int, seed uint64) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	if size > 0 && size < n {
		rows = tensor.Key{Seed: seed, Item: memoryItem}.Perm(n)[:size]
		slices.Sort(rows)
	}
	return rows
}

// Pack changes how the memory holds its features: "f16" as halves; "int8" as whole numbers of -127..127, each row with a scale of its own,
// its largest number over 127; "f32", or "", as they are. A packed memory cannot be unpacked.
func (m *Memory) Pack(dtype string) (err error) {
	defer tensor.Catch(&err)
	switch {
	case dtype == "f32" || dtype == "":
		return nil
	case m.packed != nil || dtype != "f16" && dtype != "int8":
		return fmt.Errorf("memory: dtype %q of a memory of %s: want f32, or f16 or int8 of one of f32", dtype, m.DType())
	}
	x, e := m.bank.Float32s(), m.e
	p := &packed{dtype: safetensors.F16, e: e}
	if dtype == "f16" {
		p.data = safetensors.Pack(safetensors.F16, x)
	} else {
		p.dtype, p.data, p.scale = safetensors.I8, make([]byte, len(x)), make([]float32, m.n)
		for i := range m.n {
			p.scale[i] = packRow(p.data[i*e:(i+1)*e], x[i*e:(i+1)*e])
		}
	}
	for i := range m.n {
		m.lossy.add(x[i*e:(i+1)*e], p.rows(i, i+1))
	}
	m.bank.Release()
	m.bank, m.packed = nil, p
	return nil
}

// packRow writes x over its scale to to, rounded to whole numbers, and returns the scale.
func packRow(to []byte, x []float32) float32 {
	top := 0.0
	for _, v := range x {
		top = max(top, math.Abs(float64(v)))
	}
	scale := float32(top / 127)
	for d, v := range x {
		to[d] = byte(int8(math.RoundToEven(float64(v) / float64(scale))))
	}
	return scale
}

// rows unpacks rows from..to-1.
func (p *packed) rows(from, to int) []float32 {
	e := p.e
	x := safetensors.Float32s(p.dtype, p.data[from*e*p.dtype.Size():to*e*p.dtype.Size()])
	for i := range p.scale[min(from, len(p.scale)):min(to, len(p.scale))] {
		for d := range e {
			x[i*e+d] *= p.scale[from+i]
		}
	}
	return x
}

// Rounding says what packing did to features of unit length.
type Rounding struct {
	Largest float64 `json:"largest"` // difference of any number
	Cosine  float64 `json:"cosine"`  // smallest, of a stored feature with what it was
}

// Rounding is that of the memory's features since they were packed by this process: zero and 1 of one that is not packed, or was read so.
func (m *Memory) Rounding() Rounding { return Rounding{m.lossy.Largest, 1 - m.lossy.Cosine} }

// add looks at a row and what it became; Cosine is kept as what it falls short of 1.
func (r *Rounding) add(was, is []float32) {
	var ab, aa, bb float64
	for d, v := range was {
		a, b := float64(v), float64(is[d])
		r.Largest = max(r.Largest, math.Abs(a-b))
		ab, aa, bb = ab+a*b, aa+a*a, bb+b*b
	}
	r.Cosine = max(r.Cosine, 1-ab/math.Sqrt(aa*bb))
}

// DType is how the features are held: f32, f16 or int8.
func (m *Memory) DType() string {
	switch {
	case m.packed == nil:
		return "f32"
	case m.packed.dtype == safetensors.F16:
		return "f16"
	}
	return "int8"
}

// pieces runs fn for each piece of a packed bank, unpacked, that begins at row from.
func (m *Memory) pieces(s *tensor.Scope, fn func(s *tensor.Scope, part *tensor.Tensor, from int)) {
	for from := 0; from < m.n; from += bankRows {
		to := min(from+bankRows, m.n)
		c := s.Child()
		fn(c, c.FromFloat32s(m.packed.rows(from, to), to-from, m.e), from)
		c.Close()
	}
}

// ranked is a text with its cosine.
type ranked struct {
	cosine float32
	index  int32
}

// nearest are the k most similar rows of a packed bank for each of q [N, E], but for except[n].
func (m *Memory) nearest(s *tensor.Scope, q *tensor.Tensor, except []int32, k int) [][]ranked {
	best := make([][]ranked, q.Dim(0))
	m.pieces(s, func(c *tensor.Scope, part *tensor.Tensor, from int) {
		most := min(k+1, part.Dim(0)) // one more: the excluded one may be among them
		score, index := c.TopK(q, part, most)
		cosines, at := score.Float32s(), index.Int32s()
		for i := range best {
			for j := range most {
				if row := at[i*most+j] + int32(from); except == nil || row != except[i] {
					best[i] = append(best[i], ranked{cosines[i*most+j], row})
				}
			}
			slices.SortFunc(best[i], func(a, b ranked) int { return cmp.Or(cmp.Compare(b.cosine, a.cosine), cmp.Compare(a.index, b.index)) })
			best[i] = best[i][:min(k, len(best[i]))]
		}
	})
	return best
}

// blendNearest is Project over the k most similar rows of a packed bank, not normalised: [N, E] on the host.
func (m *Memory) blendNearest(s *tensor.Scope, q *tensor.Tensor, except []int32, k int, tau float64) []float32 {
	out := make([]float32, q.Len())
	for i, best := range m.nearest(s, q, except, k) {
		sum, acc := 0.0, make([]float64, m.e)
		for _, b := range best {
			w := math.Exp(float64(b.cosine-best[0].cosine) / tau)
			sum += w
			for d, x := range m.packed.rows(int(b.index), int(b.index)+1) {
				acc[d] += w * float64(x)
			}
		}
		for d, x := range acc {
			out[i*m.e+d] = float32(x / sum)
		}
	}
	return out
}

// hidden is what is added to the similarity of a row that a query must not see.
const hidden = -1e30

// blendAll is Project over all rows of a packed bank, not normalised: softmax and blend of each piece, joined by the pieces' sums.
func (m *Memory) blendAll(s *tensor.Scope, q *tensor.Tensor, except []int32, tau float64) []float32 {
	n, e := q.Dim(0), m.e
	acc, top, sum := make([]float64, n*e), make([]float64, n), make([]float64, n)
	for i := range top {
		top[i] = math.Inf(-1)
	}
	m.pieces(s, func(c *tensor.Scope, part *tensor.Tensor, from int) {
		rows := part.Dim(0)
		sim := c.MatMulScaled(q, part, false, true, float32(1/tau)) // [N, rows]
		seen := make([]int, n)                                      // a row that query i sees
		var mask []float32
		for i := range except {
			if at := int(except[i]) - from; at >= 0 && at < rows {
				if mask == nil {
					mask = make([]float32, n*rows)
				}
				mask[i*rows+at] = hidden
				seen[i] = (at + 1) % rows
			}
		}
		if mask != nil {
			sim = c.Add(sim, c.FromFloat32s(mask, n, rows))
		}
		blend := c.MatMul(c.Softmax(sim), part, false, false).Float32s() // [N, E]
		raw, logp := sim.Float32s(), c.LogSoftmax(sim).Float32s()
		for i := range n {
			at := i*rows + seen[i]
			if raw[at] < hidden/2 {
				continue // the piece's only row is hidden
			}
			total := float64(raw[at]) - float64(logp[at]) // log of the sum of the piece's exponentials
			next := max(top[i], total)
			keep, w := math.Exp(top[i]-next), math.Exp(total-next)
			top[i], sum[i] = next, sum[i]*keep+w
			for d := range e {
				acc[i*e+d] = acc[i*e+d]*keep + w*float64(blend[i*e+d])
			}
		}
	})
	out := make([]float32, n*e)
	for i := range out {
		out[i] = float32(acc[i] / sum[i/e])
	}
	return out
}
