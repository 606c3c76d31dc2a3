package geometry

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// cloud is n rows of size e that spread along some directions more than along others, around a point that is not 0.
func cloud(seed uint64, n, e int) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	mix := make([]float64, e*e)
	for i := range mix {
		mix[i] = r.NormFloat64() / float64(1+i/e)
	}
	var out []float32
	for range n {
		row := make([]float64, e)
		for k := range e {
			g := r.NormFloat64()
			for d := range e {
				row[d] += g * mix[k*e+d]
			}
		}
		for d := range e {
			out = append(out, float32(row[d]+float64(d%3)))
		}
	}
	return out
}

// jacobi is another way to eigenvalues of a symmetric matrix: plane rotations until nothing is left beside the diagonal. Eigenvectors are columns of v.
func jacobi(c []float64, e int) (values []float64, v []float64) {
	a, v := append([]float64(nil), c...), make([]float64, e*e)
	for d := range e {
		v[d*e+d] = 1
	}
	for range 60 {
		for p := range e {
			for q := p + 1; q < e; q++ {
				if math.Abs(a[p*e+q]) < 1e-300 {
					continue
				}
				theta := 0.5 * math.Atan2(2*a[p*e+q], a[q*e+q]-a[p*e+p])
				s, co := math.Sincos(theta)
				for k := range e {
					x, y := a[k*e+p], a[k*e+q]
					a[k*e+p], a[k*e+q] = co*x-s*y, s*x+co*y
					x, y = v[k*e+p], v[k*e+q]
					v[k*e+p], v[k*e+q] = co*x-s*y, s*x+co*y
				}
				for k := range e {
					x, y := a[p*e+k], a[q*e+k]
					a[p*e+k], a[q*e+k] = co*x-s*y, s*x+co*y
				}
			}
		}
	}
	for d := range e {
		values = append(values, a[d*e+d])
	}
	return values, v
}

func TestPrincipalAgainstRotations(t *testing.T) {
	const n, e = 60, 7
	x := cloud(3, n, e)
	c := make([]float64, e*e) // by the definition
	for a := range e {
		for b := range e {
			ma, mb := 0.0, 0.0
			for i := range n {
				ma, mb = ma+float64(x[i*e+a])/n, mb+float64(x[i*e+b])/n
			}
			for i := range n {
				c[a*e+b] += (float64(x[i*e+a]) - ma) * (float64(x[i*e+b]) - mb)
			}
		}
	}
	values, vectors := jacobi(c, e)
	first, second, total := 0, -1, 0.0
	for d, v := range values {
		total += v
		if v > values[first] {
			first = d
		}
	}
	for d, v := range values {
		if d != first && (second < 0 || v > values[second]) {
			second = d
		}
	}
	p := Principal(x, e)
	for k, at := range []int{first, second} {
		assert.InDelta(t, values[at]/total, p.Share[k], 1e-9)
		overlap := 0.0
		for d := range e {
			overlap += p.Axis[k][d] * vectors[d*e+at]
		}
		assert.InDelta(t, 1, math.Abs(overlap), 1e-9)
	}
	variance := [2]float64{}
	for i := range n {
		at := p.At(x[i*e : (i+1)*e])
		for k := range at {
			variance[k] += at[k] * at[k] / total
		}
	}
	assert.InDeltaSlice(t, p.Share[:], variance[:], 1e-9, "points in the plane spread as it says")
}

func TestPrincipalOfLittle(t *testing.T) {
	p := Principal([]float32{1, 2, 3, 1, 2, 3}, 3) // no spread
	assert.Equal(t, [2]float64{}, p.Share)
	assert.Equal(t, [2]float64{}, p.At([]float32{5, 5, 5}))
	p = Principal([]float32{0, 0, 0, 2, 0, -4}, 3) // a line
	assert.InDelta(t, 1, p.Share[0], 1e-12)
	assert.InDelta(t, 0, p.Share[1], 1e-12)
	assert.Greater(t, -p.Axis[0][0], 0.0, "the number of largest size is positive")
	at := p.At([]float32{0, 0, 0})
	assert.InDelta(t, math.Sqrt(5), at[0], 1e-9)
	assert.InDelta(t, 0, at[1], 1e-9)
}

func TestSameBits(t *testing.T) {
	x := cloud(4, 300, 16)
	want := Principal(x, 16)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	require.Equal(t, want, Principal(x, 16))
}

func TestRows(t *testing.T) {
	x, y := []float32{3, 4, 0, 2}, []float32{6, 8, 5, 0}
	assert.InDeltaSlice(t, []float32{0.6, 0.8, 0, 1}, Unit(x, 2), 1e-7)
	assert.Equal(t, []float32{0, 0}, Unit([]float32{0, 0}, 2))
	assert.Equal(t, []float64{1.5, 3}, Mean(x, 2))
	assert.Equal(t, 5.0, Distance([]float64{0, 3}, []float64{4, 0}))
	assert.InDeltaSlice(t, []float64{1, 0}, Cosines(x, y, 2, 0), 1e-12)
	assert.InDeltaSlice(t, []float64{0.6, 0.8}, Cosines(x, y, 2, 1), 1e-12)
	assert.Equal(t, 2.0, Average([]float64{1, 3}))
	assert.Equal(t, 0.0, Average(nil))
	assert.Equal(t, []int{0, 2, 5, 7}, Evenly(10, 4))
	assert.Equal(t, []int{0, 1}, Evenly(2, 4))
	assert.Equal(t, []float32{0, 2, 3, 4}, Pick(x, 2, []int{1, 0}))
}

func TestWeights(t *testing.T) {
	c := []float32{0.9, 0.7, 0.7, 0.1}
	w, sum := Weights(c, 0.1), 0.0
	for _, v := range c {
		sum += math.Exp(float64(v) / 0.1)
	}
	for i, v := range c {
		assert.InDelta(t, math.Exp(float64(v)/0.1)/sum, w[i], 1e-7)
	}
	assert.InDelta(t, 1, Share(w, 9), 1e-12)
	assert.InDelta(t, w[0]+w[1], Share(w, 2), 1e-15)
	assert.InDelta(t, 4, Effective(Weights([]float32{1, 1, 1, 1}, 0.1)), 1e-12)
	assert.InDelta(t, 1, Effective(Weights([]float32{1, 0}, 1e-3)), 1e-12)
}
