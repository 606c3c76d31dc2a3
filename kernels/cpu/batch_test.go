package cpu

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
)

const batchRows = 64

// sameRows holds that run(lo, hi), the results of the rows (or images, or queries) lo..hi-1 alone, are the bits of those rows among all.
func sameRows(t *testing.T, what string, run func(lo, hi int) []float32) {
	t.Helper()
	all := run(0, batchRows)
	w := len(all) / batchRows
	for _, m := range []int{1, 2, 3, 4, 5, 12, 13, batchRows - 1} {
		for _, lo := range []int{0, batchRows - m} {
			for i, x := range run(lo, lo+m) {
				if y := all[lo*w+i]; math.Float32bits(x) != math.Float32bits(y) {
					t.Fatalf("%s: element %d of row %d of %d is %v, in the batch of %d it is %v", what, i%w, lo+i/w, m, x, batchRows, y)
				}
			}
		}
	}
}

// allMicros are the micro-kernels of products, those with bfloat16 operands among them.
func allMicros() []*micro { return slices.Concat(micros, bf16Micros) }

// part is the view of rows lo..hi-1 of a tensor; an absent one stays absent.
func part(v kernels.View, lo, hi int) kernels.View {
	if v.Absent() {
		return v
	}
	w := v.Len() / v.Dim(0)
	shape := append([]int{hi - lo}, v.Shape()[1:]...)
	if v.DType == kernels.I32 {
		return kernels.Of(v.I32()[lo*w:hi*w], shape...)
	}
	return kernels.Of(v.F32()[lo*w:hi*w], shape...)
}

// likePart is poison of the shape of such a part.
func likePart(v kernels.View, lo, hi int) kernels.View {
	v = part(v, lo, hi)
	return kernels.Poison(v.Shape()...)
}

// A row of a product has the same bits however many rows come with it, alone or as one of a batch.
func TestRowsOfProductsDoNotDependOnTheirNumber(t *testing.T) {
	for _, d := range [][]int{{8, 64, 1}, {64, 64, 1}, {200, 256, 1}, {33, 770, 1}, {300, 1100, 1}, {4, 300, 1}, {70, 513, 0}, {3, 400, 0}, {2100, 40, 1}} { // N, K, transB
		n, k, r := d[0], d[1], kernels.NewRand(5)
		x, w, bias, res := r.Normal(batchRows, k), r.Normal(1, k, n), r.Normal(n), r.Normal(batchRows, n)
		for _, act := range []kernels.Act{kernels.ActNone, kernels.GELU} {
			args := func(lo, hi int, batched bool) *kernels.GEMMArgs {
				b, m := 1, hi-lo
				if batched {
					b, m = hi-lo, 1
				}
				a := &kernels.GEMMArgs{A: part(x, lo, hi).As(b, m, k), B: w, Bias: bias, Residual: part(res, lo, hi).As(b, m, n), Out: kernels.Poison(b, m, n), Alpha: 0.7, Act: act, TransB: d[2] == 1}
				if a.TransB {
					a.B = w.As(1, n, k)
				}
				return a
			}
			for _, m := range allMicros() {
				if !m.available() {
					continue
				}
				run := func(batched bool) func(lo, hi int) []float32 {
					return func(lo, hi int) []float32 {
						a := args(lo, hi, batched)
						m.gemm(a)
						return a.Out.F32()
					}
				}
				sameRows(t, fmt.Sprint(m.name, d, act), run(false))
				require.Equal(t, run(false)(0, batchRows), run(true)(0, batchRows), "%s %v: batches of one row", m.name, d)
				own := args(0, batchRows, true) // every row with a copy of B
				own.B = repeated(w, batchRows).As(batchRows, own.B.Dim(1), own.B.Dim(2))
				m.gemm(own)
				require.Equal(t, run(false)(0, batchRows), own.Out.F32(), "%s %v: a B for every row", m.name, d)
			}
			sameRows(t, fmt.Sprint("default choice", d, act), func(lo, hi int) []float32 {
				a := args(lo, hi, false)
				require.NoError(t, kernels.GEMM.Run(&kernels.Stream{}, a))
				return a.Out.F32()
			})
		}
	}
}

func repeated(v kernels.View, n int) kernels.View {
	var f []float32
	for range n {
		f = append(f, v.F32()...)
	}
	return kernels.Of(f, len(f))
}

// How the depth of a small, deep product is dealt out does not show in its bits.
func TestSplitDepthHasTheBitsOfOneGo(t *testing.T) {
	for _, d := range [][]int{{1, 8, 24, 40000, 1, 0, 3}, {1, 9, 16, 30001, 1, 0, 4}, {1, 11, 15, 40000, 0, 1, 11}} {
		for _, m := range micros {
			if !m.available() {
				continue
			}
			a := kernels.GEMM.Make(kernels.NewRand(2), d)
			b := kernels.GEMM.Make(kernels.NewRand(2), d)
			p := product{m: d[1], n: d[2], k: d[3], alpha: a.Alpha, accumulate: a.Accumulate, act: a.Act, bias: a.Bias.F32(), res: a.Residual.F32(), out: a.Out.F32(),
				a: operand{data: a.A.F32(), ld: d[1]}, b: operand{data: a.B.F32(), ld: d[2]}}
			if !a.TransA {
				p.a.ld, p.a.deep = d[3], true
			}
			if a.TransB {
				p.b.ld, p.b.deep = d[3], true
			}
			if m != microGo {
				require.True(t, m.deepAndSmall(&p), "%s %v", m.name, d)
			}
			m.multiply(&p, false)
			q := p
			q.out = b.Out.F32()
			m.multiply(&q, true)
			require.Equal(t, b.Out.F32(), a.Out.F32(), "%s %v", m.name, d)
		}
	}
}

// The same for the images of a convolution and of its gradient to the input.
func TestImagesOfConvolutionsDoNotDependOnTheirNumber(t *testing.T) {
	for _, d := range [][]int{{6, 5, 7, 40, 3, 3, 1, 1, 1, 1, 1, 3}, {4, 4, 33, 20, 1, 1, 1, 0, 0, 0, 0, 9}, {2, 2, 300, 8, 1, 1, 1, 0, 0, 0, 0, 1}, {8, 8, 3, 16, 3, 3, 2, 0, 0, 1, 1, 1},
		{1, 1, 260, 30, 1, 1, 1, 0, 0, 0, 0, 1}, {9, 7, 16, 3, 3, 3, 1, 1, 1, 1, 1, 11}, {5, 6, 3, 4, 3, 3, 1, 1, 1, 1, 1, 1}} { // as convDims without the batch
		full := kernels.Conv2D.Make(kernels.NewRand(4), append([]int{batchRows}, d...))
		dout := kernels.NewRand(6).Normal(full.Out.Shape()...)
		for _, m := range allMicros() {
			if !m.available() {
				continue
			}
			sameRows(t, fmt.Sprint(m.name, d), func(lo, hi int) []float32 {
				a := full
				a.X, a.Residual, a.Out = part(a.X, lo, hi), part(a.Residual, lo, hi), likePart(a.Out, lo, hi)
				m.conv2d(&a)
				return a.Out.F32()
			})
			sameRows(t, fmt.Sprint(m.name, " gradient ", d), func(lo, hi int) []float32 {
				a := kernels.Conv2DGradXArgs{DOut: part(dout, lo, hi), W: full.W, DX: likePart(full.X, lo, hi), Stride: full.Stride, Pad: full.Pad}
				m.conv2dGradX(&a)
				return a.DX.F32()
			})
		}
	}
}

// attentions are the variants of attention.
func attentions() map[string]func(a *kernels.AttentionArgs) {
	all := map[string]func(a *kernels.AttentionArgs){}
	for _, p := range panels {
		if p.available == nil || p.available() {
			all[p.name] = p.attention
		}
	}
	for _, m := range bf16Micros {
		if m.available() {
			all[m.name] = m.attention
		}
	}
	return all
}

// Attention, forward and backward, of a batch item; and the queries of a head one by one.
func TestAttentionDoesNotDependOnTheBatch(t *testing.T) {
	for _, d := range [][]int{{9, 9, 2, 20, 1}, {5, 33, 3, 16, 2}, {70, 12, 1, 8, 0}} { // N, M, H, D, flags
		full := kernels.Attention.Make(kernels.NewRand(8), append([]int{batchRows}, d...))
		dout := kernels.NewRand(9).Normal(full.Out.Shape()...)
		for _, p := range panels {
			if p.available != nil && !p.available() {
				continue
			}
			forward := func(lo, hi int) kernels.AttentionArgs {
				a := full
				for _, v := range []*kernels.View{&a.Q, &a.K, &a.V, &a.KeyMask} {
					*v = part(*v, lo, hi)
				}
				a.Out, a.LSE = kernels.Poison(a.Q.Shape()...), kernels.Poison(hi-lo, d[2], d[0])
				p.attention(&a)
				return a
			}
			sameRows(t, fmt.Sprint(p.name, d), func(lo, hi int) []float32 { a := forward(lo, hi); return a.Out.F32() })
			for g := range 3 {
				sameRows(t, fmt.Sprint(p.name, " gradient ", g, d), func(lo, hi int) []float32 {
					f := forward(lo, hi)
					a := kernels.AttentionGradArgs{Q: f.Q, K: f.K, V: f.V, KeyMask: f.KeyMask, Out: f.Out, LSE: f.LSE, DOut: part(dout, lo, hi), Scale: f.Scale, Causal: f.Causal,
						DQ: kernels.Poison(f.Q.Shape()...), DK: kernels.Poison(f.K.Shape()...), DV: kernels.Poison(f.V.Shape()...)}
					p.attentionGrad(&a)
					return [][]float32{a.DQ.F32(), a.DK.F32(), a.DV.F32()}[g]
				})
			}
		}
	}
	r := kernels.NewRand(3)
	q, k, v := r.Normal(batchRows, 2, 24), r.Normal(1, 600, 2, 24), r.Normal(1, 600, 2, 24)
	for name, attention := range attentions() {
		sameRows(t, name+" queries", func(lo, hi int) []float32 {
			a := kernels.AttentionArgs{Q: part(q, lo, hi).As(1, hi-lo, 2, 24), K: k, V: v, Out: kernels.Poison(1, hi-lo, 2, 24), Scale: 0.2}
			attention(&a)
			return a.Out.F32()
		})
	}
}

// A causal query has the same bits with all queries before it, alone behind kept keys, with tokens after it, and with masked keys after it.
func TestAttentionOfASequenceDoesNotDependOnWhatFollows(t *testing.T) {
	const n, h, d = 90, 2, 20
	r := kernels.NewRand(11)
	q, k, v := r.Normal(n, h*d), r.Normal(n, h*d), r.Normal(n, h*d)
	run := func(attention func(*kernels.AttentionArgs), from, to, keys int, mask []int32) []float32 {
		a := kernels.AttentionArgs{Q: part(q, from, to).As(1, to-from, h, d), K: part(k, 0, keys).As(1, keys, h, d), V: part(v, 0, keys).As(1, keys, h, d),
			Out: kernels.Poison(1, to-from, h, d), Scale: 0.3, Causal: mask == nil}
		if mask != nil {
			a.KeyMask = kernels.Of(mask, 1, keys)
		}
		attention(&a)
		return a.Out.F32()
	}
	for name, attention := range attentions() {
		all := run(attention, 0, n, n, nil)
		for _, m := range []int{1, 2, 15, 16, 17, 33, 64, 65, n - 1} {
			require.Equal(t, all[:m*h*d], run(attention, 0, m, m, nil), "%s: the first %d", name, m)
			require.Equal(t, all[(m-1)*h*d:m*h*d], run(attention, m-1, m, m, nil), "%s: token %d behind its keys", name, m)
			mask := make([]int32, n)
			for i := range m {
				mask[i] = 1
			}
			require.Equal(t, all[(m-1)*h*d:m*h*d], run(attention, m-1, m, n, mask), "%s: token %d before masked keys", name, m)
		}
	}
}

// Ops that work on rows or images by themselves.
func TestRowsOfNormsDoNotDependOnTheirNumber(t *testing.T) {
	r := kernels.NewRand(7)
	const c, p = 37, 70
	x, gain, bias, images := r.Normal(batchRows, c), r.Normal(c), r.Normal(c), r.Normal(batchRows, p, 12)
	mem := r.Normal(5000, c)
	run := func(t *testing.T, err error) { t.Helper(); require.NoError(t, err) }
	for _, v := range vectors {
		if haveISA() < v.level {
			continue
		}
		rows := func(what string, fn func(x, out kernels.View)) {
			sameRows(t, fmt.Sprint(v.level, " ", what), func(lo, hi int) []float32 {
				out := kernels.Poison(hi-lo, c)
				fn(part(x, lo, hi), out)
				return out.F32()
			})
		}
		rows("layernorm", func(x, out kernels.View) {
			layerNormRun(v, &kernels.LayerNormArgs{X: x, Gain: gain, Bias: bias, Out: out, Eps: 1e-5})
		})
		rows("softmax", func(x, out kernels.View) { softmaxRun(v, &kernels.SoftmaxArgs{X: x, Out: out}) })
		rows("log softmax", func(x, out kernels.View) { softmaxRun(v, &kernels.SoftmaxArgs{X: x, Out: out, Log: true}) })
		rows("row norm", func(x, out kernels.View) { rowNormRun(v, &kernels.RowNormArgs{X: x, Out: out, Eps: 1e-9}) })
		for f := kernels.GELU; int(f) < len(v.act) && v.act[f] != nil; f++ {
			rows(f.String(), func(x, out kernels.View) { v.act[f](out.F32(), x.F32()) })
		}
		sameRows(t, fmt.Sprint(v.level, " groupnorm"), func(lo, hi int) []float32 {
			out := kernels.Poison(hi-lo, p, 12)
			groupNormRun(v, &kernels.GroupNormArgs{X: part(images, lo, hi), Gain: part(gain, 0, 12), Bias: part(bias, 0, 12), Out: out, Groups: 4, Eps: 1e-5, Act: kernels.SiLU})
			return out.F32()
		})
		for shape, out := range map[[3]int][3]int{{1, p, 12}: {1, 1, 12}, {1, p * 12, 1}: {1, 1, 1}, {1, 1, p * 12}: {1, 1, 1}} {
			sameRows(t, fmt.Sprint(v.level, " reduce ", shape), func(lo, hi int) []float32 {
				n := hi - lo
				y := kernels.Poison(n*out[0], out[1], out[2])
				reduceRun(v, &kernels.ReduceArgs{X: part(images, lo, hi).As(n*shape[0], shape[1], shape[2]), Out: y, Scale: 0.5})
				return y.F32()
			})
		}
	}
	s := &kernels.Stream{}
	for _, k := range []int{0, 5} {
		sameRows(t, fmt.Sprint("project ", k), func(lo, hi int) []float32 {
			a := kernels.ProjectTopKArgs{Query: part(x, lo, hi), Mem: mem, Out: kernels.Poison(hi-lo, c), K: k, Tau: 0.1}
			run(t, kernels.ProjectTopK.Run(s, &a))
			return a.Out.F32()
		})
		sameRows(t, fmt.Sprint("project gradient ", k), func(lo, hi int) []float32 {
			a := kernels.ProjectTopKArgs{Query: part(x, lo, hi), Mem: mem, Out: kernels.Poison(hi-lo, c), K: k, Tau: 0.1}
			run(t, kernels.ProjectTopK.Run(s, &a))
			g := kernels.ProjectTopKGradArgs{Query: a.Query, Mem: mem, Out: a.Out, DOut: part(x, lo, hi), DQuery: kernels.Poison(hi-lo, c), K: k, Tau: 0.1}
			run(t, kernels.ProjectTopKGrad.Run(s, &g))
			return g.DQuery.F32()
		})
	}
}

// A query's projection has the same bits alone, where rows are transposed on the way, and among many; so it has with a bank that lies in bfloat16.
func TestProjectionsDoNotDependOnTheirNumber(t *testing.T) {
	for _, d := range []int{37, 64, 512} {
		r := kernels.NewRand(uint64(d))
		x, mem := r.Unit(batchRows, d), r.Unit(2500, d)
		half := make([]uint16, mem.Len())
		kernels.Narrow(half, mem.F32(), kernels.BF16)
		for _, bank := range []kernels.View{mem, kernels.Of(half, 2500, d)} {
			projections := map[string]func(*kernels.ProjectTopKArgs){}
			for _, m := range bf16Micros {
				if m.available() {
					projections[m.name] = m.project
				}
			}
			if bank.DType == kernels.F32 {
				for _, p := range panels {
					if p.available == nil || p.available() {
						projections[p.name] = p.projectTopK
					}
				}
			}
			var want []float32
			for name, project := range projections {
				run := func(lo, hi int) []float32 {
					a := kernels.ProjectTopKArgs{Query: part(x, lo, hi), Mem: bank, Out: kernels.Poison(hi-lo, d), Tau: 0.1}
					project(&a)
					return a.Out.F32()
				}
				sameRows(t, fmt.Sprint(name, " ", d, " ", bank.DType), run)
				if bank.DType == kernels.BF16 && strings.HasPrefix(name, "bf16") {
					if want == nil {
						want = run(0, batchRows)
					}
					for i, v := range run(0, batchRows) {
						require.InDelta(t, want[i], v, 1e-4, "%s %d", name, i)
					}
				}
			}
		}
	}
}
