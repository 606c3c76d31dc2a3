package syntic

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/syntic/config"
	"syntic/tensor"
	"syntic/tensor/safetensors"
)

func packedMemory(t *testing.T, bank []float32, e int, dtype string) *Memory {
	t.Helper()
	m, _, err := MemoryOf(tensor.CPU(), bank, e, config.Memory{DType: dtype}, 1)
	require.NoError(t, err)
	t.Cleanup(m.Release)
	require.Equal(t, dtype, m.DType())
	return m
}

// TestPackedMemoryRoundsAsItSays holds the stored numbers against the bounds of the key's doc.
func TestPackedMemoryRoundsAsItSays(t *testing.T) {
	const m, e = 200, 48
	bank := random(3, m, e)
	for dtype, bound := range map[string]func(row []float32) float64{
		"f16": func([]float32) float64 { return 1.0 / 4096 },
		"int8": func(row []float32) (top float64) {
			for _, x := range row {
				top = max(top, math.Abs(float64(x))/254)
			}
			return top * (1 + 1e-6)
		},
	} {
		mem := packedMemory(t, bank, e, dtype)
		largest, cos := 0.0, 1.0
		for i := range m {
			was, is := unit(bank[i*e:(i+1)*e]), mem.packed.rows(i, i+1)
			for d := range was {
				diff := math.Abs(float64(was[d]) - float64(is[d]))
				require.LessOrEqual(t, diff, bound(was), dtype)
				largest = max(largest, diff)
			}
			cos = min(cos, cosine(was, is))
		}
		assert.InDelta(t, largest, mem.Rounding().Largest, 1e-7)
		assert.InDelta(t, cos, mem.Rounding().Cosine, 1e-9)
		assert.Less(t, mem.Rounding().Cosine, 1.0)
		assert.Greater(t, mem.Rounding().Cosine, 0.999)
	}
	exact := packedMemory(t, bank, e, "f32")
	assert.Equal(t, Rounding{0, 1}, exact.Rounding())
	assert.EqualError(t, packedMemory(t, bank, e, "int8").Pack("f16"), `memory: dtype "f16" of a memory of int8: want f32, or f16 or int8 of one of f32`)
	assert.Error(t, exact.Pack("int4"))
}

// TestPackedProjectIsItsEquation compares with the loop in float64 over the stored numbers, in a bank of several pieces, the last of one row.
func TestPackedProjectIsItsEquation(t *testing.T) {
	const n, m, e = 6, bankRows + 1, 8
	v, bank := random(1, n, e), random(2, m, e)
	exclude := []int32{-1, 0, bankRows - 1, bankRows, 7, 7}
	for i, x := range exclude { // what is left out would weigh most
		if x >= 0 {
			copy(v[i*e:(i+1)*e], bank[int(x)*e:int(x+1)*e])
		}
	}
	for _, dtype := range []string{"f16", "int8"} {
		mem := packedMemory(t, bank, e, dtype)
		stored := mem.packed.rows(0, m)
		for _, o := range []config.Memory{{Temperature: 0.05, Normalise: true}, {Temperature: 0.02, TopK: 5}, {Temperature: 0.05, ExcludeSelf: true}, {Temperature: 0.02, TopK: 3, ExcludeSelf: true, Normalise: true}} {
			got, err := mem.Project(ctx, v, exclude, o, nil)
			require.NoError(t, err)
			for i := range n {
				want := packedProjection(v[i*e:(i+1)*e], stored, e, int(exclude[i]), o)
				for d := range want {
					require.InDelta(t, want[d], got[i*e+d], 3e-5, "%s %+v item %d", dtype, o, i)
				}
			}
			one, err := mem.Project(ctx, v[3*e:4*e], exclude[3:4], o, nil)
			require.NoError(t, err)
			assert.Equal(t, got[3*e:4*e], one, "an item alone: the same bits")
		}
		cosines, index, err := mem.Neighbours(ctx, v[3*e:5*e], exclude[3:5], 2, nil)
		require.NoError(t, err)
		require.Len(t, index, 4)
		assert.NotContains(t, index[:2], int32(bankRows))
		assert.NotContains(t, index[2:], int32(7))
		assert.GreaterOrEqual(t, cosines[0], cosines[1])
		_, index, err = mem.Neighbours(ctx, v[3*e:4*e], nil, 1, nil)
		require.NoError(t, err)
		assert.Equal(t, []int32{bankRows}, index)
	}
}

// packedProjection is projection with rows as they are, of any length.
func packedProjection(v, bank []float32, e, exclude int, o config.Memory) []float64 {
	if !o.ExcludeSelf {
		exclude = -1
	}
	q := unit(v)
	var sim []float64
	best := []int{}
	for i := range len(bank) / e {
		s := 0.0
		for d, x := range bank[i*e : (i+1)*e] {
			s += float64(x) * float64(q[d])
		}
		if sim = append(sim, s); i == exclude {
			continue
		}
		at := len(best)
		for at > 0 && sim[best[at-1]] < s && o.TopK > 0 {
			at--
		}
		best = append(best[:at], append([]int{i}, best[at:]...)...)
		if o.TopK > 0 && len(best) > o.TopK {
			best = best[:o.TopK]
		}
	}
	out, total := make([]float64, e), 0.0
	for _, i := range best {
		w := math.Exp((sim[i] - 1) / o.Temperature)
		total += w
		for d := range out {
			out[d] += w * float64(bank[i*e+d])
		}
	}
	norm := 0.0
	for d := range out {
		out[d] /= total
		norm += out[d] * out[d]
	}
	for d := range out {
		if o.Normalise {
			out[d] /= math.Sqrt(norm)
		}
	}
	return out
}

func TestPackedMemoryStore(t *testing.T) {
	bank := random(3, 30, 16)
	v := random(4, 5, 16)
	for _, dtype := range []string{"f32", "f16", "int8"} {
		mem := packedMemory(t, bank, 16, dtype)
		path := filepath.Join(t.TempDir(), "memory.safetensors")
		require.NoError(t, mem.Save(path))
		again, err := LoadMemory(tensor.CPU(), path)
		require.NoError(t, err)
		defer again.Release()
		assert.Equal(t, mem.packed, again.packed)
		o := config.Memory{Temperature: 0.1, Normalise: true}
		want, err := mem.Project(ctx, v, nil, o, nil)
		require.NoError(t, err)
		got, err := again.Project(ctx, v, nil, o, nil)
		require.NoError(t, err)
		assert.Equal(t, want, got, dtype)
	}
	path := filepath.Join(t.TempDir(), "no_scale.safetensors")
	require.NoError(t, safetensors.Write(path, []safetensors.Tensor{{Name: "features", DType: safetensors.I8, Shape: []int{2, 3}, Bytes: []byte{1, 2, 3, 4, 5, 6}}}, nil))
	_, err := LoadMemory(tensor.CPU(), path)
	assert.ErrorContains(t, err, "want a tensor scale [2] beside them")
}

func TestDrawnMemory(t *testing.T) {
	bank := random(3, 50, 8)
	m, rows, err := MemoryOf(tensor.CPU(), bank, 8, config.Memory{Size: 20}, 9)
	require.NoError(t, err)
	defer m.Release()
	require.Len(t, rows, 20)
	assert.Equal(t, 20, m.Size())
	for k, i := range rows {
		assert.InDelta(t, 1, cosine(bank[i*8:(i+1)*8], m.bank.Float32s()[k*8:(k+1)*8]), 1e-6)
		if k > 0 {
			assert.Greater(t, i, rows[k-1])
		}
	}
	assert.Equal(t, rows, DrawTexts(50, 20, 9))
	assert.NotEqual(t, rows, DrawTexts(50, 20, 10), "another seed draws others")
	assert.Len(t, DrawTexts(50, 0, 9), 50)
	assert.Len(t, DrawTexts(50, 60, 9), 50)
}
