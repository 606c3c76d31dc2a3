//go:build amd64 && !purego

package cpu

import "unsafe"

type productFunc func(c *float32, ldc int, a *float32, ars, aks int, b *float32, ldb, bo, k, mb, add int)

// rowBlocks are the numbers of rows that product routines take at once, and the routines for 16 and for 32 columns (nil: none).
type rowBlocks []struct {
	rows         int
	one, twoWide productFunc
}

func (blocks rowBlocks) product(c []float32, ldc int, a []float32, ars, aks int, b []float32, ldb, bo int, m, n, k int, add bool) {
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
	for j := 0; j < n; {
		wide, i := 16, 0
		if n-j >= 32 && blocks[0].twoWide != nil {
			wide = 32
		}
		bp := &b[j/16*bo]
		_ = b[(j+wide-16)/16*bo+(k-1)*ldb+15]
		for t := range blocks {
			f := &blocks[t]
			mb := (m - i) / f.rows
			if mb == 0 {
				continue
			}
			call, second, last := f.one, 8, i+mb*f.rows-1 // with AVX2 the second half of 16 columns is a register of its own
			if wide == 32 {
				call, second = f.twoWide, bo
			}
			_, _ = c[last*ldc+j+wide-1], a[last*ars+(k-1)*aks]
			call(&c[i*ldc+j], ldc, &a[i*ars], ars, aks, bp, ldb, second, k, mb, flag)
			i = last + 1
		}
		j += wide
	}
}

func simdPanels() []*panel {
	return []*panel{{
		name: "avx512", rank: 30, note: "tiles with AVX-512",
		available: needs(isaAVX512),
		lanes:     16,
		transpose: func(dst []float32, src []float32, ld, n int) {
			transpose512(unsafe.Pointer(&dst[0]), 64, unsafe.Pointer(&src[0]), uintptr(4*ld), uintptr(n))
		},
		product: rowBlocks{{8, panelProduct8x1AVX512, panelProduct8x2AVX512}, {4, panelProduct4x1AVX512, panelProduct4x2AVX512},
			{2, panelProduct2x1AVX512, panelProduct2x2AVX512}, {1, panelProduct1x1AVX512, panelProduct1x2AVX512}}.product,
		maxRow: func(x []float32) float32 { return panelMaxRowAVX512(&x[0], len(x)) },
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
		mulSub: func(dst, p, x []float32, sub float32) { panelMulSubAVX512(&dst[0], &p[0], &x[0], len(dst), sub) },
		scale:  func(x []float32, a, b float32) { panelScaleAddAVX512(&x[0], len(x), a, b) },
		dotRow: func(x, y []float32) float32 { return panelDotRowAVX512(&x[0], &y[0], len(x)) },
	}, {
		name: "avx2", rank: 20, note: "tiles with AVX2 and FMA",
		available: needs(isaAVX2),
		lanes:     8,
		transpose: func(dst []float32, src []float32, ld, n int) {
			transpose256(unsafe.Pointer(&dst[0]), 64, unsafe.Pointer(&src[0]), uintptr(4*ld), uintptr(n))
		},
		product: rowBlocks{{4, panelProduct4x2AVX2, nil}, {2, panelProduct2x2AVX2, nil}, {1, panelProduct1x2AVX2, nil}}.product,
		maxRow:  func(x []float32) float32 { return panelMaxRowAVX2(&x[0], len(x)) },
		expRow:  func(dst, src []float32, sub float32) float32 { return panelExpRowAVX2(&dst[0], &src[0], len(src), sub) },
		expPair: func(dst, src, colSub, colScale []float32, sub, scale float32) {
			panelExpPairAVX2(&dst[0], &src[0], &colSub[0], &colScale[0], len(src), sub, scale)
		},
		maxCols: func(top, src []float32, ld, rows int) { panelMaxColsAVX2(&top[0], &src[0], ld, rows) },
		expCols: func(dst, sum, src, top []float32, ld, rows int) {
			panelExpColsAVX2(&dst[0], &sum[0], &src[0], &top[0], ld, rows)
		},
		mulSub: func(dst, p, x []float32, sub float32) { panelMulSubAVX2(&dst[0], &p[0], &x[0], len(dst), sub) },
		scale:  func(x []float32, a, b float32) { panelScaleAddAVX2(&x[0], len(x), a, b) },
		dotRow: func(x, y []float32) float32 { return panelDotRowAVX2(&x[0], &y[0], len(x)) },
	}}
}
