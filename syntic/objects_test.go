package syntic

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/syntic/config"
	"syntic/tensor"
)

func nan() float64 { return math.NaN() }

func TestSelectTags(t *testing.T) {
	o := config.Objects{Threshold: 0.5, MaxTags: 3}
	found := []Detection{{"dog", 0.6}, {"cat", 0.9}, {"dog", 0.95}, {"sky", 0.49}, {"boat", 0.9}, {"ant", 0.5}, {"bee", 0.5}, {"", 1}}
	assert.Equal(t, []string{"dog", "boat", "cat"}, SelectTags(found, o))
	o.MaxTags = 4
	assert.Equal(t, []string{"dog", "boat", "cat", "ant"}, SelectTags(found, o))
	assert.Empty(t, SelectTags(found[3:4], o))
}

func TestTagsBecomeObjects(t *testing.T) {
	o := config.Objects{Prompt: "a photo of a {tag}", Pooling: "mean", MaxTags: 2, None: "null_token", Neutral: "something"}
	images := [][]string{{"dog", "cat"}, {}, {"cat"}}
	names, texts := TagPrompts(images, o)
	assert.Equal(t, []string{"cat", "dog"}, names)
	assert.Equal(t, []string{"a photo of a cat", "a photo of a dog"}, texts)
	table, err := NewTagTable(names, []float32{0, 2, 3, 0}, 2)
	require.NoError(t, err)
	mean, err := table.Objects(images, o)
	require.NoError(t, err)
	h := float32(math.Sqrt(0.5))
	assert.Equal(t, &Context{Slots: 1, Features: []float32{h, h, 0, 0, 0, 1}, Count: []int{1, 0, 1}}, mean)
	o.Pooling = "per_tag"
	each, err := table.Objects(images, o)
	require.NoError(t, err)
	assert.Equal(t, &Context{Slots: 2, Features: []float32{1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0}, Count: []int{2, 0, 1}}, each)

	o.None = "neutral_prompt"
	names, texts = TagPrompts(images, o)
	assert.Equal(t, []string{"cat", "dog", ""}, names)
	assert.Equal(t, "a photo of a something", texts[2])
	table, err = NewTagTable(names, []float32{0, 2, 3, 0, -5, 0}, 2)
	require.NoError(t, err)
	neutral, err := table.Objects(images, o)
	require.NoError(t, err)
	assert.Equal(t, []int{2, 1, 1}, neutral.Count)
	assert.Equal(t, []float32{-1, 0}, neutral.Features[4:6])

	_, err = table.Objects([][]string{{"cow"}}, o)
	assert.EqualError(t, err, `image 0: tag "cow" has no feature`)
	_, err = table.Objects([][]string{{"cat", "dog", "cat"}}, o)
	assert.EqualError(t, err, "image 0: 3 tags: want at most objects.max_tags 2")
	_, err = NewTagTable(names, []float32{1, 1}, 2)
	assert.EqualError(t, err, "tags: 1 features for 3 names")
}

func TestVocabulary(t *testing.T) {
	v := NewVocabulary([][]int32{{7, 5}, {5, 9}}, 8)
	assert.Equal(t, []int32{5, 7, 8, 9}, v.IDs())
	rows, err := v.rows([]int32{9, 5}, 5)
	require.NoError(t, err)
	assert.Equal(t, []int32{3, 0, 2}, rows)
	assert.Equal(t, []int32{9, 5}, v.caption(append(rows, 1)))
	rows, err = v.rows([]int32{9, 5, 7}, 2)
	require.NoError(t, err)
	assert.Equal(t, []int32{3, 0}, rows, "a long caption is cut, without end")
	_, err = v.rows([]int32{5, 6}, 5)
	assert.EqualError(t, err, "token 1: id 6 is not in the vocabulary of 4 ids")
	assert.Equal(t, int32(8), FullVocabulary(10, 8).End())
	assert.Panics(t, func() { FullVocabulary(10, 10) })
}

type words struct{}

func (words) Decode(ids []int32) string {
	text := ""
	for _, id := range ids {
		text += string(rune('a'+id%26)) + " "
	}
	return text
}

func TestCaptionerProjectsAndWrites(t *testing.T) {
	x := toy(12, 0)
	d := toyDecoder(t, x, "tokens", 0)
	mem, err := NewMemory(tensor.CPU(), random(20, 40, toyE), toyE)
	require.NoError(t, err)
	defer mem.Release()
	c := &Captioner{Decoder: d, Memory: mem, Text: words{}, Project: config.Memory{Temperature: 0.1, Normalise: true}, Decode: config.Decode{Beams: 3, MaxTokens: 5}}
	got, err := c.Caption(ctx, x.Features, nil, nil)
	require.NoError(t, err)
	v, err := mem.Project(ctx, x.Features, nil, c.Project, nil)
	require.NoError(t, err)
	want, err := d.Generate(ctx, v, nil, c.Decode, nil)
	require.NoError(t, err)
	for i := range got {
		assert.Equal(t, want[i][0], got[i].Hypothesis)
		assert.Equal(t, want[i][1:], got[i].Others)
	}
	c.Memory, err = NewMemory(tensor.CPU(), random(20, 4, 8), 8)
	require.NoError(t, err)
	_, err = c.Caption(ctx, x.Features, nil, nil)
	assert.EqualError(t, err, "memory of features of size 8: want 12, the decoder's")
}

func TestShapeOfPresets(t *testing.T) {
	for _, preset := range config.Presets() {
		for _, set := range [][]string{nil, {"objects.pooling=per_tag"}, {"decoder.prefix_layout=concat"}, {"objects.enabled=false"}, {"objects.none=neutral_prompt"}} {
			r, err := config.Load(preset, set)
			require.NoError(t, err)
			require.NoError(t, ShapeOf(r, Sizes{Features: 512}).validate(), set)
		}
	}
	r := config.Default()
	assert.Equal(t, Shape{Features: 64, Width: 128, Layers: 4, Heads: 4, FFN: 512, Positions: 32, Layout: "tokens", Slots: 1, Null: true}, ShapeOf(r, Sizes{Features: 64}))
}
