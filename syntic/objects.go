package syntic

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"syntic/syntic/config"
)

// Detection is one object that a detector found in an image.
type Detection struct {
	Tag   string  // the class's name
	Score float64 // confidence, 0..1
}

// SelectTags chooses the distinct tags of one image that become features: those with a confidence of at least Threshold, the most confident
// first, at most MaxTags. Of equal confidence the tag that comes first in the alphabet wins, whatever the detector's order.
func SelectTags(found []Detection, o config.Objects) []string {
	best := map[string]float64{}
	for _, d := range found {
		if d.Score >= o.Threshold && d.Tag != "" {
			best[d.Tag] = max(best[d.Tag], d.Score)
		}
	}
	tags := make([]string, 0, len(best))
	for tag := range best {
		tags = append(tags, tag)
	}
	slices.SortFunc(tags, func(a, b string) int { return cmp.Or(cmp.Compare(best[b], best[a]), strings.Compare(a, b)) })
	return tags[:min(len(tags), o.MaxTags)]
}

// TagPrompts are the distinct texts to encode for a corpus of tags: the prompt of each tag, in the order of the alphabet, and last the neutral
// prompt if o asks for one. names are the tags, "" for the neutral prompt.
func TagPrompts(images [][]string, o config.Objects) (names, texts []string) {
	seen := map[string]bool{}
	for _, tags := range images {
		for _, tag := range tags {
			if !seen[tag] {
				seen[tag] = true
				names = append(names, tag)
			}
		}
	}
	slices.Sort(names)
	for _, tag := range names {
		texts = append(texts, TagPrompt(tag, o))
	}
	if o.None == "neutral_prompt" {
		names, texts = append(names, ""), append(texts, TagPrompt(o.Neutral, o))
	}
	return names, texts
}

// TagPrompt is the text that is encoded for a tag.
func TagPrompt(tag string, o config.Objects) string {
	return strings.ReplaceAll(o.Prompt, "{tag}", tag)
}

// TagTable holds the text features of tags.
type TagTable struct {
	e        int
	features map[string][]float32 // unit length; "" is the neutral prompt
}

// NewTagTable makes a table of names and features [len(names), E] as TagPrompts lists them.
func NewTagTable(names []string, features []float32, e int) (*TagTable, error) {
	n, err := rowsOf(features, e)
	if err != nil {
		return nil, fmt.Errorf("tags: %w", err)
	}
	if n != len(names) {
		return nil, fmt.Errorf("tags: %d features for %d names", n, len(names))
	}
	t := &TagTable{e, make(map[string][]float32, n)}
	for i, name := range names {
		t.features[name] = unit(features[i*e : (i+1)*e])
	}
	return t, nil
}

// Objects makes the decoder's input of the tags of each image. Pooling "mean" gives one slot with the mean of the tags' features, brought to
// unit length; "mean_raw" the mean as long as it is, the shorter the less the tags have in common; "max" the largest number of each dimension, brought
// to unit length; "per_tag" gives MaxTags slots. An image without tags counts 0, for the learned null token, or gets the neutral prompt.
func (t *TagTable) Objects(images [][]string, o config.Objects) (*Context, error) {
	slots := 1
	if o.Pooling == "per_tag" {
		slots = o.MaxTags
	}
	out := &Context{Slots: slots, Features: make([]float32, len(images)*slots*t.e), Count: make([]int, len(images))}
	for i, tags := range images {
		if len(tags) == 0 && o.None == "neutral_prompt" {
			tags = []string{""}
		}
		if len(tags) > max(slots, o.MaxTags) {
			return nil, fmt.Errorf("image %d: %d tags: want at most objects.max_tags %d", i, len(tags), o.MaxTags)
		}
		row := out.Features[i*slots*t.e : (i+1)*slots*t.e]
		of := make([][]float32, len(tags))
		for j, tag := range tags {
			var ok bool
			if of[j], ok = t.features[tag]; !ok {
				return nil, fmt.Errorf("image %d: tag %q has no feature", i, tag)
			}
		}
		if o.Pooling == "per_tag" {
			for j, f := range of {
				copy(row[j*t.e:], f)
			}
		} else {
			pool(row, of, o.Pooling)
		}
		out.Count[i] = min(len(tags), slots)
	}
	return out, nil
}

// pool writes one feature for several to row, which is zero and stays so for none.
func pool(row []float32, of [][]float32, how string) {
	for j, f := range of {
		for d, x := range f {
			switch {
			case how != "max":
				row[d] += x / float32(len(of))
			case j == 0 || x > row[d]:
				row[d] = x
			}
		}
	}
	if how != "mean_raw" {
		copy(row, unit(row))
	}
}

// unit is x at length 1; zeros stay zeros.
func unit(x []float32) []float32 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	out := make([]float32, len(x))
	if sum == 0 {
		return out
	}
	scale := 1 / math.Sqrt(sum)
	for i, v := range x {
		out[i] = float32(float64(v) * scale)
	}
	return out
}
