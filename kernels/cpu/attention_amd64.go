//go:build amd64 && !purego

package cpu

type attendFunc func(c *float32, ldc int, p *float32, ldp int, x *float32, ldx int, f *float32, k, mb, mask int)

// attends are the routines of attend512: [r] takes r rows of 32 columns, of 40, or of up to 16.
var attends = struct{ two, half, one []attendFunc }{
	two: []attendFunc{nil, panelAttend1x2AVX512, panelAttend2x2AVX512, panelAttend3x2AVX512, panelAttend4x2AVX512, panelAttend5x2AVX512, panelAttend6x2AVX512,
		panelAttend7x2AVX512, panelAttend8x2AVX512, panelAttend9x2AVX512, panelAttend10x2AVX512, panelAttend11x2AVX512, panelAttend12x2AVX512},
	half: []attendFunc{nil, panelAttend1x2halfAVX512, panelAttend2x2halfAVX512, panelAttend3x2halfAVX512, panelAttend4x2halfAVX512, panelAttend5x2halfAVX512,
		panelAttend6x2halfAVX512, panelAttend7x2halfAVX512, panelAttend8x2halfAVX512},
	one: []attendFunc{nil, panelAttend1x1AVX512, panelAttend2x1AVX512, panelAttend3x1AVX512, panelAttend4x1AVX512, panelAttend5x1AVX512, panelAttend6x1AVX512,
		panelAttend7x1AVX512, panelAttend8x1AVX512, panelAttend9x1AVX512, panelAttend10x1AVX512, panelAttend11x1AVX512, panelAttend12x1AVX512},
}

func attend512(c []float32, ldc int, p []float32, ldp int, x []float32, ldx int, f []float32, rows, k, d int) {
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
		run[step](&c[j], ldc, &p[0], ldp, &x[j], ldx, &f[0], k, blocks, 1<<wide-1)
		if done := blocks * step; done < rows {
			run[rows-done](&c[done*ldc+j], ldc, &p[done], ldp, &x[j], ldx, &f[done], k, 1, 1<<wide-1)
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
