package cpu

import (
	"math"
	"sync"

	"syntic/kernels"
)

func init() {
	addPanelVariants(kernels.LinearCrossEntropy, func(p *panel, a *kernels.LinearCrossEntropyArgs) { linearCrossEntropy(a, p, nil) })
}

// The head goes through bands of rows of X. Of a band, exp(logits − top) are kept for the gradients, words down and rows across, so that rows of W and
// those of the exponentials are operands where they lie and softmax runs down columns. Words are dealt out in groups; a group has its own tops, one a row of X: the
// largest logit of its first chunk, which later ones may exceed by up to lceOver. What a row's exponentials of a group count in the end, scale, is multiplied into X
// (for DW) and into the result (for DX), so that three products are all that is done with N·V numbers. The words at targets are left out of the
// exponentials, for p − 1 would lose its digits where p is close to 1, and their terms are added in float32.
const (
	lceBand   = 480 // rows of X, a whole number of rows of tiles
	lceChunk  = 168 // words of a tile, even
	lceRows   = 12  // rows of DX at a time
	lceGroups = 24  // pieces of work at most
	lceOver   = 1 << 60
	lceFar    = 41.6 // above its logarithm
)

// lce is the work space of one call.
type lce struct {
	*kernels.LinearCrossEntropyArgs
	p       *panel
	half    *lceHalf // products with bfloat16 operands; nil: float32
	rounded lceHalf
	n, v, c int
	ld      int // of rows of X, W and DW: C, or in float32 C up to a multiple of 16
	group   int // words of a piece of work
	groups  int
	keep    bool // gradients are wanted

	r0, nr, cols int // the band's first row, its rows, and those up to a multiple of 16
	x, w, dw     []float32
	xCols        []float32 // rows of the band as columns of panels
	band         []float32 // exponentials, a word after the other, bandLD apart
	bandLD       int
	top, scale   []float32 // [groups, lceBand]
	sum          []float64
	hit, own     []float32 // [N]: logit of the target; what its word counts in the gradient
	share, loss  []float64 // [N]
	part         []float32 // [groups, lceBand, ld]: of DX
	wMean, xMean []float32 // with smoothing: the mean row of W, and smoothing/V · Σ share · rows of X
	bMean, bSum  float64
	rowSums      []float32 // [groups, ld]: sums of rows of W

	meanFn, packFn, lossFn, foldFn func(lo, hi int) // its own methods, so that a call allocates none
	expFn, gradFn                  func(j int)
}

var lces = sync.Pool{New: func() any {
	t := new(lce)
	t.meanFn, t.packFn, t.expFn, t.lossFn, t.gradFn, t.foldFn = t.sumOfRows, t.packX, t.exponentialsOf, t.losses, t.gradients, t.foldDX
	t.rounded.openFn = func(lo, hi int) { t.rounded.words(t, lo, hi) }
	t.rounded.packFn = t.rounded.pack
	return t
}}

// linearCrossEntropy computes the loss with the routines of p, or, for the products, with those of a micro-kernel of pairs.
func linearCrossEntropy(a *kernels.LinearCrossEntropyArgs, p *panel, m *micro) {
	t := lces.Get().(*lce)
	defer func() {
		t.LinearCrossEntropyArgs, t.x, t.w, t.dw, t.half = nil, nil, nil, nil, nil
		lces.Put(t)
	}()
	t.LinearCrossEntropyArgs, t.p = a, p
	t.n, t.v, t.c = a.X.Dim(0), a.W.Dim(0), a.X.Dim(1)
	t.group = max(2*lceChunk, ceilDiv(ceilDiv(t.v, lceGroups), lceRows)*lceRows)
	t.groups, t.keep = ceilDiv(t.v, t.group), !a.DX.Absent() || !a.DW.Absent() || !a.DBias.Absent()
	t.x, t.w, t.dw, t.ld = a.X.F32(), a.W.F32(), a.DW.F32(), t.c
	if m == nil && t.c%16 != 0 {
		t.ld = round16(t.c)
		x, w, dw := getScratch(t.n*t.ld), getScratch(t.v*t.ld), getScratch(t.v*t.ld)
		defer putAll(x, w, dw)
		packRows(x.f, t.x, t.c, t.n, t.c, 1)
		packRows(w.f, t.w, t.c, t.v, t.c, 1)
		if t.x, t.w = x.f, w.f; t.dw != nil {
			t.dw = dw.f
		}
	}
	t.prepare()
	if m != nil {
		t.half = &t.rounded
		t.half.open(t, m)
	}
	for t.r0 = 0; t.r0 < t.n; t.r0 += lceBand {
		t.rows()
	}
	t.finish()
}

func (t *lce) prepare() {
	rows := min(t.n, lceBand)
	t.bandLD = round16(rows) + 16
	t.top, t.scale = grown(t.top, t.groups*lceBand), grown(t.scale, t.groups*lceBand)
	t.hit, t.own = grown(t.hit, t.n), grown(t.own, t.n)
	t.sum, t.share, t.loss = grown64(t.sum, t.groups*lceBand), grown64(t.share, t.n), grown64(t.loss, t.n)
	t.Share(t.share)
	if !t.DX.Absent() {
		t.part = grown(t.part, t.groups*rows*t.ld)
	}
	if t.bMean, t.bSum = 0, 0; t.Smoothing > 0 {
		t.means()
	}
}

func grown64(buf []float64, n int) []float64 {
	if cap(buf) < n {
		buf = make([]float64, n)
	}
	return buf[:n]
}

// means are what smoothing needs: the mean logit is that of the mean row of W, and its gradient the same for all rows of X, or of W.
func (t *lce) means() {
	loops := t.p.loops()
	t.wMean, t.xMean, t.rowSums = grown(t.wMean, t.ld), grown(t.xMean, t.ld), grown(t.rowSums, t.groups*t.ld)
	clear(t.rowSums)
	Ranges(t.v, t.group, t.meanFn)
	foldParts(t.wMean, t.rowSums, t.groups, t.ld)
	loops.affine(t.wMean, t.wMean, 1/float32(t.v), 0)
	for _, b := range t.Bias.F32() {
		t.bMean += float64(b) / float64(t.v)
	}
	clear(t.xMean)
	for i, w := range t.share {
		w *= float64(t.Smoothing) / float64(t.v)
		t.bSum += w
		loops.axpby(t.xMean, t.xMean, t.x[i*t.ld:(i+1)*t.ld], 1, float32(w))
	}
}

// sumOfRows adds up the rows of W of one group.
func (t *lce) sumOfRows(lo, hi int) {
	loops, sum := t.p.loops(), t.rowSums[lo/t.group*t.ld:][:t.ld]
	for j := lo; j < hi; j++ {
		loops.axpby(sum, sum, t.w[j*t.ld:(j+1)*t.ld], 1, 1)
	}
}

// packX makes columns of rows of the band.
func (t *lce) packX(lo, hi int) {
	t.p.packCols(t.xCols[lo*t.c:], t.x[(t.r0+lo)*t.ld:], t.ld, hi-lo, t.c)
}

// rows does a band.
func (t *lce) rows() {
	t.nr = min(lceBand, t.n-t.r0)
	t.cols = round16(t.nr)
	if t.half != nil {
		t.half.columns(t)
	} else {
		t.xCols = grown(t.xCols, t.cols*t.c)
		Ranges(t.nr, 32, t.packFn)
		if t.keep {
			t.band = grown(t.band, t.v*t.bandLD)
		}
	}
	Parallel(t.groups, t.expFn)
	Ranges(t.nr, 16, t.lossFn)
	if !t.keep {
		return
	}
	Parallel(t.groups, t.gradFn)
	if !t.DX.Absent() {
		Ranges(t.nr, 16, t.foldFn)
	}
}

// exponentialsOf makes those of a group, with care where it must be.
func (t *lce) exponentialsOf(j int) {
	if !t.exponentials(j, false) {
		t.exponentials(j, true)
	}
}

// exponentials makes those of a group, their tops and sums. It gives up if a logit is so far above its top that they leave the range of float32; with
// care, it looks at all logits before it settles on the tops, which is the same where nothing is that far.
func (t *lce) exponentials(j int, care bool) bool {
	v0, v1 := j*t.group, min(t.v, (j+1)*t.group)
	sc := getScratch(lceChunk*t.bandLD + 2*t.cols)
	defer sc.put()
	mem := sc.f
	sums, most := take(&mem, t.cols), take(&mem, t.cols)
	top, total := t.top[j*lceBand:][:t.cols], t.sum[j*lceBand:][:t.nr]
	if care {
		fill(most, negInf)
		for c0 := v0; c0 < v1; c0 += lceChunk {
			nv := min(lceChunk, v1-c0)
			t.maxima(most, t.logits(mem, c0, nv, true), nv)
		}
	}
	clear(total)
	for c0 := v0; c0 < v1; c0 += lceChunk {
		nv := min(lceChunk, v1-c0)
		s := t.logits(mem, c0, nv, false)
		for i, to := range t.Target.I32()[t.r0 : t.r0+t.nr] {
			if at := int(to) - c0; at >= 0 && at < nv {
				t.hit[t.r0+i] = s[at*t.bandLD+i]
			}
		}
		if c0 == v0 {
			fill(top, negInf)
			t.maxima(top, s, nv)
			for i := range top {
				if care && most[i]-top[i] > lceFar {
					top[i] = most[i]
				}
			}
		}
		clear(sums)
		for i := 0; i < t.cols; i += 16 {
			t.p.expCols(s[i:], sums[i:i+16], s[i:], top[i:i+16], t.bandLD, nv)
		}
		for i := range total {
			if !care && !(sums[i] <= lceOver) {
				return false
			}
			total[i] += float64(sums[i])
		}
		if !t.keep {
			continue
		}
		for i, to := range t.Target.I32()[t.r0 : t.r0+t.nr] {
			if at := int(to) - c0; at >= 0 && at < nv {
				s[at*t.bandLD+i] = 0
			}
		}
		if t.half != nil {
			t.half.round(t, s, c0, nv)
		}
	}
	return true
}

func (t *lce) maxima(top, s []float32, nv int) {
	for i := 0; i < t.cols; i += 16 {
		t.p.maxCols(top[i:i+16], s[i:], t.bandLD, nv)
	}
}

func fill(x []float32, y float32) {
	for i := range x {
		x[i] = y
	}
}

// logits are those of nv words from c0 on with the band, in their place in the band or, if they are not to stay, in mem. Columns beyond the band are 0.
func (t *lce) logits(mem []float32, c0, nv int, once bool) []float32 {
	s := mem
	if t.half != nil {
		t.half.logits(t, s, c0, nv)
	} else {
		if t.keep && !once {
			s = t.band[c0*t.bandLD:]
		}
		t.p.product(s, t.bandLD, t.w[c0*t.ld:], t.ld, 1, t.xCols, 16, t.c*16, nv, t.cols, t.c, false)
	}
	bias := t.Bias.F32()
	for i := 0; i < nv && (bias != nil || t.cols > t.nr); i++ {
		row := s[i*t.bandLD:][:t.cols]
		if bias != nil {
			t.p.scale(row, 1, bias[c0+i])
		}
		clear(row[t.nr:])
	}
	return s
}

// losses makes those of rows of the band, and what their exponentials count.
func (t *lce) losses(lo, hi int) {
	s := float64(t.Smoothing)
	for i := lo; i < hi; i++ {
		n := t.r0 + i
		top, sum := negInf, 0.0
		for j := range t.groups {
			top = max(top, t.top[j*lceBand+i])
		}
		for j := range t.groups {
			at := j*lceBand + i
			t.sum[at] *= math.Exp(float64(t.top[at]) - float64(top))
			sum += t.sum[at]
		}
		if t.Target.I32()[n] == t.Ignore {
			t.hit[n] = top
		}
		lse := math.Log(sum) + float64(top)
		t.loss[n] = lse - (1-s)*float64(t.hit[n])
		if s > 0 {
			mean := t.bMean
			for l, w := range t.wMean[:t.c] {
				mean += float64(w) * float64(t.x[n*t.ld+l])
			}
			t.loss[n] -= s * mean
		}
		t.own[n] = float32(t.share[n] * (math.Exp(float64(t.hit[n])-lse) - (1 - s)))
		for j := range t.groups {
			at := j*lceBand + i
			t.scale[at] = float32(t.share[n] * math.Exp(float64(t.top[at])-lse))
		}
	}
}

// finish adds up the losses, in order.
func (t *lce) finish() {
	sum, rows := 0.0, t.RowLoss.F32()
	for i, l := range t.loss {
		if t.Target.I32()[i] == t.Ignore {
			l = 0
		}
		if t.share[i] != 0 {
			sum += t.share[i] * l
		}
		if rows != nil {
			rows[i] = float32(l)
		}
	}
	t.Loss.F32()[0] = float32(sum)
}
