package cpu

import (
	"math"
	"sync"
	"sync/atomic"
	"unsafe"

	"syntic/kernels"
)

// A search may scan the bank in fewer bits and compute in float32 no more than the scores of rows that may be among the best. Its result is that of a
// search in float32, to the bit. The scan computes ŝ, a score of x̂ and ŷ, which are query x and row y in fewer bits; let s be the score in float32,
// as the search without a scan computes it, and p and p̂ the exact products ⟨x, y⟩ and ⟨x̂, ŷ⟩. Then
//
//	|s − ŝ| ≤ |s − p| + |p − p̂| + |p̂ − ŝ|
//
// 1. p − p̂ = ⟨x, y − ŷ⟩ + ⟨x − x̂, ŷ⟩, so by Cauchy and Schwarz |p − p̂| ≤ ‖x‖·‖y − ŷ‖ + ‖x − x̂‖·‖ŷ‖.
//
// 2. A sum of D products in float32, in any order, with or without fused multiply-adds, is off by no more than γ Σ|x_i·y_i| ≤ γ ‖x‖·‖y‖, where
// γ = D·u/(1 − D·u) and u = 2⁻²⁴ (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1), plus D times the smallest number
// where products are that small. That is |s − p|, and |p̂ − ŝ| with x̂ and ŷ: products of bfloat16 are exact in float32; VDPBF16PS adds the two of a
// pair one after the other or to each other first, at most two roundings for two products, and takes numbers below 2⁻¹²⁶ for zero. Sums of bytes are
// exact in 32 bits while D ≤ 2¹⁶; three roundings follow: to float32, times the scale of the row, times the query's. With D ≤ 4096,
// γ' = (D + 8)·2⁻²³ is more than either needs, by a factor of two.
//
// 3. With lengths X ≥ ‖x‖, Xe ≥ ‖x − x̂‖, Y ≥ ‖y‖ and Ye ≥ ‖y − ŷ‖, and ‖ŷ‖ ≤ Y + Ye, ‖x̂‖ ≤ X + Xe, all that is no more than
//
//	X·Ye + Xe·(Y + Ye) + γ'(X·Y + (X + Xe)(Y + Ye)) + t  =  A·Ye + B·Y + t,   A = X + Xe + γ'(X + Xe), B = Xe + γ'(2X + Xe),
//
// where t covers what is too small: D·2⁻¹²⁴. A tile of rows takes the largest Y and Ye of its rows.
//
// 4. Of a tile that is rounded as it is read, Y and Ye come from sums of squares in float32: off by a factor of no more than 1 + γ', and by squares that
// are too small for float32, each of a number below 2⁻⁶³, all together a length below √D·2⁻⁶³, which is added. Sums too large are infinite.
//
// 5. Bounds hold where nothing overflows: every partial sum is at most (1 + γ')(X + Xe)(Y + Ye). Where that may exceed 2¹²⁰, or a bound is no finite
// number, every row is a candidate.
//
// Let f be no more than the k-th best score so far. A row with ŝ < f − (A·Ye + B·Y + t) has s < f and is none of the k best. All others are scored in
// float32, in the order of sums of any search, and meet the heap as they would there. Which rows these are may depend on timing (f is shared by all
// chunks of the bank), the result does not.

// scanner is an instruction set's routines that compute scores in fewer bits.
type scanner struct {
	name      string
	available func() bool // nil: always
	half      *micro      // products of pairs of bfloat16
	// round rounds n rows of `width` float32 to rows of bfloat16, an odd width filled up with a zero; norms gets Σ x² and Σ (x − x̂)² of each
	round func(dst, src unsafe.Pointer, width, n uintptr, norms unsafe.Pointer)
	// pairs and bytes compute the products of 32·steps rows, ld bytes apart, of `lines` times 64 bytes, with one query; sums of bytes begin at first, an int32.
	// They ask for memory `ahead` bytes further on.
	pairs, bytes func(dst, rows unsafe.Pointer, ld uintptr, query unsafe.Pointer, first uintptr, scales unsafe.Pointer, lines, steps, ahead uintptr)
	tiles        []func(*tile) // [r]: r rows by 32 columns of bytes; t.bias is where sums begin, int32 a column, t.res what a row is multiplied by
	// weave pairs n times two rows of width bfloat16, a multiple of 32, to panels of 32 pairs a row, `panel` bytes each; blend adds n pairs of rows, ld bytes apart, times pairs of weights to `blocks` times
	// 256 numbers of acc; both may be nil
	weave func(dst, rows unsafe.Pointer, width, n, panel uintptr)
	blend func(acc, rows unsafe.Pointer, ld uintptr, weights unsafe.Pointer, n, blocks, ahead uintptr)
}

const (
	scanQueries  = 256  // that share a tile of the bank
	scanRescored = 16   // rows that are scored in float32 at once
	scanList     = 1024 // of rows that a query may wait with
	scanMost     = 4096
	byteColumns  = 32
)

// scan is a search in fewer bits.
type scan struct {
	*bank
	f      *scanner
	k      int
	bytes  bool
	near   unsafe.Pointer // the bank in fewer bits; nil: tiles are rounded as they are read
	bounds []float32
	units  int       // 32 bits each, of a row
	nr     int       // queries of a panel
	rows   []float32 // of queries, units long
	panels []float32 // the same, nr by nr
	first  []int32   // of queries in bytes: where their sums begin
	sizes  []querySize
	floors []atomic.Uint32 // bits of the best of the chunks' k-th best scores
	low    []rank          // heaps of the k best lower bounds of scores, in the chunks that are done
	lows   []sync.Mutex    // one for scanQueries of them
	heaps  []rank
	parts  []scanChunk

	chunks, chunk   int // of the bank, and rows of one
	found           func(q int, found []rank)
	chunkFn, bestFn func(int)
}

var scans = sync.Pool{New: func() any {
	s := new(scan)
	s.chunkFn, s.bestFn = s.runChunk, s.best
	return s
}}

// newScan takes a search for k rows from the pool; put gives it back.
func newScan(b *bank, f *scanner, k int) *scan {
	s := scans.Get().(*scan)
	s.bank, s.f, s.k, s.units, s.nr = b, f, k, ceilDiv(b.d, 2), f.half.nr
	s.bytes, s.near, s.bounds, s.found = false, nil, nil, nil
	return s
}

func (s *scan) put() {
	s.bank, s.near, s.bounds, s.found = nil, nil, nil, nil // keeps no operand alive
	scans.Put(s)
}

// querySize is what the bound on a query's errors is made of.
type querySize struct{ a, b, length, scale float64 }

// scanned tells whether a search for k rows goes by scan, and prepares it: with a bank in fewer bits always, without one if its rounding serves many queries.
func (b *bank) scanned(k int, near, bounds *kernels.View) *scan {
	f := b.p.scan
	if f == nil || b.d > scanMost {
		return nil
	}
	bytes, pairs := !near.Absent() && near.DType == kernels.U8 && b.d%4 == 0, !near.Absent() && near.DType == kernels.BF16 && b.d%2 == 0
	if !bytes && !pairs && b.n < scanWorth {
		return nil
	}
	s := newScan(b, f, k)
	if s.bytes = bytes; bytes {
		s.units, s.nr = b.d/4, byteColumns
	}
	if bytes || pairs {
		s.near, s.bounds = near.Ptr(), bounds.F32()
	}
	return s
}

// scanWorth is from how many queries on rounding the bank costs less than it saves.
const scanWorth = 32

// prepare rounds the queries.
func (s *scan) prepare() (own *scratch) {
	panels := ceilDiv(s.n, s.nr) * s.nr
	own = getScratch(s.n*s.units + panels*s.units)
	buf := own.f
	s.rows, s.panels = take(&buf, s.n*s.units), take(&buf, panels*s.units)
	clear(s.panels)
	if cap(s.sizes) < s.n {
		s.sizes, s.floors = make([]querySize, s.n), make([]atomic.Uint32, s.n)
	}
	s.sizes, s.floors = s.sizes[:s.n], s.floors[:s.n]
	for i := range s.floors {
		s.floors[i].Store(math.Float32bits(negInf))
	}
	if s.bytes && cap(s.first) < panels {
		s.first = make([]int32, panels)
	}
	s.first = s.first[:cap(s.first)]
	for q := range s.n {
		s.roundQuery(q)
	}
	packed := operand{data: s.rows, ld: s.units, deep: true}
	for j := 0; j < s.n; j += s.nr {
		packed.pack(s.f.half, s.panels[j*s.units:], s.nr, j, min(s.n, j+s.nr), 0, s.units)
	}
	return own
}

// roundQuery rounds query q and measures it.
func (s *scan) roundQuery(q int) {
	x, to := s.query[q*s.d:(q+1)*s.d], s.rows[q*s.units:(q+1)*s.units]
	z, length, change := querySize{scale: 1}, 0.0, 0.0
	if s.bytes {
		top := 0.0
		for _, v := range x {
			top = max(top, math.Abs(float64(v)))
		}
		if z.scale = float64(float32(top / 127)); !(z.scale > 1e-30) || math.IsInf(z.scale, 0) {
			z.scale = 1
		}
		whole, sum := unsafe.Slice((*int8)(unsafe.Pointer(&to[0])), s.d), int32(0)
		for i, v := range x {
			n := max(-127, min(127, math.RoundToEven(float64(v)/z.scale)))
			if n != n {
				n = 0
			}
			whole[i] = int8(n)
			sum += int32(n)
			e := float64(v) - n*z.scale
			length, change = length+float64(v)*float64(v), change+e*e
		}
		s.first[q] = -128 * sum
	} else {
		half := unsafe.Slice((*uint16)(unsafe.Pointer(&to[0])), 2*s.units)
		half[len(half)-1] = 0
		for i, v := range x {
			half[i] = kernels.F32ToBF16(v)
			e := float64(v) - float64(kernels.BF16ToF32(half[i]))
			length, change = length+float64(v)*float64(v), change+e*e
		}
		change += float64(s.d) * 0x1p-252 // numbers that the products take for zero
	}
	up := 1 + 1e-9
	whole, e, g := math.Sqrt(length)*up, math.Sqrt(change)*up, float64(s.d+8)*0x1p-23
	z.a, z.b, z.length = whole+e+g*(whole+e), e+g*(2*whole+e), whole+e
	s.sizes[q] = z
}

// bound is that on the difference of query q's scores of a tile's rows in fewer bits and in float32; infinite, where there is none.
func (s *scan) bound(q int, y, ye float64) float64 {
	z := &s.sizes[q]
	if !(z.length*(y+ye) < 0x1p120) || !(y+ye < 0x1p100) {
		return math.Inf(1)
	}
	return z.a*ye + z.b*y + float64(s.d)*0x1p-124*max(1, z.scale)
}

// threshold is a number below which a row of a tile has too low a score for query q, where floor is the worst that is of interest; y and ye are the tile's.
func (s *scan) threshold(q int, floor float32, y, ye float64) float32 {
	t := (float64(floor) - s.bound(q, y, ye)) / s.sizes[q].scale
	if t >= math.MaxFloat32 || t != t { // in bytes of a tiny query: no score is that large
		return negInf
	}
	return math.Nextafter32(float32(t), negInf)
}

// between are numbers no more and no less than the score in float32 of a row of the tile that the scan gives a score.
func (s *scan) between(q int, score float32, y, ye float64) (low, high float32) {
	x, e := float64(score)*s.sizes[q].scale, s.bound(q, y, ye)
	if low, high = math.Nextafter32(float32(x-e), negInf), math.Nextafter32(float32(x+e), posInf); low != low || high != high {
		return negInf, posInf
	}
	return low, high
}

// raise makes floor known to all chunks.
func (s *scan) raise(q int, floor float32) {
	for {
		old := s.floors[q].Load()
		if !(floor > math.Float32frombits(old)) || s.floors[q].CompareAndSwap(old, math.Float32bits(floor)) {
			return
		}
	}
}
