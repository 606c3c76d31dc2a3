package cpu

import (
	"math"

	"syntic/kernels"
)

func init() { addPanelVariants(kernels.CrossEntropy, (*panel).crossEntropy) }

const ceChunk = 2048 // exponentials that are summed in float32 before the sum goes on in float64

// crossEntropy works row by row, in parallel; the rows' losses are then added in order, in float64.
func (p *panel) crossEntropy(a *kernels.CrossEntropyArgs) {
	n, v := a.Logits.Dim(0), a.Logits.Dim(1)
	z, target, w, dz, rows := a.Logits.F32(), a.Target.I32(), a.Weight.F32(), a.DLogits.F32(), a.RowLoss.F32()
	weight := func(i int) float64 {
		switch {
		case target[i] == a.Ignore:
			return 0
		case w == nil:
			return 1
		}
		return float64(w[i])
	}
	total := 0.0
	for i := range n {
		total += weight(i)
	}
	if total == 0 {
		total = math.Inf(1)
	}
	loss := make([]float64, n)
	Ranges(n, max(1, 16384/v), func(lo, hi int) {
		sc := getScratch(ceChunk)
		defer sc.put()
		for i := lo; i < hi; i++ {
			var d []float32
			if dz != nil {
				d = dz[i*v : i*v+v]
			}
			if target[i] == a.Ignore {
				clear(d)
				continue
			}
			loss[i] = p.crossEntropyRow(z[i*v:i*v+v], d, int(target[i]), float64(a.Smoothing), weight(i)/total, sc.f)
		}
	})
	sum := 0.0
	for i, l := range loss {
		if wi := weight(i); wi != 0 {
			sum += wi / total * l
		}
		if rows != nil {
			rows[i] = float32(l)
		}
	}
	a.Loss.F32()[0] = float32(sum)
}

// crossEntropyRow is the loss of a row; d, unless nil, becomes weight times its gradient and may be z itself.
func (p *panel) crossEntropyRow(z, d []float32, t int, smoothing, weight float64, buf []float32) float64 {
	whole := len(z) &^ 15
	var tail [16]float32
	for i := range tail {
		tail[i] = negInf
	}
	copy(tail[:], z[whole:])
	top := p.maxRow(tail[:])
	if whole > 0 {
		top = max(top, p.maxRow(z[:whole]))
	}
	hit, mean := float64(z[t]), 0.0
	if smoothing > 0 {
		for _, x := range z {
			mean += float64(x)
		}
		mean /= float64(len(z))
	}
	sum := 0.0
	for i := 0; i < whole; i += ceChunk {
		j := min(i+ceChunk, whole)
		to := buf[:j-i]
		if d != nil {
			to = d[i:j]
		}
		sum += float64(p.expRow(to, z[i:j], top))
	}
	sum += float64(p.expRow(tail[:], tail[:], top))
	if d != nil {
		scale, shift := float32(weight/sum), float32(-weight*smoothing/float64(len(z)))
		if whole > 0 {
			p.scale(d[:whole], scale, shift)
		}
		p.scale(tail[:], scale, shift)
		copy(d[whole:], tail[:])
		d[t] -= float32(weight * (1 - smoothing))
	}
	return math.Log(sum) + float64(top) - (1-smoothing)*hit - smoothing*mean
}
