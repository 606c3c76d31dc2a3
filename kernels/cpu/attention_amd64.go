//go:build amd64 && !purego

package cpu

type attendFunc func(c *float32, ldc int, p *float32, ldp int, x *float32, ldx int, f *float32, k, mb, mask int, ahead *uintptr, step int)

// attends are the routines of attend512: [r] takes r rows of 32 columns, of 40, or of up to 16.
var attends = struct{ two, half, one []attendFunc }{
	two: []attendFunc{nil, panelAttend1x2AVX512, panelAttend2x2AVX512, panelAttend3x2AVX512, panelAttend4x2AVX512, panelAttend5x2AVX512, panelAttend6x2AVX512,
		panelAttend7x2AVX512, panelAttend8x2AVX512, panelAttend9x2AVX512, panelAttend10x2AVX512, panelAttend11x2AVX512, panelAttend12x2AVX512},
	half: []attendFunc{nil, panelAttend1x2halfAVX512, panelAttend2x2halfAVX512, panelAttend3x2halfAVX512, panelAttend4x2halfAVX512, panelAttend5x2halfAVX512,
		panelAttend6x2halfAVX512, panelAttend7x2halfAVX512, panelAttend8x2halfAVX512},
	one: []attendFunc{nil, panelAttend1x1AVX512, panelAttend2x1AVX512, panelAttend3x1AVX512, panelAttend4x1AVX512, panelAttend5x1AVX512, panelAttend6x1AVX512,
		panelAttend7x1AVX512, panelAttend8x1AVX512, panelAttend9x1AVX512, panelAttend10x1AVX512, panelAttend11x1AVX512, panelAttend12x1AVX512},
}

type scoresFunc func(c *float32, ldc int, a *float32, ars int, b *float32, bo, k, mb int, ahead *uintptr, step int)

// scoreses are the routines of scores512: [r] takes r keys and 16 or 32 queries.
var scoreses = struct{ one, two []scoresFunc }{
	one: []scoresFunc{nil, panelScores1x1AVX512, panelScores2x1AVX512, panelScores3x1AVX512, panelScores4x1AVX512, panelScores5x1AVX512, panelScores6x1AVX512, panelScores7x1AVX512, panelScores8x1AVX512, panelScores9x1AVX512, panelScores10x1AVX512, panelScores11x1AVX512, panelScores12x1AVX512},
	two: []scoresFunc{nil, panelScores1x2AVX512, panelScores2x2AVX512, panelScores3x2AVX512, panelScores4x2AVX512, panelScores5x2AVX512, panelScores6x2AVX512, panelScores7x2AVX512, panelScores8x2AVX512, panelScores9x2AVX512, panelScores10x2AVX512, panelScores11x2AVX512, panelScores12x2AVX512},
}

func scores512(c []float32, ldc int, a []float32, ars int, b []float32, bo, m, n, k int, next *ahead) {
	_, _, _ = c[(m-1)*ldc+n-1], a[(m-1)*ars+k-1], b[(n/16-1)*bo+16*k-1]
	run := scoreses.one
	if n == 32 {
		run = scoreses.two
	}
	step := evenly(m, len(run)-1)
	blocks := m / step
	list, each := next.feed(k * blocks)
	run[step](&c[0], ldc, &a[0], ars, &b[0], bo, k, blocks, list, each)
	if done := blocks * step; done < m {
		list, each = next.feed(k)
		run[m-done](&c[done*ldc], ldc, &a[done*ars], ars, &b[0], bo, k, 1, list, each)
	}
}

func addresses(dst, offsets []uintptr, base uintptr) {
	_ = dst[len(offsets)-1]
	panelAddressesAVX512(&dst[0], &offsets[0], base, len(offsets))
}

func attend512(c []float32, ldc int, p []float32, ldp int, x []float32, ldx int, f []float32, rows, k, d int, next *ahead) {
	_, _, _, _ = c[(rows-1)*ldc+d-1], p[(k-1)*ldp+rows-1], x[(k-1)*ldx+d-1], f[rows-1]
	for j := 0; j < d; {
		run, wide := attends.one, min(16, d-j)
		switch {
		case d-j == 40:
			run, wide = attends.half, 40
		case d-j >= 32:
			run, wide = attends.two, 32
		}
		step := evenly(rows, len(run)-1)
		blocks := rows / step
		list, each := next.feed(k * blocks)
		run[step](&c[j], ldc, &p[0], ldp, &x[j], ldx, &f[0], k, blocks, 1<<wide-1, list, each)
		if done := blocks * step; done < rows {
			list, each = next.feed(k)
			run[rows-done](&c[done*ldc+j], ldc, &p[done], ldp, &x[j], ldx, &f[done], k, 1, 1<<wide-1, list, each)
		}
		j += wide
	}
}

func softCols512(s []float32, ld, cols, rows, whole int, mul float32, st softStats) {
	_ = s[(rows-1)*ld+cols-1]
	if cols == 32 {
		panelSoftCols2AVX512(&s[0], ld, rows, whole, &st.top[0], &st.sum[0], &st.inv[0], mul, unseen)
	} else {
		panelSoftCols1AVX512(&s[0], ld, rows, whole, &st.top[0], &st.sum[0], &st.inv[0], mul, unseen)
	}
}
