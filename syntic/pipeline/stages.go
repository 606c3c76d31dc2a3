package pipeline

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"io"
	"strconv"

	"syntic/clip"
	"syntic/clip/pixels"
	"syntic/syntic"
	"syntic/syntic/config"
	"syntic/syntic/detr"
	"syntic/syntic/plan"
	"syntic/syntic/world"
	"syntic/tensor"
)

// Pairs is a shard of synthetic pairs: for each caption the features of its images, and what was found in them.
type Pairs struct {
	Features []float32            // [n · images a caption, E]
	Found    [][]syntic.Detection // [n · images a caption]
	PNG      [][]byte             // of the kept images, by place in the shard; nil elsewhere
}

// Tests is a shard of test images.
type Tests struct {
	Features   []float32
	Found      [][]syntic.Detection
	Boxes      [][]Box // of what was found, for the first of a run
	References [][]string
	PNG        [][]byte // of the images that the report shows
}

// Box is a detection in pixels.
type Box struct {
	X0    float64 `json:"x0"`
	Y0    float64 `json:"y0"`
	X1    float64 `json:"x1"`
	Y1    float64 `json:"y1"`
	Tag   string  `json:"tag"`
	Score float64 `json:"score"`
}

// reportImages is how many images of each kind the report shows.
const reportImages = 48

// minScore is what detections are kept from; the recipe's threshold is applied later, so that changing it makes no image anew.
const minScore = 0.1

func encode(w io.Writer, v any) error { return gob.NewEncoder(w).Encode(v) }

func decode(data []byte, v any) error { return gob.NewDecoder(bytes.NewReader(data)).Decode(v) }

// read reads all shards of a stage and hands them to add in order.
func read[T any](p *plan.Pipeline, stage string, add func(*T)) error {
	for i := range p.Stage(stage).Shards() {
		data, err := p.Read(stage, i)
		if err != nil {
			return err
		}
		v := new(T)
		if err := decode(data, v); err != nil {
			return fmt.Errorf("stage %s, shard %d: %w", stage, i, err)
		}
		add(v)
	}
	return nil
}

// work is what the stages of a run share. Models are opened when a stage first needs them.
type work struct {
	dev      *tensor.Device
	r        *config.Recipe
	folders  *Folders
	progress plan.Progress
	corpora  map[string][]string // by data.captions

	enc   *encoder
	det   *detr.Model
	paint *Painter
}

func (w *work) encoder() (*encoder, error) {
	var err error
	if w.enc == nil {
		if w.enc, err = openCLIP(w.dev, w.folders.CLIP); err != nil {
			return nil, inputError{err}
		}
	}
	return w.enc, nil
}

func (w *work) detector() (*detr.Model, error) {
	var err error
	if w.det == nil {
		if w.det, err = w.folders.openDETR(w.dev); err != nil {
			return nil, inputError{err}
		}
	}
	return w.det, nil
}

func (w *work) painter() (*Painter, error) {
	var err error
	if w.paint == nil {
		w.paint, err = OpenPainter(w.dev, "", w.folders.SD, w.r.Synth.Sampler)
	}
	return w.paint, err
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

// see finds features and objects of images.
func (w *work) see(ctx context.Context, images []*pixels.Image) (features []float32, found [][]detr.Detection, err error) {
	m, err := w.encoder()
	if err != nil {
		return nil, nil, err
	}
	features, err = clip.EncodeImages(ctx, m.Model, len(images), func(i int) (*pixels.Image, error) { return images[i], nil }, w.r.CLIP.Batch, nil)
	if err != nil {
		return nil, nil, err
	}
	d, err := w.detector()
	if err != nil {
		return nil, nil, err
	}
	found, err = detr.Detect(ctx, d, images, minScore)
	return features, found, err
}

func tagged(found [][]detr.Detection) [][]syntic.Detection {
	out := make([][]syntic.Detection, len(found))
	for i, f := range found {
		for _, d := range f {
			out[i] = append(out[i], syntic.Detection{Tag: d.Name, Score: float64(d.Score)})
		}
	}
	return out
}

// pairs is the stage that makes synthetic pairs of a corpus for one seed.
func (w *work) pairs(name, corpus string, seed int64) plan.Stage {
	r, texts := w.r, w.corpora[corpus]
	each := r.Synth.ImagesPerCaption
	return plan.Stage{
		Name: name, Version: 1, Items: len(texts), ShardSize: r.Shards.Captions,
		SeedRule: "noise of image k of caption i: Philox key {seed, k·2^32 + i, step}",
		Inputs:   map[string]string{"captions": hashTexts(texts), "clip": w.folders.hash[w.folders.CLIP], "sd": w.folders.hash[w.folders.SD], "detr": w.folders.hash[w.folders.DETR]},
		Config: map[string]any{"seed": seed, "sampler": r.Synth.Sampler, "steps": r.Synth.Steps, "guidance": r.Synth.Guidance,
			"negative": r.Synth.Negative, "images_per_caption": each, "keep": r.Synth.Keep, "threads": "any"},
		Make: func(ctx context.Context, sh plan.Shard, _ *plan.Pipeline, out io.Writer, tick func(int)) error {
			p, err := w.painter()
			if err != nil {
				return err
			}
			var all Pairs
			for from := sh.First; from < sh.First+sh.Count; from += r.Synth.Batch {
				to := min(from+r.Synth.Batch, sh.First+sh.Count)
				var prompts []string
				var keys []tensor.Key
				for i := from; i < to; i++ {
					for k := range each {
						prompts = append(prompts, texts[i])
						keys = append(keys, tensor.Key{Seed: uint64(seed), Item: uint64(k)<<32 + uint64(i)})
					}
				}
				images, err := p.Paint(ctx, prompts, keys, PaintOptions{Steps: r.Synth.Steps, Guidance: r.Synth.Guidance, Negative: r.Synth.Negative})
				if err != nil {
					return err
				}
				f, found, err := w.see(ctx, images)
				if err != nil {
					return err
				}
				all.Features, all.Found = append(all.Features, f...), append(all.Found, tagged(found)...)
				for j, im := range images {
					var data []byte
					if i := from + j/each; r.Synth.Keep == "all" || r.Synth.Keep == "sample" && i < reportImages {
						if data, err = EncodePNG(im); err != nil {
							return err
						}
					}
					all.PNG = append(all.PNG, data)
				}
				tick(to - from)
			}
			return encode(out, &all)
		},
	}
}

// texts is the stage of the features of a corpus's captions.
func (w *work) texts(name, corpus string) plan.Stage {
	texts := w.corpora[corpus]
	return plan.Stage{
		Name: name, Version: 1, Items: len(texts),
		Inputs: map[string]string{"captions": hashTexts(texts), "clip": w.folders.hash[w.folders.CLIP]},
		Config: map[string]any{"prompt": w.r.CLIP.Prompt},
		Make: func(ctx context.Context, _ plan.Shard, _ *plan.Pipeline, out io.Writer, tick func(int)) error {
			f, err := w.encodeTexts(ctx, prompted(texts, w.r.CLIP.Prompt), tick)
			if err != nil {
				return err
			}
			return encode(out, f)
		},
	}
}

func (w *work) encodeTexts(ctx context.Context, texts []string, tick func(int)) ([]float32, error) {
	m, err := w.encoder()
	if err != nil {
		return nil, err
	}
	done := 0
	return clip.EncodeTexts(ctx, m.Model, m.tok, texts, w.r.CLIP.Batch, func(now int) {
		if tick != nil {
			tick(now - done)
		}
		done = now
	})
}

// tests is the stage of the test images of a domain of the drawn world.
func (w *work) tests(name string, d world.Domain, n int) plan.Stage {
	return plan.Stage{
		Name: name, Version: 1, Items: n, ShardSize: w.r.Shards.Images,
		Inputs: map[string]string{"world": strconv.FormatUint(world.Fingerprint(), 16), "clip": w.folders.hash[w.folders.CLIP], "detr": w.folders.hash[w.folders.DETR]},
		Config: map[string]any{"domain": int(d), "seed": worldSeed},
		Make: func(ctx context.Context, sh plan.Shard, _ *plan.Pipeline, out io.Writer, tick func(int)) error {
			var all Tests
			var images []*pixels.Image
			for i := sh.First; i < sh.First+sh.Count; i++ {
				im, refs, err := testImage(d, i)
				if err != nil {
					return err
				}
				images, all.References = append(images, im), append(all.References, refs)
				var data []byte
				if i < reportImages {
					if data, err = EncodePNG(im); err != nil {
						return err
					}
				}
				all.PNG = append(all.PNG, data)
			}
			f, found, err := w.see(ctx, images)
			if err != nil {
				return err
			}
			all.Features, all.Found = f, tagged(found)
			for _, l := range found {
				all.Boxes = append(all.Boxes, boxes(l))
			}
			tick(sh.Count)
			return encode(out, &all)
		},
	}
}

func boxes(found []detr.Detection) (out []Box) {
	for _, d := range found {
		b := d.Box
		out = append(out, Box{float64(b[0]), float64(b[1]), float64(b[2]), float64(b[3]), d.Name, float64(d.Score)})
	}
	return out
}

// refined is the stage that refines the pairs' features.
func (w *work) refined(name, pairs, texts string, o config.Refine, seed int64, n int) plan.Stage {
	return plan.Stage{
		Name: name, Version: 1, Items: n, After: []string{pairs, texts},
		SeedRule: "batches dealt from (seed)",
		Config:   map[string]any{"refine": fmt.Sprintf("%+v", o), "seed": seed, "images_per_caption": w.r.Synth.ImagesPerCaption},
		Make: func(ctx context.Context, _ plan.Shard, in *plan.Pipeline, out io.Writer, tick func(int)) error {
			images, own, e, err := w.pairFeatures(in, pairs, texts)
			if err != nil {
				return err
			}
			f, err := syntic.Refine(ctx, w.dev, images, own, e, o, uint64(seed), nil)
			if err != nil {
				return err
			}
			tick(n)
			return encode(out, f)
		},
	}
}

// pairFeatures reads the features of synthetic images and, beside each, of its own text.
func (w *work) pairFeatures(in *plan.Pipeline, pairs, texts string) (images, own []float32, e int, err error) {
	if err := read(in, pairs, func(p *Pairs) { images = append(images, p.Features...) }); err != nil {
		return nil, nil, 0, err
	}
	var t []float32
	if err := read(in, texts, func(f *[]float32) { t = append(t, *f...) }); err != nil {
		return nil, nil, 0, err
	}
	n, each := in.Stage(texts).Items, w.r.Synth.ImagesPerCaption
	e = len(t) / n
	for i := range n {
		for range each {
			own = append(own, t[i*e:(i+1)*e]...)
		}
	}
	return images, own, e, nil
}
