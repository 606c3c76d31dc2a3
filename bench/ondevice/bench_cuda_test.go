//go:build cuda

package ondevice

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/bench"
	"syntic/tensor"
)

// TestMeasuring: a case on a GPU is timed by its own clock; the answers name the GPU, the time of the first call and the clocks.
func TestMeasuring(t *testing.T) {
	var out bytes.Buffer
	in := `{"do":"load","case":"topk/q1m17718/f32"}
{"do":"run","calls":1,"repeats":1}
{"do":"run","calls":1,"repeats":1}
`
	require.NoError(t, bench.Serve(strings.NewReader(in), &out, gpu(t)))
	answers := json.NewDecoder(&out)
	var r [3]bench.Reply
	for i := range r {
		require.NoError(t, answers.Decode(&r[i]))
		require.Empty(t, r[i].Error)
	}
	assert.Equal(t, "cuda:0 "+gpu(t).Name(), r[0].Device)
	require.Len(t, r[1].Seconds, 1)
	for _, s := range r[1].Seconds {
		assert.Positive(t, s)
	}
	assert.Positive(t, r[1].First)
	assert.Contains(t, r[1].Clocks, "clock")
	assert.Equal(t, r[1].First, r[2].First, "the first call is the first of all")

	w, err := bench.FindWorkloads("sd-unet/512/f32")
	require.NoError(t, err)
	graphs := bench.Graphs(w)
	require.Len(t, graphs, 1)
	assert.Equal(t, "sd-unet-graph/512/f32", graphs[0].String())
	_, err = graphs[0].Open(tensor.CPU())
	assert.EqualError(t, err, "sd-unet-graph/512/f32 on cpu: want a GPU, for only those have graphs")
}
