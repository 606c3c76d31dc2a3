package syntic

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"

	"syntic/syntic/config"
	"syntic/tensor"
)

// Entities finds names in texts: those of a vocabulary, of one word or several, as they stand or with a plural's s or es.
type Entities struct {
	names   []string          // as given
	byWords map[string]string // words with blanks between, to the name
	longest int               // words of the longest name
}

// NewEntities knows names, which must differ and have letters or digits.
func NewEntities(names []string) (*Entities, error) {
	v := &Entities{names: names, byWords: map[string]string{}}
	for _, name := range names {
		words := wordsOf(name)
		key := strings.Join(words, " ")
		if key == "" || v.byWords[key] != "" {
			return nil, fmt.Errorf("vocabulary: %q: want names that differ, of letters or digits", name)
		}
		v.byWords[key] = name
		v.longest = max(v.longest, len(words))
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("vocabulary: no names: want at least one")
	}
	return v, nil
}

// Names are the vocabulary, as given.
func (v *Entities) Names() []string { return v.names }

// wordsOf are the lower-case runs of letters and digits of a text.
func wordsOf(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// In are the distinct names in a text, in its order; of names that overlap the longest counts.
func (v *Entities) In(text string) (names []string) {
	words := wordsOf(text)
	for at := 0; at < len(words); {
		name, n := v.at(words[at:])
		if n > 0 && !slices.Contains(names, name) {
			names = append(names, name)
		}
		at += max(1, n)
	}
	return names
}

// at is the longest name that words begin with, and its number of words.
func (v *Entities) at(words []string) (name string, n int) {
	for n = min(v.longest, len(words)); n > 0; n-- {
		key := strings.Join(words[:n], " ")
		for _, form := range []string{key, strings.TrimSuffix(key, "s"), strings.TrimSuffix(key, "es")} {
			if name := v.byWords[form]; name != "" {
				return name, n
			}
		}
	}
	return "", 0
}

// Frequent are the names that at least least of some texts have, those of most texts first, of as many the one that comes first in the alphabet;
// at most so many (IFCap's entity filtering, Lee et al. 2024).
func (v *Entities) Frequent(texts []string, least, most int) []string {
	count := map[string]int{}
	for _, text := range texts {
		for _, name := range v.In(text) {
			count[name]++
		}
	}
	var names []string
	for name, n := range count {
		if n >= least {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(count[b]-count[a], strings.Compare(a, b)) })
	return names[:min(most, len(names))]
}

// Classify names what each image of features v [N, E] shows, by CLIP's similarities to the features of names [len(names), E]: the names whose
// probability softmax(⟨v, name⟩ / Temperature) is at least Threshold, the most probable first, at most MaxTags (ViECap's entities at test, Fei et
// al. 2023).
func Classify(ctx context.Context, dev *tensor.Device, v []float32, names []string, features []float32, e int, o config.Objects) ([][]string, error) {
	bank, err := NewMemory(dev, features, e)
	if err != nil {
		return nil, fmt.Errorf("vocabulary: %w", err)
	}
	defer bank.Release()
	if bank.Size() != len(names) {
		return nil, fmt.Errorf("vocabulary: %d features for %d names", bank.Size(), len(names))
	}
	k := len(names) // all, as each adds to the sum
	cosine, index, err := bank.Neighbours(ctx, v, nil, k, nil)
	if err != nil {
		return nil, err
	}
	out := make([][]string, len(v)/e)
	for i := range out {
		c := cosine[i*k : (i+1)*k]
		sum := 0.0
		for _, x := range c {
			sum += math.Exp(float64(x-c[0]) / o.Temperature)
		}
		for j, x := range c[:min(k, o.MaxTags)] {
			if math.Exp(float64(x-c[0])/o.Temperature)/sum >= o.Threshold {
				out[i] = append(out[i], names[index[i*k+j]])
			}
		}
	}
	return out, nil
}

// WordsPrompt is the text that stands before a caption for some tags: WordsPrompt with the tags, or Neutral, in it (ViECap's hard prompt).
func WordsPrompt(tags []string, o config.Objects) string {
	words := strings.Join(tags, ", ")
	if len(tags) == 0 {
		words = o.Neutral
	}
	return strings.ReplaceAll(o.WordsPrompt, "{tags}", words)
}

const dropTagItem = 0x74616764_00000000 // + the example; the epoch is the key's step

// DropTags leaves each of an example's tags out with probability p, as drawn by (seed, example, epoch).
func DropTags(tags []string, p float64, seed uint64, example, epoch int) []string {
	if p == 0 {
		return tags
	}
	u := make([]float32, len(tags))
	tensor.Key{Seed: seed, Item: dropTagItem + uint64(example), Step: uint32(epoch)}.Uniform(u)
	var out []string
	for i, tag := range tags {
		if float64(u[i]) >= p {
			out = append(out, tag)
		}
	}
	return out
}
