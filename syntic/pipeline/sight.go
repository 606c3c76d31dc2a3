package pipeline

import (
	"context"
	"fmt"
	"slices"

	"syntic/clip"
	"syntic/syntic"
	"syntic/syntic/config"
	"syntic/tensor"
)

// words is a decoder's tokenizer: CLIP's, or GPT-2's of a decoder that started from it.
type words interface {
	Encode(text string) []int32
	Decode(ids []int32) string
	End() int32
	Size() int
}

// sight makes a decoder's context of images: tags from a detector, a classifier or retrieved texts, and retrieved texts themselves. Training, test
// images and the images of a user all go through it.
type sight struct {
	dev      *tensor.Device
	enc      *encoder
	words    words
	batch    int // texts encoded together
	e        int // size of features
	objects  config.Objects
	retrieve config.Retrieve
	patches  config.Patches
	entities *syntic.Entities // names of the vocabulary; nil where none is needed

	memory *syntic.Memory // that retrieval looks into; nil where nothing is retrieved
	texts  []string       // of the memory
}

// retrieves tells whether texts are looked up in the memory.
func retrieves(r *config.Recipe) bool {
	return r.Retrieve.Tokens > 0 || r.Objects.Enabled && r.Objects.Source == "retrieval"
}

// encode is the features of texts as they are, without the prompt of captions.
func (s *sight) encode(ctx context.Context, texts []string) ([]float32, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	return clip.EncodeTexts(ctx, s.enc.Model, s.enc.tok, texts, s.batch, nil)
}

// captions is the features of texts in the prompt of captions.
func (s *sight) captions(prompt string) syntic.TextEncoder {
	return func(ctx context.Context, texts []string) ([]float32, error) {
		return s.encode(ctx, prompted(texts, prompt))
	}
}

// tags names what each image shows. v [N, E] are the images' own features; exclude as in [syntic.Memory.Neighbours].
func (s *sight) tags(ctx context.Context, v []float32, found [][]syntic.Detection, exclude []int32) ([][]string, error) {
	n := len(v) / s.e
	out := make([][]string, n)
	switch o := s.objects; {
	case !o.Enabled:
	case o.Source == "detector":
		for i, f := range found {
			out[i] = syntic.SelectTags(f, o)
		}
	case o.Source == "classifier":
		names, features, err := s.nameFeatures(ctx)
		if err != nil {
			return nil, err
		}
		return syntic.Classify(ctx, s.dev, v, names, features, s.e, o)
	case o.Source == "retrieval":
		k := min(s.retrieve.Captions, s.memory.Size()-min(1, len(exclude)))
		_, index, err := s.memory.Neighbours(ctx, v, exclude, k, nil)
		if err != nil {
			return nil, err
		}
		for i := range out {
			var texts []string
			for _, at := range index[i*k : (i+1)*k] {
				texts = append(texts, s.texts[at])
			}
			out[i] = s.entities.Frequent(texts, s.retrieve.MinCount, o.MaxTags)
		}
	}
	return out, nil
}

// retrieved is the features of the texts most like each image, [N, R, E]; nil where there are none.
func (s *sight) retrieved(ctx context.Context, v []float32, exclude []int32) ([]float32, error) {
	k := s.retrieve.Tokens
	if k == 0 {
		return nil, nil
	}
	if most := s.memory.Size() - min(1, len(exclude)); k > most {
		return nil, badInput("retrieve.tokens: %d: want at most %d, texts of the memory", k, most)
	}
	_, index, err := s.memory.Neighbours(ctx, v, exclude, k, nil)
	if err != nil {
		return nil, err
	}
	return s.memory.At(index), nil
}

// maker returns the function that makes contexts of tags. It knows the tags of all, and encodes each once.
func (s *sight) maker(ctx context.Context, all [][]string) (func(tags [][]string) (*syntic.Context, error), error) {
	o := s.objects
	switch {
	case !o.Enabled:
		return func([][]string) (*syntic.Context, error) { return &syntic.Context{}, nil }, nil
	case o.As == "words":
		return func(tags [][]string) (*syntic.Context, error) {
			out := &syntic.Context{}
			for _, t := range tags {
				out.Words = append(out.Words, s.words.Encode(syntic.WordsPrompt(t, o)))
			}
			return out, nil
		}, nil
	}
	names, prompts := syntic.TagPrompts(all, o)
	features, err := s.encode(ctx, prompts)
	if err != nil {
		return nil, err
	}
	table, err := syntic.NewTagTable(names, features, s.e)
	if err != nil {
		return nil, err
	}
	return func(tags [][]string) (*syntic.Context, error) { return table.Objects(tags, o) }, nil
}

// patchTokens mixes the patches [N, P, E] of images with the names that CLIP finds in the images v [N, E]; nil where the row has none.
func (s *sight) patchTokens(ctx context.Context, v, patches []float32, training bool) (*syntic.Patches, error) {
	if !s.patches.Enabled {
		return nil, nil
	}
	names, features, err := s.nameFeatures(ctx)
	if err != nil {
		return nil, err
	}
	o := config.Objects{Temperature: 1, MaxTags: s.patches.Tags} // the order is all that counts
	tags, err := syntic.Classify(ctx, s.dev, v, names, features, s.e, o)
	if err != nil {
		return nil, err
	}
	of := map[string][]float32{}
	for i, name := range names {
		of[name] = features[i*s.e : (i+1)*s.e]
	}
	out, w := &syntic.Patches{}, len(patches)/max(1, len(tags))
	for i, list := range tags {
		var rows []float32
		for _, tag := range list {
			rows = append(rows, of[tag]...)
		}
		out.Append(syntic.NewPatches(patches[i*w:(i+1)*w], rows, s.e, s.patches, training))
	}
	return out, nil
}

// nameFeatures are the names of the vocabulary and the features of their prompts.
func (s *sight) nameFeatures(ctx context.Context) (names []string, features []float32, err error) {
	names = s.entities.Names()
	var prompts []string
	for _, name := range names {
		prompts = append(prompts, syntic.TagPrompt(name, s.objects))
	}
	features, err = s.encode(ctx, prompts)
	return names, features, err
}

// context is that of images, and the tags that it tells of.
func (s *sight) context(ctx context.Context, v []float32, found [][]syntic.Detection, patches []float32) (*syntic.Context, [][]string, error) {
	tags, err := s.tags(ctx, v, found, nil)
	if err != nil {
		return nil, nil, err
	}
	maker, err := s.maker(ctx, tags)
	if err != nil {
		return nil, nil, err
	}
	about, err := maker(tags)
	if err != nil {
		return nil, nil, err
	}
	if about.Patches, err = s.patchTokens(ctx, v, patches, false); err != nil {
		return nil, nil, err
	}
	about.Texts = s.retrieve.Tokens
	about.Retrieved, err = s.retrieved(ctx, v, nil)
	return about, tags, err
}

// longestPrompt is how many tokens a hard prompt has at most, for tags of names; 0 where there is none.
func (s *sight) longestPrompt(names []string) int {
	if !s.objects.Enabled || s.objects.As != "words" {
		return 0
	}
	sorted := slices.Clone(names)
	slices.SortStableFunc(sorted, func(a, b string) int { return len(s.words.Encode(b)) - len(s.words.Encode(a)) })
	long := len(s.words.Encode(syntic.WordsPrompt(sorted[:min(s.objects.MaxTags, len(sorted))], s.objects)))
	return max(long, len(s.words.Encode(syntic.WordsPrompt(nil, s.objects))))
}

// prompts are hard prompts with all tokens that any has, for a decoder's vocabulary.
func (s *sight) prompts(names []string) (ids [][]int32) {
	if s.longestPrompt(names) == 0 {
		return nil
	}
	for _, name := range names {
		ids = append(ids, s.words.Encode(syntic.WordsPrompt([]string{name, name}, s.objects)))
	}
	return append(ids, s.words.Encode(syntic.WordsPrompt(nil, s.objects)))
}

// vocabularyOf reads the names of objects.vocabulary.
func vocabularyOf(source string) (*syntic.Entities, error) {
	names, err := namesOf(source)
	if err != nil {
		return nil, inputError{fmt.Errorf("objects.vocabulary: %w", err)}
	}
	v, err := syntic.NewEntities(names)
	if err != nil {
		return nil, badInput("objects.vocabulary: %s: %w", source, err)
	}
	return v, nil
}
