package pipeline

import (
	"context"
	"fmt"
	"io"

	"syntic/clip"
	"syntic/clip/pixels"
	"syntic/syntic"
	"syntic/syntic/config"
	"syntic/syntic/dataset"
	"syntic/syntic/detr"
	"syntic/syntic/plan"
	"syntic/tensor"
)

// reportImages is how many images of each kind the report shows.
const reportImages = 48

// minScore is what detections are kept from; the recipe's threshold is applied later, so that changing it makes no image anew.
const minScore = 0.1

// work is what the stages of a run share. Models are opened when a stage first needs them.
type work struct {
	dev     *tensor.Device
	r       *config.Recipe
	folders *Folders
	corpora map[string][]string // name of a corpus to its texts

	files  files
	stores map[string]*dataset.Store // folder to its pictures

	trainOnly bool
	sets      map[string]*imageSet
	needs     needs

	trainers map[string]string           // row to the row that its decoder is trained for
	entities map[string]*syntic.Entities // objects.vocabulary to its names
	starts   map[string]string           // decoder.start to the hash of its files

	enc   *encoder
	det   *detr.Model
	paint *Painter

	rec *recorder // of a run that is done; nil where one is planned
}

func (w *work) encoder() (*encoder, error) {
	var err error
	if w.enc == nil {
		w.enc, err = openCLIP(w.dev, w.folders.CLIP)
	}
	return w.enc, modelError("clip.model", w.r.CLIP.Model, err)
}

func (w *work) detector() (*detr.Model, error) {
	var err error
	if w.det == nil {
		w.det, err = detr.Load(w.folders.DETR, w.dev)
	}
	return w.det, modelError("objects.model", w.r.Objects.Model, err)
}

func (w *work) painter() (*Painter, error) {
	var err error
	if w.paint == nil {
		w.paint, err = OpenPainter(w.dev, "", w.folders.SD, w.r.Synth.Sampler)
	}
	return w.paint, modelError("synth.model", w.r.Synth.Model, err)
}

// modelError says of a folder of the user that it is at fault, and which key names it.
func modelError(key, model string, err error) error {
	if err == nil || model == World {
		return err
	}
	return inputError{fmt.Errorf("%s: %w", key, err)}
}

// close frees the models.
func (w *work) close() {
	if w.enc != nil {
		w.enc.Close()
	}
	if w.det != nil {
		w.det.Close()
	}
	if w.paint != nil {
		w.paint.Close()
	}
}

// see finds features and objects of images, and features of their patches where a row asks for them.
func (w *work) see(ctx context.Context, images []*pixels.Image) (features []float32, found [][]detr.Detection, patches []float32, err error) {
	m, err := w.encoder()
	if err != nil {
		return nil, nil, nil, err
	}
	image := func(i int) (*pixels.Image, error) { return images[i], nil }
	if features, err = clip.EncodeImages(ctx, m.Model, len(images), image, w.r.CLIP.Batch, nil); err != nil {
		return nil, nil, nil, err
	}
	if w.needs.patches {
		if patches, err = clip.EncodePatches(ctx, m.Model, len(images), image, w.r.CLIP.Batch); err != nil {
			return nil, nil, nil, err
		}
	}
	found, err = w.detect(ctx, images)
	return features, found, patches, err
}

// pairs is the stage that makes the synthetic pairs of a corpus for one seed, with image number k of each caption.
func (w *work) pairs(key rowKey, k int) plan.Stage {
	r, texts := w.r, w.corpora[key.corpus]
	inputs := map[string]string{"captions": hashTexts(texts), "clip": w.folders.hash[w.folders.CLIP], "sd": w.folders.hash[w.folders.SD], "detr": w.detectorHash()}
	if w.needs.patches {
		inputs["patches"] = "yes"
	}
	return plan.Stage{
		Name: key.pairs(k), Version: 3, Items: len(texts), ShardSize: r.Shards.Captions,
		SeedRule: "noise of image k of caption i: Philox key {seed, k·2^32 + i, step}",
		Inputs:   inputs,
		Config: map[string]any{"seed": key.seed, "sampler": r.Synth.Sampler, "steps": r.Synth.Steps, "guidance": r.Synth.Guidance,
			"negative": r.Synth.Negative, "image": k, "keep": r.Synth.Keep},
		Piece: func(sh plan.Shard) map[string]string {
			return map[string]string{"captions": hashTexts(texts[sh.First : sh.First+sh.Count])}
		},
		Make: func(ctx context.Context, sh plan.Shard, _ *plan.Pipeline, out io.Writer, tick func(int)) error {
			var all Pairs
			for from := sh.First; from < sh.First+sh.Count; from += r.Synth.Batch {
				to := min(from+r.Synth.Batch, sh.First+sh.Count)
				if err := w.appendPairs(ctx, &all, texts[from:to], from, k, uint64(key.seed)); err != nil {
					return err
				}
				tick(to - from)
			}
			return encode(out, &all)
		},
	}
}

// appendPairs makes image number k of some captions, the first of them number first of the corpus.
func (w *work) appendPairs(ctx context.Context, all *Pairs, texts []string, first, k int, seed uint64) error {
	o := w.r.Synth
	p, err := w.painter()
	if err != nil {
		return err
	}
	var keys []tensor.Key
	for i := range texts {
		keys = append(keys, tensor.Key{Seed: seed, Item: uint64(k)<<32 + uint64(first+i)})
	}
	images, err := p.Paint(ctx, texts, keys, PaintOptions{Steps: o.Steps, Guidance: o.Guidance, Negative: o.Negative})
	if err != nil {
		return err
	}
	features, found, patches, err := w.see(ctx, images)
	if err != nil {
		return err
	}
	all.Patches = append(all.Patches, patches...)
	all.Features, all.Found = append(all.Features, features...), append(all.Found, tagged(found)...)
	for j, im := range images {
		kept, err := pngIf(o.Keep == "all" || o.Keep == "sample" && k == 0 && first+j < reportImages, im)
		if err != nil {
			return err
		}
		all.PNG = append(all.PNG, kept)
	}
	return nil
}

// texts is the stage of the features of a corpus's captions.
func (w *work) texts(corpus string) plan.Stage {
	texts := w.corpora[corpus]
	return plan.Stage{
		Name: textsOf(corpus), Version: 1, Items: len(texts),
		Inputs: map[string]string{"captions": hashTexts(texts), "clip": w.folders.hash[w.folders.CLIP]},
		Config: map[string]any{"prompt": w.r.CLIP.Prompt},
		Make: func(ctx context.Context, _ plan.Shard, _ *plan.Pipeline, out io.Writer, tick func(int)) error {
			m, err := w.encoder()
			if err != nil {
				return err
			}
			done := 0
			f, err := clip.EncodeTexts(ctx, m.Model, m.tok, prompted(texts, w.r.CLIP.Prompt), w.r.CLIP.Batch, func(now int) { tick(now - done); done = now })
			if err != nil {
				return err
			}
			return encode(out, f)
		},
	}
}
