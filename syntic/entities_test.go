package syntic

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/syntic/config"
	"syntic/tensor"
)

func TestEntities(t *testing.T) {
	v, err := NewEntities([]string{"cat", "bus", "alarm clock", "clock", "Traffic Light"})
	require.NoError(t, err)
	for text, want := range map[string][]string{
		"Two cats, and a CAT on buses.":          {"cat", "bus"},
		"an alarm clock by a clock":              {"alarm clock", "clock"},
		"the alarm clocks; traffic-lights at it": {"alarm clock", "Traffic Light"},
		"a category of busy alarms":              nil,
		"":                                       nil,
	} {
		assert.Equal(t, want, v.In(text), text)
	}
	texts := []string{"a cat and a cat", "cats on a bus", "a bus", "clock", "cat by the clock"}
	assert.Equal(t, []string{"cat", "bus", "clock"}, v.Frequent(texts, 2, 5))
	assert.Equal(t, []string{"cat", "bus"}, v.Frequent(texts, 2, 2))
	assert.Equal(t, []string{"cat"}, v.Frequent(texts, 3, 5))
	assert.Empty(t, v.Frequent(texts, 4, 5))
	for _, bad := range [][]string{nil, {"cat", "Cat"}, {"!"}} {
		_, err := NewEntities(bad)
		assert.Error(t, err)
	}
	o := config.Objects{WordsPrompt: "there are {tags} in image", Neutral: "something"}
	assert.Equal(t, "there are cat, bus in image", WordsPrompt([]string{"cat", "bus"}, o))
	assert.Equal(t, "there are something in image", WordsPrompt(nil, o))
}

// TestClassifyIsASoftmax compares with the loop in float64.
func TestClassifyIsASoftmax(t *testing.T) {
	const n, m, e = 5, 9, 16
	v, features := random(1, n, e), random(2, m, e)
	var names []string
	for i := range m {
		names = append(names, fmt.Sprint("name ", i))
	}
	o := config.Objects{Temperature: 0.1, Threshold: 0.2, MaxTags: 3}
	got, err := Classify(ctx, tensor.CPU(), v, names, features, e, o)
	require.NoError(t, err)
	some := 0
	for i := range n {
		sum, p := 0.0, make([]float64, m)
		for j := range p {
			p[j] = math.Exp(cosine(v[i*e:(i+1)*e], features[j*e:(j+1)*e]) / o.Temperature)
			sum += p[j]
		}
		want := map[string]bool{}
		for j := range p {
			if p[j]/sum >= o.Threshold {
				want[names[j]] = true
			}
		}
		require.Len(t, got[i], len(want))
		for _, name := range got[i] {
			assert.True(t, want[name])
		}
		some += len(got[i])
	}
	assert.Greater(t, some, 3)
	o.MaxTags = 1
	got, err = Classify(ctx, tensor.CPU(), v, names, features, e, o)
	require.NoError(t, err)
	assert.LessOrEqual(t, len(got[0]), 1)
	_, err = Classify(ctx, tensor.CPU(), v, names[1:], features, e, o)
	assert.ErrorContains(t, err, "9 features for 8 names")
}

func TestDropTags(t *testing.T) {
	tags := []string{"a", "b", "c", "d"}
	left, same := 0, 0
	for i := range 500 {
		one := DropTags(tags, 0.4, 3, i, 0)
		assert.Equal(t, one, DropTags(tags, 0.4, 3, i, 0))
		if assert.ObjectsAreEqual(one, DropTags(tags, 0.4, 3, i, 1)) {
			same++
		}
		left += len(one)
	}
	assert.InDelta(t, 0.6, float64(left)/2000, 0.04)
	assert.Less(t, same, 150, "another epoch drops others")
	assert.Equal(t, tags, DropTags(tags, 0, 3, 1, 1))
}

func TestPooling(t *testing.T) {
	table, err := NewTagTable([]string{"cat", "dog"}, []float32{0.6, 0.8, 0, 0, -1, 0}, 3)
	require.NoError(t, err)
	for pooling, want := range map[string][]float32{
		"mean":     {float32(0.6 / math.Sqrt(0.4)), float32(-0.2 / math.Sqrt(0.4)), 0},
		"mean_raw": {0.3, -0.1, 0},
		"max":      {0.6, 0.8, 0},
	} {
		got, err := table.Objects([][]string{{"cat", "dog"}, nil}, config.Objects{Pooling: pooling, MaxTags: 5, None: "null_token"})
		require.NoError(t, err)
		assert.InDeltaSlice(t, want, got.Features[:3], 1e-6, pooling)
		assert.Equal(t, []float32{0, 0, 0}, got.Features[3:], "nothing detected")
		assert.Equal(t, []int{1, 0}, got.Count)
	}
	got, err := table.Objects([][]string{{"dog"}}, config.Objects{Pooling: "max", MaxTags: 5, None: "null_token"})
	require.NoError(t, err)
	assert.Equal(t, []float32{0, -1, 0}, got.Features, "of one tag its own, also where it is negative")
}

// numbers are sentences of one token each.
type numbers struct{}

func (numbers) Decode(ids []int32) string { return fmt.Sprint(ids) }

func TestRerank(t *testing.T) {
	beams := func() [][]Hypothesis {
		return [][]Hypothesis{{{Tokens: []int32{0}}, {Tokens: []int32{1}}, {Tokens: []int32{2}}}, {{Tokens: []int32{1}}}}
	}
	angle := map[string]float64{"[0]": 1, "[1]": 0.9, "[2]": 0.1} // from the image
	encode := func(_ context.Context, texts []string) (out []float32, err error) {
		require.Len(t, texts, 3, "each sentence once")
		for _, text := range texts {
			out = append(out, float32(math.Cos(angle[text])), float32(math.Sin(angle[text])))
		}
		return out, nil
	}
	first := func(how string) (order []int32) {
		found := beams()
		require.NoError(t, rerank(ctx, found, []float32{1, 0, 1, 0}, numbers{}, encode, how))
		for _, h := range found[0] {
			order = append(order, h.Tokens[0])
		}
		assert.Equal(t, []int32{1}, found[1][0].Tokens)
		return order
	}
	assert.Equal(t, []int32{2, 1, 0}, first("clip"))
	assert.Equal(t, []int32{0, 1, 2}, first("fusion"), "ranks 0+2, 1+1, 2+0: the search's order")
	angle["[1]"] = 0.05
	assert.Equal(t, []int32{1, 2, 0}, first("clip"))
	assert.Equal(t, []int32{1, 0, 2}, first("fusion"), "ranks 2, 1, 3")
	err := rerank(ctx, beams(), []float32{1, 0, 1, 0}, numbers{}, func(context.Context, []string) ([]float32, error) { return nil, nil }, "clip")
	assert.ErrorContains(t, err, "rerank: 0 numbers of features for 3 texts")
}
