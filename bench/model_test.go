package bench

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/nn"
	"syntic/tensor"
)

func TestFindWorkloads(t *testing.T) {
	all, err := FindWorkloads()
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, w := range all {
		assert.False(t, seen[w.String()], "%v is there twice", w)
		seen[w.String()] = true
		assert.Positive(t, w.Items, w.String())
	}
	for _, name := range []string{"clip-image/b32/f32", "clip-text-real/b512/bf16", "sd-unet/512/f32", "project/q256/bf16", "topk/q1/f32", "infonce/n8192/f32", "project/q1m17718/f32"} {
		assert.True(t, seen[name], name)
	}
	for pattern, want := range map[string]int{"clip-image": 4, "clip-image/b1": 2, "clip-image/b1/f32": 1, "clip-image/*/f32": 2, "cider": 1, "infonce/*/bf16": 6} {
		found, err := FindWorkloads(pattern)
		require.NoError(t, err)
		assert.Len(t, found, want, pattern)
	}
	for _, bad := range []string{"clip", "clip-image/b2", "clip-image/b1/f32/x", ""} {
		_, err := FindWorkloads(bad)
		assert.ErrorContains(t, err, "no workload", bad)
	}
}

// TestWorkloadsRun runs small ones of every sort and counts their ops by hand.
func TestWorkloadsRun(t *testing.T) {
	for name, flops := range map[string]float64{
		"gemm/77x512x512/f32": 2 * 77 * 512 * 512, "infonce/n512/f32": 8 * 512 * 512 * 512, "attention/sd16/f32": 4 * 2 * 8 * 256 * 256 * 160, "attention-train/clip-image/f32": 0,
		"project/q1m17718/f32": 4 * 17718 * 512, "topk/q1m17718/f32": 2 * 17718 * 512, "cider/5000x5/f32": 0,
	} {
		found, err := FindWorkloads(name)
		require.NoError(t, err)
		w, err := found[0].Open(tensor.CPU())
		require.NoError(t, err, name)
		tally, err := Count(w.Call)
		require.NoError(t, err, name)
		if flops > 0 {
			assert.InEpsilon(t, flops, tally.FLOPs, 0.05, name)
			assert.NotEmpty(t, tally.ByKind, name)
		}
		assert.Zero(t, tally.Half, name)
		w.Close()
	}
}

func TestCaptionTokens(t *testing.T) {
	tokens := captionTokens(512)
	sum := 0
	for i, n := range tokens {
		sum += n
		assert.True(t, i == 0 || n >= tokens[i-1], "rising")
	}
	assert.InDelta(t, 12.71, float64(sum)/512, 0.1, "the mean of the 12,490 captions")
	ids := textIDs([]int{3, 77})
	require.Len(t, ids, 2*textPositions)
	assert.Equal(t, []int32{bos, ids[1], eos, eos}, ids[:4])
	assert.Equal(t, int32(eos), ids[2*textPositions-1])
	assert.NotEqual(t, int32(eos), ids[2*textPositions-2])
}

// TestCaptionsAreThoseOfThePeers pins what bench/peers/metrics.py checks on its side.
func TestCaptionsAreThoseOfThePeers(t *testing.T) {
	set := captions(3, 2)
	assert.Equal(t, []string{"w104 w134 w833 w599 w957 w27 w11 w934", "w17 w2 w334 w34 w1102 w1958 w9 w3 w2 w256", "w107 w23 w1672 w881 w6 w383 w70 w1 w3 w10 w1 w2"}, set.Cands)
	assert.Len(t, strings.Fields(set.Refs[0][1]), 9)
}

func TestRandomWeightsAreStoredAsTheClassSays(t *testing.T) {
	found, err := FindWorkloads("gemm/77x512x512")
	require.NoError(t, err)
	for _, w := range found {
		work, err := w.Open(tensor.CPU())
		require.NoError(t, err)
		tally, err := Count(work.Call)
		require.NoError(t, err)
		want := float64(4 * (77*512 + 512*512 + 77*512))
		if w.DType == InBF16 {
			want -= 2 * 512 * 512
		}
		assert.Equal(t, want, tally.Bytes, w.String())
		work.Close()
	}
}

// pair is a module of a matrix, a filter and vectors.
type pair struct {
	Norm *nn.LayerNorm `name:"norm"`
	Out  *nn.Linear    `name:"out"`
	Conv *nn.Conv2D    `name:"conv"`
}

func (p *pair) Close() { nn.Release(p) }

// TestWeightsLieInAFile: those of models are mapped as a checkpoint's are, with the numbers that were drawn.
func TestWeightsLieInAFile(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, class := range []kernelsDType{InF32, InBF16} {
		made := func() *pair {
			return &pair{nn.NewLayerNorm(tensor.CPU(), 5, 1e-5), nn.NewLinear(tensor.CPU(), 5, 7, true), nn.NewConv2D(tensor.CPU(), 3, 4, 2, 1, 0)}
		}
		want, got := made(), made()
		randomWeights(want, class)
		w := &Work{Workload: Workload{DType: class}, dev: tensor.CPU()}
		w.weights(got)
		params := nn.Parameters(want)
		for i, p := range nn.Parameters(got) {
			assert.True(t, p.Held(), p.Name)
			if class == InF32 || p.Rank() > 1 {
				assert.Equal(t, params[i].Float32s(), p.Float32s(), p.Name)
			} else {
				assert.InDeltaSlice(t, params[i].Float32s(), p.Float32s(), 1.0/256, p.Name)
			}
		}
		left, err := os.ReadDir(os.Getenv("TMPDIR"))
		require.NoError(t, err)
		assert.Empty(t, left)
		w.Close()
		assert.False(t, got.Out.Weight.Held(), "closed")
	}
}
