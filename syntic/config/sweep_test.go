package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPresetsStartFromEachOther holds that a preset keeps what it does not say from the one it names, and that all say what they are for.
func TestPresetsStartFromEachOther(t *testing.T) {
	for _, name := range Presets() {
		assert.Greater(t, len(Summary(name)), 20, name)
		_, err := Load(write(t, "preset: "+name+"\n"), nil)
		assert.NoError(t, err, "a file may start from %s", name)
	}
	base, err := Load("coco-to-flickr30k", nil)
	require.NoError(t, err)
	tt, err := Load("coco-to-flickr30k-tt", nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"memory.source"}, Differing(base, tt))
	assert.Equal(t, "preset coco-to-flickr30k-tt", tt.Origin("memory.source"))
	assert.Equal(t, "preset coco-to-flickr30k", tt.Origin("data.cross"))
	assert.Equal(t, "preset coco", tt.Origin("decoder.width"))
	assert.Equal(t, 768, tt.Decoder.Width)
	for toy, real := range map[string]string{"toy": "coco", "toy-other": "flickr30k", "toy-cross": "coco-to-flickr30k", "toy-cross-tt": "coco-to-flickr30k-tt",
		"toy-cross-back": "flickr30k-to-coco", "toy-cross-back-tt": "flickr30k-to-coco-tt", "toy-zero-shot": "ss1m", "toy-datasize": "coco-datasize", "toy-decap": "coco-decap"} {
		a, err := Load(toy, nil)
		require.NoError(t, err)
		b, err := Load(real, nil)
		require.NoError(t, err)
		assert.Equal(t, a.Eval.Rows, b.Eval.Rows, toy)
		assert.Equal(t, a.Sweep, b.Sweep, toy)
		assert.Equal(t, a.Memory.Source == "training", b.Memory.Source == "training", toy)
		assert.Equal(t, b.Eval.Settings[0], a.Eval.Settings[0], toy)
	}
}

// TestPresetsSayWhatToBring holds that there is a word on every file and folder that a preset names.
func TestPresetsSayWhatToBring(t *testing.T) {
	for _, name := range Presets() {
		r, err := Load(name, nil)
		require.NoError(t, err)
		for _, path := range []string{r.Data.Captions, r.Data.Val, r.Data.Test, r.Data.Cross, r.Data.Web, r.Data.Images, r.Data.CrossImages, r.Memory.Source, r.CLIP.Model, r.Synth.Model, r.Objects.Model} {
			if own := strings.HasPrefix(path, "world") || path == "" || path == "training" || path == "target"; !own {
				assert.NotEmpty(t, Bring("folder/"+path), "%s: %s", name, path)
			}
		}
	}
	assert.Empty(t, Bring("mine.json"))
}

func TestOpenKeysExist(t *testing.T) {
	r := Default()
	seen := map[string]bool{}
	for _, o := range OpenKeys {
		_, err := r.Find(o.Key)
		assert.NoError(t, err)
		assert.False(t, seen[o.Key], o.Key)
		seen[o.Key] = true
		assert.Equal(t, o.Known, LeftOpen(o.Key))
	}
	assert.Empty(t, LeftOpen("decoder.layers"))
	_, err := r.Find("refine.stesp")
	assert.EqualError(t, err, `recipe: unknown key "refine.stesp": nearest is "refine.steps"`)
}

func TestPoints(t *testing.T) {
	r, err := Load("toy-datasize", nil)
	require.NoError(t, err)
	axes, err := r.Axes()
	require.NoError(t, err)
	require.Equal(t, []Axis{{"data.share", []string{"0.1", "0.2", "0.4", "0.6", "0.8", "1"}}}, axes)
	steps, err := ParseAxis("refine.steps=5, 10")
	require.NoError(t, err)
	points, err := r.Points(append(axes, steps))
	require.NoError(t, err)
	require.Len(t, points, 12)
	assert.Equal(t, []string{"data.share=0.1", "refine.steps=10"}, points[1].Sets)
	assert.Equal(t, 0.1, points[1].Recipe.Data.Share)
	assert.Equal(t, 200, points[1].Recipe.Data.Of(2000))
	assert.Equal(t, 10, points[1].Recipe.Refine.Steps)
	assert.Empty(t, points[1].Recipe.Sweep.Over)
	assert.Len(t, r.Sweep.Over, 1, "the recipe is left alone")
	assert.Equal(t, 1.0, r.Data.Share)
	rows, err := ParseAxis("eval.rows=syntic,decap|decap")
	require.NoError(t, err)
	assert.Equal(t, []string{"syntic,decap", "decap"}, rows.Values)
	for text, want := range map[string]string{
		"refine.steps": `"refine.steps": want key=value,value, such as refine.steps=5,10,20`, "=1": "want key=value", "seed=1,2": "seed cannot be varied", "a.b=1,1": "value 1 twice",
	} {
		_, err := ParseAxis(text)
		assert.ErrorContains(t, err, want, text)
	}
	for _, c := range []struct{ axes, want string }{
		{"refine.stesp=1", `unknown key "refine.stesp": nearest is "refine.steps"`},
		{"refine.steps=1,x", `refine.steps: "x": want an integer`},
		{"decoder.heads=4,3", `decoder.heads: 3: want a divisor`},
		{"refine.steps=1 refine.steps=2", "refine.steps twice"},
	} {
		var axes []Axis
		for _, text := range strings.Fields(c.axes) {
			a, err := ParseAxis(text)
			require.NoError(t, err)
			axes = append(axes, a)
		}
		_, err := Default().Points(axes)
		assert.ErrorContains(t, err, c.want)
	}
}
