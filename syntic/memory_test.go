package syntic

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/syntic/config"
	"syntic/tensor"
)

var ctx = context.Background()

// random is n rows of e normal numbers.
func random(seed uint64, n, e int) []float32 {
	x := make([]float32, n*e)
	tensor.Key{Seed: seed}.Normal(x)
	return x
}

// dot of the unit vectors along a and b.
func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab, aa, bb = ab+float64(a[i])*float64(b[i]), aa+float64(a[i])*float64(a[i]), bb+float64(b[i])*float64(b[i])
	}
	return ab / math.Sqrt(aa*bb)
}

// projection is the equation of Project in float64.
func projection(v, bank []float32, e, exclude int, o config.Memory) []float64 {
	type row struct {
		i int
		s float64
	}
	var rows []row
	for i := range len(bank) / e {
		if i != exclude {
			rows = append(rows, row{i, cosine(v, bank[i*e:(i+1)*e])})
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		if a.s > b.s {
			return -1
		}
		return 1
	})
	if o.TopK > 0 {
		rows = rows[:o.TopK]
	}
	out, total := make([]float64, e), 0.0
	for _, r := range rows {
		w := math.Exp((r.s - rows[0].s) / o.Temperature)
		total += w
		for d, x := range unit(bank[r.i*e : (r.i+1)*e]) {
			out[d] += w * float64(x)
		}
	}
	norm := 0.0
	for d := range out {
		out[d] /= total
		norm += out[d] * out[d]
	}
	if o.Normalise {
		for d := range out {
			out[d] /= math.Sqrt(norm)
		}
	}
	return out
}

func TestProjectIsItsEquation(t *testing.T) {
	const n, m, e = 7, 41, 24
	v, bank := random(1, n, e), random(2, m, e)
	exclude := []int32{-1, 0, 40, 3, -1, 7, 7}
	mem, err := NewMemory(tensor.CPU(), bank, e)
	require.NoError(t, err)
	defer mem.Release()
	for _, o := range []config.Memory{
		{Temperature: 0.1, Normalise: true}, {Temperature: 0.05}, {Temperature: 0.1, TopK: 5, Normalise: true},
		{Temperature: 0.1, ExcludeSelf: true}, {Temperature: 0.1, ExcludeSelf: true, TopK: 3}, {Temperature: 0.1, ExcludeSelf: true, TopK: 40}, {Temperature: 0.2, TopK: 99},
	} {
		got, err := mem.Project(ctx, v, exclude, o, nil)
		require.NoError(t, err)
		for i := range n {
			out, limited := -1, o
			if o.ExcludeSelf {
				out = int(exclude[i])
			}
			if limited.TopK > m-1 {
				limited.TopK = 0
			}
			if out < 0 && o.TopK == 40 { // with texts to leave out, 40 of 41 counts as all
				limited.TopK = 0
			}
			want := projection(v[i*e:(i+1)*e], bank, e, out, limited)
			for d := range want {
				require.InDelta(t, want[d], got[i*e+d], 2e-5, "%+v item %d", o, i)
			}
		}
		one, err := mem.Project(ctx, v[3*e:4*e], exclude[3:4], o, nil)
		require.NoError(t, err)
		assert.Equal(t, got[3*e:4*e], one, "an item alone: the same bits")
	}
}

func TestNeighboursAndStore(t *testing.T) {
	const m, e = 30, 16
	bank := random(3, m, e)
	copy(bank[20*e:21*e], bank[4*e:5*e]) // a text twice
	mem, err := NewMemory(tensor.CPU(), bank, e)
	require.NoError(t, err)
	defer mem.Release()
	cosines, index, err := mem.Neighbours(ctx, bank[4*e:6*e], nil, 3, nil)
	require.NoError(t, err)
	assert.Equal(t, []int32{4, 20, 5}, []int32{index[0], index[1], index[3]})
	assert.InDelta(t, 1, cosines[0], 1e-6)
	assert.InDelta(t, cosine(bank[5*e:6*e], bank[index[4]*e:(index[4]+1)*e]), cosines[4], 1e-6)
	_, index, err = mem.Neighbours(ctx, bank[4*e:6*e], []int32{4, -1}, 1, nil)
	require.NoError(t, err)
	assert.Equal(t, []int32{20, 5}, index)

	path := filepath.Join(t.TempDir(), "memory.safetensors")
	require.NoError(t, mem.Save(path))
	again, err := LoadMemory(tensor.CPU(), path)
	require.NoError(t, err)
	defer again.Release()
	assert.Equal(t, mem.bank.Float32s(), again.bank.Float32s())

	for _, c := range []struct {
		v       []float32
		exclude []int32
		k       int
		want    string
	}{
		{bank[:e+1], nil, 1, "17 numbers of features: want a multiple of their size 16"},
		{make([]float32, e), nil, 1, "feature 0: its length is 0"},
		{bank[:e], nil, 31, "31 neighbours: want 1 to 30"},
		{bank[:e], []int32{1}, 30, "30 neighbours: want 1 to 29"},
		{bank[:e], []int32{30}, 1, "text 30 to leave out: want -1 to 29"},
		{bank[:e], []int32{1, 2}, 1, "2 texts to leave out for 1 features"},
	} {
		_, _, err := mem.Neighbours(ctx, c.v, c.exclude, c.k, nil)
		assert.ErrorContains(t, err, c.want)
	}
	_, err = NewMemory(tensor.CPU(), nil, e)
	assert.EqualError(t, err, "memory: no texts: want at least one")
	_, err = mem.Project(ctx, bank, nil, config.Memory{}, nil)
	assert.ErrorContains(t, err, "Tau 0")
	stop, cancel := context.WithCancel(ctx)
	cancel()
	_, err = mem.Project(stop, bank, nil, config.Memory{Temperature: 1}, nil)
	assert.ErrorIs(t, err, context.Canceled)
}
