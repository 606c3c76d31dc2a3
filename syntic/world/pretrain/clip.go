package pretrain

import (
	"context"
	"path/filepath"
	"strings"

	"syntic/clip"
	"syntic/clip/bpe"
	"syntic/nn"
	"syntic/syntic/world"
	"syntic/tensor"
)

// CLIPConfig is the tiny CLIP: ViT with 8×8 patches of 64×64 pictures, four layers of 128, and a text tower of three.
func CLIPConfig(tok *bpe.Tokenizer) clip.Config {
	c := clip.DefaultConfig()
	c.Projection = 128
	c.Text = clip.TextConfig{VocabSize: tok.Size(), Width: 128, MLP: 512, Projection: 128, Layers: 3, Heads: 4, MaxPositions: textPositions,
		Act: "quick_gelu", NormEps: 1e-5, BOS: tok.Start(), EOS: tok.End(), PAD: tok.End()}
	c.Image = clip.ImageConfig{Width: 128, MLP: 512, Projection: 128, Layers: 4, Heads: 4, Channels: 3, ImageSize: world.Side, PatchSize: 8,
		Act: "quick_gelu", NormEps: 1e-5}
	return c
}

// wordWeight is the weight, at first, of a second loss of training, the prediction of a caption's words from its image: supervised by texts
// alone, as CLIP is, it makes the kinds of things known much sooner. It goes down to nothing, and its linear layer is not part of the model.
const wordWeight = 0.5

type clipTraining struct {
	Model *clip.Model `name:"clip"`
	Words *nn.Linear  `name:"words"`
}

// CLIP is the training of both towers by InfoNCE (Radford et al. 2021), with the words of the caption as a helper.
func CLIP(dev *tensor.Device, steps int, seed uint64) (*Job, error) {
	tok, err := Tokenizer()
	if err != nil {
		return nil, err
	}
	m, err := clip.New(CLIPConfig(tok), dev, seed)
	if err != nil {
		return nil, err
	}
	t := &clipTraining{m, nn.NewLinear(dev, 128, tok.Size(), true)}
	nn.Init(t.Words, seed)
	const batch = 128
	var src *source
	return &Job{
		Name: "clip", Params: nn.Parameters(t), Batch: batch, Steps: steps, Decay: 0.995, LR: 1e-3, Schedule: nn.Cosine(100, 0.02),
		Optimizer: nn.AdamWOptions{Beta2: 0.98, Eps: 1e-6, Decay: 0.1, ClipNorm: 1, NoDecay: small, Muon: matrices},
		Loss: func(s *tensor.Scope, step int) (*tensor.Tensor, error) {
			if src == nil {
				src = newSource(batch, step, false, domainOf)
			}
			b := src.batch()
			ids, err := idRows(s, tok, b.Captions, textPositions)
			if err != nil {
				return nil, err
			}
			m.ClampScale()
			v := m.EncodeImage(s, normalised(s, b.Pixels, m.Pixels.Mean, m.Pixels.Std))
			loss := s.InfoNCE(v, m.EncodeText(s, ids), s.Act(s.Reshape(m.LogitScale, 1), tensor.Exp), tensor.InfoNCEOptions{})
			return s.AddScaled(loss, 1, wordLoss(s, t.Words.Forward(s, s.Scale(v, 10)), ids, tok), wordWeight*(1-float32(step)/float32(steps))), nil
		},
		Scores: func(ctx context.Context) (map[string]float64, error) { return retrieval(ctx, m, tok) },
		Save: func(dir string) error {
			if err := m.SaveAs(dir, "F16"); err != nil {
				return err
			}
			return tok.Save(filepath.Clean(dir))
		},
	}, nil
}

// small tells the parameters that are not decayed: biases, norms, positions and the scale.
func small(name string) bool {
	return strings.HasSuffix(name, ".bias") || strings.Contains(name, "norm") || strings.HasSuffix(name, "logit_scale") || strings.Contains(name, "position")
}

// matrices tells the parameters that take Muon's step: all weights but tables of embeddings and the helper's words.
func matrices(name string) bool {
	return !strings.Contains(name, "embeddings.") && !strings.HasPrefix(name, "words.")
}

// wordLoss is the mean cross entropy of logits [B, V] with each word of the row's caption.
func wordLoss(s *tensor.Scope, logits, ids *tensor.Tensor, tok *bpe.Tokenizer) *tensor.Tensor {
	length := ids.Dim(1)
	var rows, words []int32
	for i, id := range ids.Int32s() {
		if id != tok.Start() && id != tok.End() {
			rows, words = append(rows, int32(i/length)), append(words, id)
		}
	}
	return s.CrossEntropy(s.Embedding(logits, s.FromInt32s(rows, len(rows))), s.FromInt32s(words, len(words)), tensor.CrossEntropyOptions{})
}

// retrieval is R@1 and R@5 among 256 held-out photos whose captions all differ, both ways.
func retrieval(ctx context.Context, m *clip.Model, tok *bpe.Tokenizer) (map[string]float64, error) {
	b := distinct(scoreScenes)
	texts, err := clip.EncodeTexts(ctx, m, tok, b.Captions, 64, nil)
	if err != nil {
		return nil, err
	}
	images, err := clip.EncodeImages(ctx, m, scoreScenes, clip.Squares(pictures(b.Pixels), world.Side), 64, nil)
	if err != nil {
		return nil, err
	}
	dot := func(i, j int) (x float32) { // image i, text j
		for k := range 128 {
			x += images[i*128+k] * texts[j*128+k]
		}
		return x
	}
	scores := map[string]float64{"scale": float64(m.Scale())}
	for i := range scoreScenes {
		i2t, t2i, own := 0, 0, dot(i, i)
		for j := range scoreScenes {
			if dot(i, j) > own {
				i2t++
			}
			if dot(j, i) > own {
				t2i++
			}
		}
		for name, rank := range map[string]int{"i2t": i2t, "t2i": t2i} {
			if rank < 1 {
				scores[name+"_r1"] += 1.0 / scoreScenes
			}
			if rank < 5 {
				scores[name+"_r5"] += 1.0 / scoreScenes
			}
		}
		scores["cosine"] += float64(own) / scoreScenes
	}
	return scores, nil
}

// distinct draws n held-out photos whose captions all differ.
func distinct(n int) *Batch {
	all := drawBatch(world.Val, sceneSeed, 0, 2*n, false, photo)
	out, seen := &Batch{}, map[string]bool{}
	for i, c := range all.Captions {
		if !seen[c] && len(out.Captions) < n {
			seen[c] = true
			out.Captions, out.Scenes = append(out.Captions, c), append(out.Scenes, all.Scenes[i])
			out.Pixels = append(out.Pixels, all.Pixels[i*world.PixelBytes:(i+1)*world.PixelBytes]...)
		}
	}
	return out
}
