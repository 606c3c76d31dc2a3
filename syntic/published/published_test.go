package published

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/syntic/config"
)

func TestRows(t *testing.T) {
	for _, r := range rows {
		assert.False(t, math.IsNaN(r.Scores["CIDEr"]), "%s %s", r.Task, r.Method)
		for _, mark := range strings.Split(r.Source, "; ") {
			assert.Contains(t, Sources, mark)
		}
		if r.OurRow != "" {
			_, err := config.FindRow(r.OurRow)
			assert.NoError(t, err)
		}
	}
	syntic, ok := Of("coco", "syntic")
	require.True(t, ok)
	assert.Equal(t, map[string]float64{"Bleu_4": 29.9, "METEOR": 25.8, "ROUGE_L": 53.2, "CIDEr": 101.1, "SPICE": 19.3}, syntic.Scores)
	tt, ok := Of("flickr30k-to-coco", "syntic_tt")
	require.True(t, ok)
	assert.Equal(t, 64.4, tt.Scores["CIDEr"])
	_, ok = Of("ss1m", "syntic")
	assert.False(t, ok, "its zero-shot numbers are not known")
	_, ok = Of("coco", "")
	assert.False(t, ok)
}

func TestCurve(t *testing.T) {
	share, cider := Curve("SynTIC")
	assert.Equal(t, []float64{0.1, 0.2, 0.4, 0.6, 0.8, 1}, share)
	assert.Equal(t, 78.8, cider[0])
	assert.Equal(t, 101.1, cider[5])
	share, _ = Curve("DeCap")
	assert.Empty(t, share)
}

func TestPresetsHaveTheirTask(t *testing.T) {
	found := 0
	for _, name := range config.Presets() {
		r, err := config.Load(name, nil)
		require.NoError(t, err)
		if tasks[name] == "" {
			continue // of no published table
		}
		found++
		assert.NotEmpty(t, Task(name, r.Eval.Settings[0]), name)
		assert.NotEmpty(t, Rows(Task(name, r.Eval.Settings[0])), name)
	}
	assert.Equal(t, len(tasks), found)
	assert.Equal(t, "coco-to-flickr30k", Task("toy", "cross_domain"))
	assert.Empty(t, Task("coco", "zero_shot"))
	assert.Empty(t, Task("nocaps", "in_domain"))
	assert.Empty(t, Task("mine", "in_domain"))
}
