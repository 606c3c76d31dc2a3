package diffusion

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tensor/safetensors"
)

// TestTorchRandEqualsTorch compares the bits of every run of bench/golden/torch_rand.py.
func TestTorchRandEqualsTorch(t *testing.T) {
	z, err := gzip.NewReader(bytes.NewReader(readFile(t, "torch_rand.json.gz")))
	require.NoError(t, err)
	var runs []struct {
		Seed  uint64
		Sizes []int
		Hash  string
		First []float32
	}
	require.NoError(t, json.NewDecoder(z).Decode(&runs))
	require.Equal(t, 9*66, len(runs))
	for _, r := range runs {
		g := NewTorchRand(r.Seed)
		var got []float32
		for _, n := range r.Sizes {
			v := make([]float32, n)
			g.Normal(v)
			got = append(got, v...)
		}
		require.Equal(t, r.First, got[:len(r.First)], "seed %d, sizes %v", r.Seed, r.Sizes)
		h := sha256.New()
		require.NoError(t, binary.Write(h, binary.LittleEndian, got))
		require.Equal(t, r.Hash, hex.EncodeToString(h.Sum(nil))[:16], "seed %d, sizes %v: first values %v", r.Seed, r.Sizes, got[:min(4, len(got))])
	}
}

// TestTorchRandEqualsGolden compares the bits of every number of the golden folder, where there is one.
func TestTorchRandEqualsGolden(t *testing.T) {
	dir := os.Getenv("SYNTIC_GOLDEN")
	if dir == "" {
		t.Skip("SYNTIC_GOLDEN names no folder of goldens")
	}
	f, err := safetensors.Open(filepath.Join(dir, "torch_rng", "rng.safetensors"))
	require.NoError(t, err)
	defer f.Close()
	ran := 0
	for _, name := range f.Names() {
		kind, rest, _ := strings.Cut(name, ".seed")
		seed, _, _ := strings.Cut(rest, ".")
		var s uint64
		require.NoError(t, json.Unmarshal([]byte(seed), &s))
		g := NewTorchRand(s)
		if kind == "mt19937" {
			want, err := f.Int64s(name)
			require.NoError(t, err)
			for _, w := range want {
				require.EqualValues(t, w, g.Uint32(), name)
			}
			ran++
			continue
		}
		sizes := map[string][]int{"sequence": {3, 16, 2, 5, 33, 1, 1, 20}, "steps": {256, 256, 256, 256, 256}}[kind]
		if kind != "randn" && sizes == nil {
			continue
		}
		want, err := f.Float32s(name)
		require.NoError(t, err)
		if sizes == nil {
			sizes = []int{len(want)}
		}
		var got []float32
		for _, n := range sizes {
			v := make([]float32, n)
			g.Normal(v)
			got = append(got, v...)
		}
		for i, w := range want {
			require.Equal(t, math.Float32bits(w), math.Float32bits(got[i]), "%s, number %d", name, i)
		}
		ran++
	}
	require.Equal(t, 232, ran)
}

// TestFMA32 compares with sums of any precision, many of them near ties, where rounding twice would go wrong.
func TestFMA32(t *testing.T) {
	g := NewTorchRand(1)
	value := func(bits int) float32 { // with few bits, so that sums are often ties
		m := float64(g.Uint32()%(1<<bits)) * (1 - 2*float64(g.Uint32()&1))
		return float32(math.Ldexp(m, int(g.Uint32()%90)-60))
	}
	doubled := 0
	for range 200000 {
		a, b, c := value(4), value(24), value(3)
		sum := new(big.Float).SetPrec(400).Mul(big.NewFloat(float64(a)), big.NewFloat(float64(b)))
		want, _ := sum.Add(sum, big.NewFloat(float64(c))).Float32()
		require.Equal(t, want, fma32(a, b, c)+0, "%g·%g + %g", a, b, c)
		if float32(float64(a)*float64(b)+float64(c)) != want {
			doubled++
		}
	}
	require.Positive(t, doubled, "no sum that rounding twice gets wrong")
}
