package pretrain

import (
	"fmt"

	"syntic/clip/bpe"
	"syntic/syntic/world"
	"syntic/tensor"
)

// vocabularySize bounds the world's tokenizer; its words are few, so that nearly every word becomes one id.
const vocabularySize = 1100

// textPositions is the length of the tiny CLIP's text tower: the longest web text has 30 ids, and two mark start and end.
// promptPositions is that of the tiny Stable Diffusion's, which reads captions alone: 20 words and two.
const textPositions, promptPositions = 32, 24

// Tokenizer learns the world's byte pairs from captions of both domains and web texts; the same at every call.
func Tokenizer() (*bpe.Tokenizer, error) {
	var corpus []string
	for _, d := range []world.Domain{world.Photo, world.Crayon} {
		for i := range 4000 {
			sc := world.Sample(d, world.Web, sceneSeed, i)
			corpus = append(corpus, sc.Captions(2)...)
		}
	}
	return bpe.Train(append(corpus, world.WebTexts(sceneSeed, 3000)...), vocabularySize)
}

// idRows makes ids [len(texts), length]; longer texts are cut.
func idRows(s *tensor.Scope, tok *bpe.Tokenizer, texts []string, length int) (*tensor.Tensor, error) {
	ids := make([]int32, 0, len(texts)*length)
	for i, t := range texts {
		row, _, err := tok.EncodePadded(t, length, bpe.PadEnd)
		if err != nil {
			return nil, fmt.Errorf("text %d: %w", i, err)
		}
		ids = append(ids, row...)
	}
	return s.FromInt32s(ids, len(texts), length), nil
}
