//go:build amd64 && !purego

package cpu

type productFunc func(c *float32, ldc int, a *float32, ars, aks int, b *float32, ldb, bo, k, mb, add int)

// rowBlocks are the product routines: [r] takes r rows at once.
type rowBlocks struct {
	one, two, eight []productFunc // for 16, 32 and 128 columns, the last two may be nil; eight is for few rows
}

func (r *rowBlocks) product(c []float32, ldc int, a []float32, ars, aks int, b []float32, ldb, bo int, m, n, k int, add bool) {
	flag := 0
	if add {
		flag = 1
	}
	if k == 0 {
		for i := 0; i < m && !add; i++ {
			clear(c[i*ldc : i*ldc+n])
		}
		return
	}
	if m == 0 {
		return
	}
	rows := evenly(m, len(r.one)-1)
	mb := m / rows
	rest := m - mb*rows
	_ = a[(m-1)*ars+(k-1)*aks]
	for j := 0; j < n; {
		wide, run, second := 16, r.one, 8 // with AVX2 the second half of 16 columns is a register of its own
		switch {
		case n-j >= 128 && m < len(r.eight):
			wide, run, second = 128, r.eight, bo
		case n-j >= 32 && r.two != nil:
			wide, run, second = 32, r.two, bo
		}
		bp := &b[j/16*bo]
		_, _ = b[(j+wide-16)/16*bo+(k-1)*ldb+15], c[(m-1)*ldc+j+wide-1]
		run[rows](&c[j], ldc, &a[0], ars, aks, bp, ldb, second, k, mb, flag)
		if rest > 0 {
			run[rest](&c[mb*rows*ldc+j], ldc, &a[mb*rows*ars], ars, aks, bp, ldb, second, k, 1, flag)
		}
		j += wide
	}
}

var (
	rows512 = rowBlocks{
		one: []productFunc{nil, panelProduct1x1AVX512, panelProduct2x1AVX512, panelProduct3x1AVX512, panelProduct4x1AVX512, panelProduct5x1AVX512, panelProduct6x1AVX512,
			panelProduct7x1AVX512, panelProduct8x1AVX512, panelProduct9x1AVX512, panelProduct10x1AVX512, panelProduct11x1AVX512, panelProduct12x1AVX512},
		two: []productFunc{nil, panelProduct1x2AVX512, panelProduct2x2AVX512, panelProduct3x2AVX512, panelProduct4x2AVX512, panelProduct5x2AVX512, panelProduct6x2AVX512,
			panelProduct7x2AVX512, panelProduct8x2AVX512, panelProduct9x2AVX512, panelProduct10x2AVX512, panelProduct11x2AVX512, panelProduct12x2AVX512},
		eight: []productFunc{nil, panelProduct1x8AVX512, panelProduct2x8AVX512, panelProduct3x8AVX512},
	}
	rows256 = rowBlocks{one: []productFunc{nil, panelProduct1x2AVX2, panelProduct2x2AVX2, panelProduct3x2AVX2, panelProduct4x2AVX2, panelProduct5x2AVX2, panelProduct6x2AVX2}}
)

func simdPanels() []*panel {
	return []*panel{{
		name: "avx512", rank: 30, note: "tiles with AVX-512",
		available:  needs(isaAVX512),
		transposes: []transpose{{16, transpose512}, {8, transpose256}},
		product:    rows512.product,
		maxRow:     func(x []float32) float32 { return panelMaxRowAVX512(&x[0], len(x)) },
		expRow: func(dst, src []float32, sub float32) float32 {
			return panelExpRowAVX512(&dst[0], &src[0], len(src), sub)
		},
		expPair: func(dst, src, colSub, colScale []float32, sub, scale float32) {
			panelExpPairAVX512(&dst[0], &src[0], &colSub[0], &colScale[0], len(src), sub, scale)
		},
		maxCols: func(top, src []float32, ld, rows int) { panelMaxColsAVX512(&top[0], &src[0], ld, rows) },
		expCols: func(dst, sum, src, top []float32, ld, rows int) {
			panelExpColsAVX512(&dst[0], &sum[0], &src[0], &top[0], ld, rows)
		},
		topCols: func(top, keep, sum, src []float32, ld, rows int, mul float32) bool {
			return panelTopColsAVX512(&top[0], &keep[0], &sum[0], &src[0], ld, rows, mul) != 0
		},
		exp2Cols: func(dst, sum, src, top []float32, ld, rows int, mul float32) {
			panelExp2ColsAVX512(&dst[0], &sum[0], &src[0], &top[0], ld, rows, mul)
		},
		mulCols: func(x, f []float32, ld, rows int) { panelMulColsAVX512(&x[0], &f[0], ld, rows) },
		notBelow: func(hits []uint32, src, least []float32, ld, rows int) {
			panelNotBelowAVX512(&hits[0], &src[0], &least[0], ld, rows)
		},
		mulSub: func(dst, p, x []float32, sub float32) { panelMulSubAVX512(&dst[0], &p[0], &x[0], len(dst), sub) },
		scale:  func(x []float32, a, b float32) { panelScaleAddAVX512(&x[0], len(x), a, b) },
		dotRow: func(x, y []float32) float32 { return panelDotRowAVX512(&x[0], &y[0], len(x)) },
		soft:   softCols512, attend: attend512, scores: scores512,
		dots: dots512, blend: blend512, scan: scan512(),
	}, {
		name: "avx2", rank: 20, note: "tiles with AVX2 and FMA",
		available:  needs(isaAVX2),
		transposes: []transpose{{8, transpose256}},
		product:    rows256.product,
		maxRow:     func(x []float32) float32 { return panelMaxRowAVX2(&x[0], len(x)) },
		expRow:     func(dst, src []float32, sub float32) float32 { return panelExpRowAVX2(&dst[0], &src[0], len(src), sub) },
		expPair: func(dst, src, colSub, colScale []float32, sub, scale float32) {
			panelExpPairAVX2(&dst[0], &src[0], &colSub[0], &colScale[0], len(src), sub, scale)
		},
		maxCols: func(top, src []float32, ld, rows int) { panelMaxColsAVX2(&top[0], &src[0], ld, rows) },
		expCols: func(dst, sum, src, top []float32, ld, rows int) {
			panelExpColsAVX2(&dst[0], &sum[0], &src[0], &top[0], ld, rows)
		},
		topCols: func(top, keep, sum, src []float32, ld, rows int, mul float32) bool {
			return panelTopColsAVX2(&top[0], &keep[0], &sum[0], &src[0], ld, rows, mul) != 0
		},
		exp2Cols: func(dst, sum, src, top []float32, ld, rows int, mul float32) {
			panelExp2ColsAVX2(&dst[0], &sum[0], &src[0], &top[0], ld, rows, mul)
		},
		mulCols: func(x, f []float32, ld, rows int) { panelMulColsAVX2(&x[0], &f[0], ld, rows) },
		notBelow: func(hits []uint32, src, least []float32, ld, rows int) {
			panelNotBelowAVX2(&hits[0], &src[0], &least[0], ld, rows)
		},
		mulSub: func(dst, p, x []float32, sub float32) { panelMulSubAVX2(&dst[0], &p[0], &x[0], len(dst), sub) },
		scale:  func(x []float32, a, b float32) { panelScaleAddAVX2(&x[0], len(x), a, b) },
		dotRow: func(x, y []float32) float32 { return panelDotRowAVX2(&x[0], &y[0], len(x)) },
	}}
}
