package tensor_test

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// golden is a file of reference tensors, computed in float64 by the original framework and rounded to float32.
type golden struct {
	t *testing.T
	*safetensors.File
}

func openGolden(t *testing.T, name string) golden {
	f, err := safetensors.Open(filepath.Join("testdata", name))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return golden{t, f}
}

func (g golden) has(name string) bool { _, ok := g.Info(name); return ok }

func (g golden) shape(name string) []int {
	i, ok := g.Info(name)
	require.True(g.t, ok, name)
	return i.Shape
}

func (g golden) floats(name string) []float32 {
	x, err := g.Float32s(name)
	require.NoError(g.t, err, name)
	return x
}

func (g golden) ints(name string) []int32 {
	x, err := g.Int64s(name)
	require.NoError(g.t, err, name)
	y := make([]int32, len(x))
	for i, v := range x {
		y[i] = int32(v)
	}
	return y
}

// near asks that no error be above tol times the largest wanted value.
func near(t *testing.T, what string, want, got []float32, tol float64) {
	t.Helper()
	require.Len(t, got, len(want), what)
	top, worst := 0.0, 0.0
	for i, w := range want {
		e := math.Abs(float64(w) - float64(got[i]))
		require.False(t, math.IsNaN(e), "%s: element %d is %g", what, i, got[i])
		top, worst = max(top, math.Abs(float64(w))), max(worst, e)
	}
	require.LessOrEqual(t, worst, tol*top, "%s: error %.2g of the largest value %g", what, worst/top, top)
}

func TestAttentionGoldens(t *testing.T) {
	g := openGolden(t, "attention.safetensors")
	cases := 0
	for _, n := range g.Names() {
		name, ok := strings.CutSuffix(n, ".out")
		if !ok {
			continue
		}
		cases++
		t.Run(name, func(t *testing.T) {
			s := tensor.NewScope(tensor.CPU(), tensor.WithTape())
			defer s.Close()
			tokens := func(field string) *tensor.Tensor { // the file has heads before tokens
				return s.Permute(s.FromFloat32s(g.floats(name+"."+field), g.shape(name+"."+field)...), 0, 2, 1, 3)
			}
			q, k, v := s.Watch(tokens("q")), s.Watch(tokens("k")), s.Watch(tokens("v"))
			o := tensor.AttentionOptions{Causal: strings.Contains(name, "causal")}
			if g.has(name + ".key_mask") {
				o.KeyMask = s.FromInt32s(g.ints(name+".key_mask"), g.shape(name+".key_mask")...)
			}
			tol, gradTol := 1e-5, 1e-5
			if strings.Contains(name, "large_logits") {
				tol, gradTol = 2e-5, 2e-5
			}
			out := s.Attention(q, k, v, o)
			near(t, "out", tokens("out").Float32s(), out.Float32s(), tol)
			grads := s.Backward(s.SumAll(s.Mul(out, tokens("dout"))))
			// some gradients are 0 in exact arithmetic (one key): the floor is that of the largest gradient
			top := s.FromFloat32s(g.floats(name+".dv"), g.shape(name+".dv")...)
			for i, p := range []*tensor.Tensor{q, k, v} {
				field := []string{"dq", "dk", "dv"}[i]
				want := tokens(field).Float32s()
				if strings.Contains(name, "one_") && i < 2 {
					for j, x := range grads.Of(p).Float32s() {
						require.InDelta(t, want[j], x, 1e-6*float64(largest(top.Float32s())), field)
					}
					continue
				}
				near(t, field, want, grads.Of(p).Float32s(), gradTol)
			}
		})
	}
	require.Equal(t, 12, cases)
}

func largest(x []float32) (top float32) {
	for _, v := range x {
		top = max(top, v, -v)
	}
	return top
}

// ruleMatrix is the rule by which large inputs are made: splitmix64 of seed + index, its upper 24 bits, centred, times √12.
func ruleMatrix(seed uint64, rows, cols int) []float32 {
	x := make([]float32, rows*cols)
	for i := range x {
		z := seed + uint64(i) + 0x9E3779B97F4A7C15
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		z ^= z >> 31
		f := float32(z>>40) * (1.0 / (1 << 24))
		x[i] = (f - 0.5) * 3.4641016
	}
	return x
}

func TestInfoNCEGoldens(t *testing.T) {
	g := openGolden(t, "infonce.safetensors")
	cases := 0
	for _, name := range g.Names() {
		name, ok := strings.CutSuffix(name, ".loss")
		if !ok {
			continue
		}
		cases++
		t.Run(name, func(t *testing.T) {
			var n, d int
			size, logScale, _ := strings.Cut(name, ".ls")
			_, err := fmt.Sscanf(size, "n%d.d%d", &n, &d)
			require.NoError(t, err)
			ls, err := strconv.ParseFloat(logScale, 32)
			require.NoError(t, err)
			base := uint64(1000*n + d)
			x, y := ruleMatrix(base, n, d), ruleMatrix(base+1<<40, n, d)
			if n > 4 {
				for i := range y {
					y[i] = float32(0.35)*x[i] + y[i]
				}
			}
			if g.has(name + ".image") {
				require.Equal(t, g.floats(name+".image"), x)
				near(t, "text", g.floats(name+".text"), y, 1e-7)
			}
			s := tensor.NewScope(tensor.CPU(), tensor.WithTape())
			defer s.Close()
			image, text := s.Watch(s.FromFloat32s(x, n, d)), s.Watch(s.FromFloat32s(y, n, d))
			scale := s.Watch(s.FromFloat32s([]float32{float32(ls)}, 1))
			loss := s.InfoNCE(s.Normalize(image), s.Normalize(text), s.Act(scale, tensor.Exp), tensor.InfoNCEOptions{})
			tol := 1e-5
			if ls > 4 {
				tol = 2e-5
			}
			near(t, "loss", g.floats(name+".loss"), loss.Float32s(), tol)
			grads := s.Backward(loss)
			near(t, "log scale", g.floats(name+".grad_log_scale"), grads.Of(scale).Float32s(), tol)
			for _, side := range []struct {
				name string
				t    *tensor.Tensor
			}{{"image", image}, {"text", text}} {
				got, rows := grads.Of(side.t).Float32s(), []int{0, 1, n / 2, n - 1}
				sum := 0.0
				for _, v := range got {
					sum += float64(v) * float64(v)
				}
				near(t, side.name+" norm", g.floats(name+".grad_"+side.name+"_norm"), []float32{float32(math.Sqrt(sum))}, tol)
				want := g.floats(name + ".grad_" + side.name)
				if len(want) < len(got) {
					var part []float32
					for _, r := range rows {
						part = append(part, got[r*d:(r+1)*d]...)
					}
					got = part
				}
				near(t, side.name, want, got, tol)
			}
			// accuracy: the nearest text of an image is its own, as a search
			_, index := s.TopK(s.Normalize(image), s.Normalize(text), 1)
			hits := 0
			for i, j := range index.Int32s() {
				if i == int(j) {
					hits++
				}
			}
			require.InDelta(t, g.floats(name + ".acc_i2t")[0], float64(hits)/float64(n), 1e-6)
		})
	}
	require.Equal(t, 10, cases)
}

func TestMemoryGoldens(t *testing.T) {
	g := openGolden(t, "bank.safetensors")
	rows := map[string]int{"small": 37, "mid": 1000, "large": 20000, "ties": 8}
	cases := 0
	for _, n := range g.Names() {
		key, ok := strings.CutSuffix(n, ".out")
		if !ok {
			continue
		}
		cases++
		t.Run(key, func(t *testing.T) {
			parts := strings.Split(key, ".")
			name, tau, how := parts[0], float32(0.01), parts[len(parts)-1]
			s := tensor.NewScope(tensor.CPU())
			defer s.Close()
			query := s.FromFloat32s(g.floats(name+".query"), g.shape(name+".query")...)
			d := query.Dim(1)
			var data []float32
			if g.has(name + ".bank") {
				data = g.floats(name + ".bank")
			} else {
				data = ruleMatrix(7<<20, rows[name], d)
			}
			if name == "mid" {
				require.Equal(t, ruleMatrix(7<<20, rows[name], d), data)
			}
			if len(parts) == 3 {
				inverse, err := strconv.Atoi(parts[1][1:])
				require.NoError(t, err)
				tau = 1 / float32(inverse)
			}
			k := 0
			if how != "all" {
				var err error
				k, err = strconv.Atoi(strings.TrimPrefix(how, "top"))
				require.NoError(t, err)
			}
			query, mem := s.Normalize(query), s.Normalize(s.FromFloat32s(data, len(data)/d, d))
			out := s.ProjectTopK(query, mem, k, tau)
			tol := 1e-5
			if tau < 0.01 { // logits up to 150: rounding the unit rows alone moves them by 1e-5
				tol = 2e-5
			}
			near(t, "out", g.floats(key+".out"), out.Float32s(), tol)
			near(t, "normalised", g.floats(key+".out_normalised"), s.Normalize(out).Float32s(), tol)
			for i := range query.Dim(0) { // the same bits alone as in a batch
				one := s.ProjectTopK(s.Slice(query, 0, i, i+1), mem, k, tau)
				require.Equal(t, out.Float32s()[i*d:(i+1)*d], one.Float32s())
			}
			if k == 0 {
				return
			}
			score, index := s.TopK(query, mem, k)
			if g.has(key + ".indices") {
				require.Equal(t, g.ints(key+".indices"), index.Int32s())
			}
			if g.has(key + ".similarities") {
				near(t, "similarities", g.floats(key+".similarities"), score.Float32s(), 1e-6)
			}
		})
	}
	require.Equal(t, 3*(3+4+4)+6, cases)
}

func TestCrossEntropyGoldens(t *testing.T) {
	g := openGolden(t, "activations.safetensors")
	for name, smoothing := range map[string]float32{"cross_entropy_ignore": 0, "cross_entropy_label_smoothing": 0.1} {
		s := tensor.NewScope(tensor.CPU(), tensor.WithTape())
		x := s.Watch(s.FromFloat32s(g.floats(name+".x"), g.shape(name+".x")...))
		y := g.ints(name + ".y")
		loss := s.CrossEntropy(x, s.FromInt32s(y, len(y)), tensor.CrossEntropyOptions{Smoothing: smoothing})
		near(t, name, g.floats(name+".out"), loss.Float32s(), 1e-5)
		grads := s.Backward(s.Scale(loss, g.floats(name + ".dout")[0]))
		near(t, name+" gradient", g.floats(name+".dx"), grads.Of(x).Float32s(), 1e-5)
		s.Close()
	}
}
