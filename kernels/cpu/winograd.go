package cpu

import (
	"sync"
	"unsafe"

	"syntic/kernels"
)

// Convolutions of 3×3 taps and stride 1 by Winograd's F(4×4, 3×3) (Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural Networks"): a
// tile of 4×4 pixels of Out, which sees 6×6 pixels of X, is a polynomial product that is evaluated at 6×6 points, so each pair of channels costs
// 36 multiplications instead of 144:
//
//	Out = Aᵀ [(G W Gᵀ) ⊙ (Bᵀ X B)] A,   ⊙ summed over the channels: for each of the 36, a matrix product of tiles by channels
//
// The points are 0, ±1/√2, ±√2, ∞. Rounding errors of the transforms reach the result 7 times enlarged at worst, where the usual points
// 0, ±1, ±2, ∞ enlarge them 31 times (√Σ_t Aᵀ[i, t]²·|G[t]|²·|Bᵀ[t]|² / √3, squared for two dimensions):
//
//	Bᵀ = 1   0  -5/2   0   1  0     G =   1     0     0      Aᵀ = 1   1     1     1    1   0
//	     0 -√2    -2 1/√2  1  0        -2/3 -√2/3  -1/3           0 1/√2 -1/√2   √2  -√2   0
//	     0  √2    -2 -1/√2 1  0        -2/3  √2/3  -1/3           0 1/2   1/2     2    2   0
//	     0 -1/√2 -1/2 √2   1  0         1/6  √2/6   1/3           0 1/√8 -1/√8   √8  -√8   1
//	     0  1/√2 -1/2 -√2  1  0         1/6 -√2/6   1/3
//	     0   1     0 -5/2  0  1          0     0     1
//
// Tiles of X are transformed for a stage of tiles, for all tasks. Weights are transformed by the task that needs them, a block of channels at a
// time, so that they stay in the second-level cache: reading 36 numbers from memory would take longer than making them of 9, and nothing is kept
// between calls. Results depend on the image alone: on no number of workers, nor of images.

const (
	winogradOut    = 4       // pixels of a tile along one side
	winogradIn     = 6       // pixels of X that it sees
	winogradPoints = 36      // products
	winogradDepth  = 128     // channels of a block at most, a multiple of 16
	winogradStage  = 1 << 22 // transformed values of X in a stage
	winogradGroup  = 256     // tiles of a task
	winogradLeast  = 32      // channels on either side, of which the transforms are worth it
)

// winograd is the transforms with the loops of an instruction set. Each handles n vectors of `lanes` channels; strides are in bytes; tmp is memory
// for 36 vectors.
type winograd struct {
	lanes int
	// input writes 36 vectors, step apart, for 6×6 pixels of src, a line and a pixel apart.
	input func(dst unsafe.Pointer, step uintptr, src unsafe.Pointer, line, pixel uintptr, tmp unsafe.Pointer, n uintptr)
	// weight writes 36 vectors, step apart, for nine vectors, a tap apart.
	weight func(dst unsafe.Pointer, step uintptr, src unsafe.Pointer, tap uintptr, tmp unsafe.Pointer, n uintptr)
	// output writes 4×4 pixels, a line and a pixel apart, for 36 vectors, step apart: max(floor, sum + bias + res). res lies as dst does; nil: none.
	output func(dst unsafe.Pointer, line, pixel uintptr, src unsafe.Pointer, step uintptr, bias, res, tmp unsafe.Pointer, n uintptr, floor float32)
}

// winogradOf are the transforms of a micro-kernel's instruction set.
func winogradOf(level isa) *winograd {
	if f := winogradASM(level); f != nil {
		return f
	}
	return winogradGo
}

// fitsWinograd tells whether a convolution has the form, and is large enough for the transforms to be worth it. Never asks for the number of images.
func fitsWinograd(s kernels.ConvSizes, stride int) bool {
	tiles := ceilDiv(s.OH, winogradOut) * ceilDiv(s.OW, winogradOut)
	return s.KH == 3 && s.KW == 3 && stride == 1 && min(s.I, s.O) >= winogradLeast && tiles*winogradOut*winogradOut <= 2*s.OH*s.OW
}

// winogradJob is the work space of one convolution; jobs are pooled and hold their own function values, so that a call allocates nothing.
type winogradJob struct {
	m             *micro
	f             *winograd
	s             kernels.ConvSizes
	x, out        []float32
	bias, res     []float32
	w             operand
	weights       uintptr // where w begins
	size          int     // bytes of a number of w
	act           kernels.Act
	top, left     int
	high, wide    int // tiles of an image
	depth, blocks int // channels of a block, blocks
	from, to      int // tiles of this stage
	grain, group  int // tiles of a piece of input, of a task
	step          int // values between the 36 transforms of a block of X
	v             []float32
	fixed         *fixedPoint // transformed operands are whole numbers (winograd_fixed.go), pairs in v; nil: float32
	stage         int         // tiles of a stage
	scales        []float32   // of rows of v: [blocks, 36, stage]
	inputFn       func(int)
	taskFn        func(int)
}

var winogradJobs = sync.Pool{New: func() any {
	j := new(winogradJob)
	j.inputFn, j.taskFn = j.input, j.task
	return j
}}

// winograd computes a convolution that fitsWinograd.
func (m *micro) winograd(a *kernels.Conv2DArgs) { m.winogradBy(a, nil) }

func (m *micro) winogradBy(a *kernels.Conv2DArgs, fixed *fixedPoint) {
	s := a.Sizes()
	j := winogradJobs.Get().(*winogradJob)
	j.fixed = fixed
	j.m, j.f, j.s, j.act, j.top, j.left = m, winogradOf(m.level), s, a.Act, a.Pad[0], a.Pad[1]
	j.x, j.out, j.bias, j.res, j.w = a.X.F32(), a.Out.F32(), a.Bias.F32(), a.Residual.F32(), weight(&a.W, s.O, 9*s.I, true)
	j.weights, j.size = uintptr(a.W.Ptr()), a.W.Bytes()/a.W.Len()
	j.high, j.wide = ceilDiv(s.OH, winogradOut), ceilDiv(s.OW, winogradOut)
	j.depth = (evenly(s.I, winogradDepth) + 15) &^ 15
	j.blocks = ceilDiv(s.I, j.depth)
	tiles, each, row := s.B*j.high*j.wide, winogradPoints*j.blocks*j.depth, j.depth
	if fixed != nil {
		each, row = each/2, row/2
	}
	j.stage = evenly(tiles, max(1, winogradStage/each))
	j.group = evenly(j.stage, winogradGroup)
	j.grain = max(1, 1<<12/s.I)
	j.step = j.stage*row + 16 // no power of two, or all 36 would fall on each other in the caches
	rows := j.blocks * winogradPoints
	v := getScratch(rows * (j.step + j.stage))
	j.v, j.scales = v.f[:rows*j.step], v.f[rows*j.step:]
	for j.from = 0; j.from < tiles; j.from = j.to {
		j.to = min(tiles, j.from+j.stage)
		n := j.to - j.from
		Parallel(ceilDiv(n, j.grain), j.inputFn)
		Parallel(ceilDiv(n, j.group)*ceilDiv(s.O, m.nr), j.taskFn)
	}
	v.put()
	*j = winogradJob{inputFn: j.inputFn, taskFn: j.taskFn} // keeps no operand alive
	winogradJobs.Put(j)
}

// place is the image of a tile and its first pixel.
func (j *winogradJob) place(tile int) (b, y, x int) {
	return tile / (j.high * j.wide), tile / j.wide % j.high * winogradOut, tile % j.wide * winogradOut
}

// input transforms what some tiles see.
func (j *winogradJob) input(piece int) {
	s := &j.s
	work := getScratch(2*winogradPoints*j.depth + winogradPoints*16)
	tmp, patch, whole := unsafe.Pointer(&work.f[0]), work.f[winogradPoints*16:], work.f[winogradPoints*(16+j.depth):]
	for tile := j.from + piece*j.grain; tile < min(j.to, j.from+(piece+1)*j.grain); tile++ {
		b, y, x := j.place(tile)
		y, x = y-j.top, x-j.left
		inside := y >= 0 && x >= 0 && y+winogradIn <= s.H && x+winogradIn <= s.W
		for k := range j.blocks {
			c0 := k * j.depth
			c := min(j.depth, s.I-c0)
			dst, vecs, step := unsafe.Pointer(&whole[0]), uintptr(ceilDiv(c, j.f.lanes)), uintptr(4*j.depth)
			if j.fixed == nil {
				dst, step = unsafe.Pointer(&j.v[k*winogradPoints*j.step+(tile-j.from)*j.depth]), uintptr(4*j.step)
			}
			if inside && c%j.f.lanes == 0 {
				j.f.input(dst, step, unsafe.Pointer(&j.x[((b*s.H+y)*s.W+x)*s.I+c0]), uintptr(4*s.W*s.I), uintptr(4*s.I), tmp, vecs)
			} else {
				j.cut(patch, b, y, x, c0, c)
				j.f.input(dst, step, unsafe.Pointer(&patch[0]), uintptr(4*winogradIn*j.depth), uintptr(4*j.depth), tmp, vecs)
			}
			if j.fixed != nil {
				j.fixInput(whole, k, tile-j.from, int(vecs))
			}
		}
	}
	work.put()
}

// cut copies c channels, from c0, of 6×6 pixels from (y, x) of image b, zeros outside the image and up to whole vectors.
func (j *winogradJob) cut(patch []float32, b, y, x, c0, c int) {
	s, full := &j.s, ceilDiv(c, j.f.lanes)*j.f.lanes
	for i := range winogradPoints {
		to, h, w := patch[i*j.depth:][:full], y+i/winogradIn, x+i%winogradIn
		if h < 0 || w < 0 || h >= s.H || w >= s.W {
			clear(to)
			continue
		}
		copy(to, j.x[((b*s.H+h)*s.W+w)*s.I+c0:][:c])
		clear(to[c:])
	}
}

// task computes one panel of channels of Out for one group of tiles.
func (j *winogradJob) task(i int) {
	nr, panels := j.m.nr, ceilDiv(j.s.O, j.m.nr)
	t0, c0 := j.from+i/panels*j.group, i%panels*nr
	t1 := min(j.to, t0+j.group)
	block := j.depth * nr
	ustep, mstep := block+16, j.group*nr+16
	work := getScratch(winogradPoints*(16+ustep+mstep+nr) + 9*block)
	u, rest := work.f[:winogradPoints*ustep], work.f[winogradPoints*ustep:]
	sums, rest := rest[:winogradPoints*mstep], rest[winogradPoints*mstep:]
	columns, rest := rest[:winogradPoints*nr], rest[winogradPoints*nr:]
	tmp, taps := unsafe.Pointer(&rest[0]), rest[winogradPoints*16:]
	w := workers.Get().(*worker)
	for k := range j.blocks {
		k0 := k * j.depth
		c := min(j.depth, j.s.I-k0)
		for tap := range 9 {
			j.w.pack(j.m, taps[tap*block:], nr, c0, min(j.s.O, c0+nr), tap*j.s.I+k0, tap*j.s.I+k0+c)
		}
		if j.fixed != nil {
			if c%2 != 0 { // a pair's second half
				for tap := range 9 {
					clear(taps[tap*block+c*nr:][:nr])
				}
			}
			j.f.weight(unsafe.Pointer(&u[0]), uintptr(4*ustep), unsafe.Pointer(&taps[0]), uintptr(4*block), tmp, uintptr((c+c%2)*nr/j.f.lanes))
			j.multiplyFixed(&w.tile, k, c, t0, t1, c0, u, sums, columns, ustep, mstep)
			continue
		}
		j.f.weight(unsafe.Pointer(&u[0]), uintptr(4*ustep), unsafe.Pointer(&taps[0]), uintptr(4*block), tmp, uintptr(c*nr/j.f.lanes))
		j.multiply(&w.tile, k, c, t0, t1, c0, u, sums, ustep, mstep)
	}
	j.output(t0, t1, c0, sums, rest, mstep)
	w.tile = tile{}
	workers.Put(w)
	work.put()
}

// multiply adds the 36 products of block k, of c channels, to the sums of the tiles t0..t1-1, and asks for the weights of the next block meanwhile:
// short pieces far apart, which no processor foresees.
func (j *winogradJob) multiply(t *tile, k, c, t0, t1, c0 int, u, sums []float32, ustep, mstep int) {
	nr, tiles := j.m.nr, t1-t0
	rows := evenly(tiles, j.m.mr)
	*t = tile{ars: uintptr(4 * j.depth), acs: 4, bs: uintptr(4 * nr), cs: uintptr(4 * nr), k: c, alpha: 1, mask: uint32(1<<nr - 1), aheadStep: uintptr(4 * rows * j.depth / c)}
	if k > 0 {
		t.acc = 1
	}
	for p := range winogradPoints {
		v := j.v[(k*winogradPoints+p)*j.step+(t0-j.from)*j.depth:]
		t.b = unsafe.Pointer(&u[p*ustep])
		j.fetchWeights(k, p, c0)
		for r := 0; r < tiles; r += rows {
			t.a, t.c = unsafe.Pointer(&v[r*j.depth]), unsafe.Pointer(&sums[p*mstep+r*nr])
			t.ahead = uintptr(t.a) + uintptr(4*rows*j.depth) // the next rows
			if r+rows >= tiles {
				t.ahead = uintptr(unsafe.Pointer(&v[0])) + uintptr(4*j.step)
			}
			j.m.run[min(rows, tiles-r)](t)
		}
	}
}

// fetchWeights asks for a share of the weights of the block after k.
func (j *winogradJob) fetchWeights(k, p, c0 int) {
	if quarter := j.m.nr / 4; k+1 < j.blocks {
		at := (c0+p%4*quarter)*9*j.s.I + p/4*j.s.I + (k+1)*j.depth
		fetchRows(j.weights+uintptr(j.size*at), uintptr(9*j.size*j.s.I), uintptr(ceilDiv(j.size*j.depth, 64)), uintptr(quarter))
	}
}

// output makes the pixels of the tiles t0..t1-1, of the channels from c0, from their sums; work is memory that nobody needs any more.
func (j *winogradJob) output(t0, t1, c0 int, sums, work []float32, mstep int) {
	s, nr := &j.s, j.m.nr
	cols := min(nr, s.O-c0)
	bias, edge, tmp := work[:nr], work[nr:][:winogradOut*winogradOut*nr], unsafe.Pointer(&work[(1+winogradOut*winogradOut)*nr])
	clear(bias)
	if j.bias != nil {
		copy(bias, j.bias[c0:c0+cols])
	}
	floor, vecs := negInf, uintptr(nr/j.f.lanes)
	if j.act == kernels.ReLU {
		floor = 0
	}
	for tile := t0; tile < t1; tile++ {
		b, y, x := j.place(tile)
		h, w := min(winogradOut, s.OH-y), min(winogradOut, s.OW-x)
		at := ((b*s.OH+y)*s.OW+x)*s.O + c0
		src, step := unsafe.Pointer(&sums[(tile-t0)*nr]), uintptr(4*mstep)
		whole := h == winogradOut && w == winogradOut && cols == nr
		if whole {
			var res unsafe.Pointer
			if j.res != nil {
				res = unsafe.Pointer(&j.res[at])
			}
			j.f.output(unsafe.Pointer(&j.out[at]), uintptr(4*s.OW*s.O), uintptr(4*s.O), src, step, unsafe.Pointer(&bias[0]), res, tmp, vecs, floor)
		} else {
			j.f.output(unsafe.Pointer(&edge[0]), uintptr(4*winogradOut*nr), uintptr(4*nr), src, step, unsafe.Pointer(&bias[0]), nil, tmp, vecs, negInf)
		}
		if whole && (j.act == kernels.ActNone || j.act == kernels.ReLU) {
			continue
		}
		for i := range h * w {
			p := at + (i/w*s.OW+i%w)*s.O
			to := j.out[p : p+cols]
			if !whole {
				copy(to, edge[(i/w*winogradOut+i%w)*nr:])
				if j.res != nil {
					for c, r := range j.res[p : p+cols] {
						to[c] += r
					}
				}
			}
			if j.act != kernels.ActNone {
				j.m.activate(j.act, to)
			}
		}
	}
}
