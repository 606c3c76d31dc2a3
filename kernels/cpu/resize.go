package cpu

import "syntic/kernels"

func init() {
	addVector(kernels.Resize, "rows blended first, then columns", resizeRun)
	addVector(kernels.ResizeGrad, "by input row: rows gathered first, then columns", resizeGradRun)
	addVector(kernels.MaxPool, "by output row", maxPoolRun)
	addGo(kernels.MaxPoolGrad, "by input row", maxPoolGradRun)
}

func resizeRun(v *vector, a *kernels.ResizeArgs) {
	h, w, c, oh, ow := a.X.Dim(1), a.X.Dim(2), a.X.Dim(3), a.Out.Dim(1), a.Out.Dim(2)
	resizeRows.ranges(a.X.Dim(0)*oh, rowGrain(ow*c), resizeWork{v, h, w, c, oh, ow, a.X.F32(), a.Out.F32(), a.Kind})
}

// resizeWork is images x of h×w pixels of c channels and o of oh×ow.
type resizeWork struct {
	v               *vector
	h, w, c, oh, ow int
	x, o            []float32
	kind            kernels.ResizeKind
}

var resizeRows = newSpread(func(t *resizeWork, lo, hi int) {
	v, h, w, c, oh, ow, x, o, kind := t.v, t.h, t.w, t.c, t.oh, t.ow, t.x, t.o, t.kind
	tmp := getScratch(w * c)
	for r := lo; r < hi; r++ {
		n, at, wt := kind.Taps(h, oh, r%oh)
		src := func(j int) []float32 { return x[(r/oh*h+at[j])*w*c : (r/oh*h+at[j]+1)*w*c] }
		row, out := src(0), o[r*ow*c:(r+1)*ow*c]
		if n > 1 {
			v.affine(tmp.f, row, float32(wt[0]), 0)
			for j := 1; j < n; j++ {
				v.axpby(tmp.f, tmp.f, src(j), 1, float32(wt[j]))
			}
			row = tmp.f
		}
		for i := 0; i < ow; i++ {
			n, at, wt := kind.Taps(w, ow, i)
			px := out[i*c : i*c+c]
			if n == 1 {
				copy(px, row[at[0]*c:at[0]*c+c])
				continue
			}
			v.axpby(px, row[at[0]*c:at[0]*c+c], row[at[1]*c:at[1]*c+c], float32(wt[0]), float32(wt[1]))
			if n == 4 {
				v.axpby(px, px, row[at[2]*c:at[2]*c+c], 1, float32(wt[2]))
				v.axpby(px, px, row[at[3]*c:at[3]*c+c], 1, float32(wt[3]))
			}
		}
	}
	tmp.put()
})

func resizeGradRun(v *vector, a *kernels.ResizeGradArgs) {
	h, w, c, oh, ow := a.DX.Dim(1), a.DX.Dim(2), a.DX.Dim(3), a.DOut.Dim(1), a.DOut.Dim(2)
	resizeGradRows.ranges(a.DX.Dim(0)*h, rowGrain(ow*c), resizeWork{v, h, w, c, oh, ow, a.DX.F32(), a.DOut.F32(), a.Kind})
}

// resizeGradRows makes the gradient of x, in its place, of that of o, in its place.
var resizeGradRows = newSpread(func(t *resizeWork, lo, hi int) {
	v, h, w, c, oh, ow, dx, d, kind := t.v, t.h, t.w, t.c, t.oh, t.ow, t.x, t.o, t.kind
	tmp := getScratch(ow * c)
	for r := lo; r < hi; r++ {
		clear(tmp.f)
		for y := 0; y < oh; y++ {
			n, at, wt := kind.Taps(h, oh, y)
			for j := 0; j < n; j++ {
				if at[j] == r%h {
					v.axpby(tmp.f, tmp.f, d[(r/h*oh+y)*ow*c:(r/h*oh+y+1)*ow*c], 1, float32(wt[j]))
				}
			}
		}
		row := dx[r*w*c : (r+1)*w*c]
		clear(row)
		for i := 0; i < ow; i++ {
			n, at, wt := kind.Taps(w, ow, i)
			for j := 0; j < n; j++ {
				px := row[at[j]*c : at[j]*c+c]
				v.axpby(px, px, tmp.f[i*c:i*c+c], 1, float32(wt[j]))
			}
		}
	}
	tmp.put()
})

func maxPoolRun(v *vector, a *kernels.MaxPoolArgs) {
	h, w, c, oh, ow := a.X.Dim(1), a.X.Dim(2), a.X.Dim(3), a.Out.Dim(1), a.Out.Dim(2)
	maxPoolRows.ranges(a.X.Dim(0)*oh, rowGrain(ow*c*a.Kernel), maxPoolWork{v, h, w, c, oh, ow, a.X.F32(), a.Out.F32(), a.Index.I32(), a.Kernel, a.Stride, a.Pad})
}

// maxPoolWork is images x of h×w pixels of c channels and o of oh×ow.
type maxPoolWork struct {
	v                   *vector
	h, w, c, oh, ow     int
	x, o                []float32
	index               []int32
	kernel, stride, pad int
}

var maxPoolRows = newSpread(func(t *maxPoolWork, lo, hi int) {
	v, h, w, c, oh, ow, x, o, index, kernel, stride, pad := t.v, t.h, t.w, t.c, t.oh, t.ow, t.x, t.o, t.index, t.kernel, t.stride, t.pad
	for r := lo; r < hi; r++ {
		top := r%oh*stride - pad
		for i := 0; i < ow; i++ {
			out, left, first := o[(r*ow+i)*c:(r*ow+i+1)*c], i*stride-pad, true
			for y := max(top, 0); y < min(top+kernel, h); y++ {
				for u := max(left, 0); u < min(left+kernel, w); u++ {
					var idx []int32
					if index != nil {
						idx = index[(r*ow+i)*c : (r*ow+i+1)*c]
					}
					maxInto(v, out, idx, x[((r/oh*h+y)*w+u)*c:][:c], int32(y*w+u), first)
					first = false
				}
			}
		}
	}
})

// maxInto keeps the larger of out and x and where it came from; NaN is larger than all.
func maxInto(v *vector, out []float32, idx []int32, x []float32, at int32, first bool) {
	if first {
		copy(out, x)
		for k := range idx {
			idx[k] = at
		}
		return
	}
	if idx == nil {
		v.larger(out, x)
		return
	}
	for k, v := range x {
		if v > out[k] || v != v {
			out[k], idx[k] = v, at
		}
	}
}

func maxPoolGradRun(a *kernels.MaxPoolGradArgs) {
	h, w, c, oh, ow := a.DX.Dim(1), a.DX.Dim(2), a.DX.Dim(3), a.DOut.Dim(1), a.DOut.Dim(2)
	index, d, dx, kernel, stride, pad := a.Index.I32(), a.DOut.F32(), a.DX.F32(), a.Kernel, a.Stride, a.Pad
	Ranges(a.DX.Dim(0)*h, rowGrain(w*c*kernel), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			y, row := r%h, dx[r*w*c:(r+1)*w*c]
			clear(row)
			for v := max(0, ceilDiv(max(0, y+pad-kernel+1), stride)); v < oh && v*stride-pad <= y; v++ { // windows that hold this row
				at := (r/h*oh + v) * ow * c
				for k, i := range index[at : at+ow*c] {
					if int(i)/w == y {
						row[int(i)%w*c+k%c] += d[at+k]
					}
				}
			}
		}
	})
}
