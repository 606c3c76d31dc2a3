package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strings"
	"time"

	"syntic/clip"
	"syntic/clip/pixels"
	"syntic/syntic"
	"syntic/syntic/config"
	"syntic/syntic/plan"
	"syntic/tensor"
)

// meter measures on this machine what items of stages take, with the recipe's own models and sizes, and random features where real ones are not
// there yet. Each kind of work is measured once, for all runs of a plan whose keys for it agree.
type meter struct {
	w        *work
	l        *layout
	rates    map[string]float64
	progress plan.Progress
	image    *pixels.Image // one that was drawn
}

// rate is the items a second of a stage that has made none yet.
func (m *meter) rate(ctx context.Context, stage string) (float64, error) {
	t, set, err := m.row(stage)
	if err != nil {
		return 0, err
	}
	var kind string
	var measure func() (float64, error)
	switch {
	case strings.HasPrefix(stage, "pairs-"):
		kind, measure = "paint", func() (float64, error) { return m.paint(ctx) }
	case strings.HasPrefix(stage, "texts-"):
		kind, measure = "encode texts", func() (float64, error) { return m.encode(ctx, strings.TrimPrefix(stage, "texts-")) }
	case strings.HasPrefix(stage, "refined-"):
		kind, measure = "refine", func() (float64, error) { return m.refine(ctx, t) }
	case strings.HasPrefix(stage, "row-"):
		kind, measure = "train "+t.key.row, func() (float64, error) { return m.train(ctx, t) }
	case strings.HasPrefix(stage, "captions-"):
		kind, measure = "caption "+t.key.row, func() (float64, error) { return m.caption(ctx, t, set) }
	case strings.HasPrefix(stage, "remapped-"):
		kind, measure = "remap", func() (float64, error) { return m.remap(ctx, t) }
	default:
		kind, measure = "look at "+stage, func() (float64, error) { return m.look(ctx, m.w.sets[stage]) }
	}
	known, err := m.known(kind, t.row)
	if err != nil {
		return 0, err
	}
	if r, ok := m.rates[known]; ok {
		return r, nil
	}
	bar := plan.OrQuiet(m.progress).Stage("measure: "+kind, 0)
	defer bar.Done()
	r, err := measure()
	if err == nil && !(r > 0) {
		err = fmt.Errorf("%s: no time passed", kind)
	}
	m.rates[known] = r
	return r, err
}

// known names a measurement by the keys that it may depend on. Those of data count in all: the size of the corpus and the length of its captions do.
func (m *meter) known(kind string, row *config.Recipe) (string, error) {
	sections := []string{"data", "clip", "objects", "patches"}
	switch word, _, _ := strings.Cut(kind, " "); word {
	case "paint":
		sections = append(sections, "synth")
	case "refine":
		sections = append(sections, "refine")
	case "train":
		sections = append(sections, "synth", "remap", "memory", "project", "retrieve", "decoder", "train", "decode.max_tokens")
	case "caption", "remap":
		sections = append(sections, "memory", "project", "retrieve", "decoder", "decode")
	}
	text, err := json.Marshal(row.Section(sections...))
	return kind + " " + string(text), err
}

// timed is how many seconds fn takes: the second of two times, as the first opens models and files.
func timed(fn func() error) (float64, error) {
	seconds := 0.0
	for range 2 {
		began := time.Now()
		if err := fn(); err != nil {
			return 0, err
		}
		seconds = max(time.Since(began).Seconds(), 1e-6)
	}
	return seconds, nil
}

// paint measures images a second, of drawing, encoding and detecting. Small models draw a batch whole. Large ones draw one image with one step and
// one with two: what they differ by is a step.
func (m *meter) paint(ctx context.Context) (float64, error) {
	r := m.w.r
	p, err := m.w.painter()
	if err != nil {
		return 0, err
	}
	draw := func(n, steps int) (seconds float64, calls int, err error) {
		var keys []tensor.Key
		var prompts []string
		for i := range n {
			keys, prompts = append(keys, tensor.Key{Seed: 1, Item: uint64(i)}), append(prompts, "a picture")
		}
		began := time.Now()
		images, err := p.Paint(ctx, prompts, keys, PaintOptions{Steps: steps, Guidance: r.Synth.Guidance, Negative: r.Synth.Negative, OnCall: func() { calls++ }})
		if err != nil {
			return 0, 0, err
		}
		m.image = images[0]
		if _, _, _, err := m.w.see(ctx, images); err != nil {
			return 0, 0, err
		}
		return time.Since(began).Seconds(), calls, nil
	}
	first, _, err := draw(1, 1) // opens the models as well
	if err != nil {
		return 0, err
	}
	if first < 2 {
		n := r.Synth.Batch
		seconds, _, err := draw(n, r.Synth.Steps)
		return float64(n) / seconds, err
	}
	one, calls1, err := draw(1, 1)
	if err != nil {
		return 0, err
	}
	two, calls2, err := draw(1, 2)
	if err != nil {
		return 0, err
	}
	step := max(two-one, one/10) / float64(max(1, calls2-calls1))
	calls := calls1 + (r.Synth.Steps-1)*max(1, calls2-calls1)
	image := one + step*float64(calls-calls1)
	return 1 / image, nil
}

// png is the size of a drawn image as it is kept.
func (m *meter) png(ctx context.Context) int64 {
	if m.image == nil {
		if _, err := m.rate(ctx, "pairs-"); err != nil {
			return 0
		}
	}
	data, err := EncodePNG(m.image)
	if err != nil {
		return 0
	}
	return int64(len(data))
}

func (m *meter) encode(ctx context.Context, corpus string) (float64, error) {
	enc, err := m.w.encoder()
	if err != nil {
		return 0, err
	}
	texts := m.w.corpora[corpus]
	texts = texts[:min(len(texts), m.w.r.CLIP.Batch, 64)]
	s, err := timed(func() error {
		_, err := clip.EncodeTexts(ctx, enc.Model, enc.tok, prompted(texts, m.w.r.CLIP.Prompt), m.w.r.CLIP.Batch, nil)
		return err
	})
	return float64(len(texts)) / s, err
}

func (m *meter) look(ctx context.Context, set *imageSet) (float64, error) {
	n := min(set.count, 4)
	s, err := timed(func() error { return m.w.appendTests(ctx, &Tests{}, set, 0, n) })
	return float64(n) / s, err
}

// features are n random ones of unit length.
func (m *meter) features(n, e int) []float32 {
	x := make([]float32, n*e)
	tensor.Key{Seed: 3, Item: uint64(n)}.Normal(x)
	for i := 0; i < len(x); i += e {
		sum := 0.0
		for _, v := range x[i : i+e] {
			sum += float64(v) * float64(v)
		}
		for k := range e {
			x[i+k] /= float32(math.Sqrt(sum))
		}
	}
	return x
}

func (m *meter) size() (int, error) {
	enc, err := m.w.encoder()
	if err != nil {
		return 0, err
	}
	return enc.Config.Projection, nil
}

// refine measures one batch. Where the whole corpus is contrasted with, the time grows with it.
func (m *meter) refine(ctx context.Context, t *rowStage) (float64, error) {
	e, err := m.size()
	if err != nil {
		return 0, err
	}
	all := len(m.w.corpora[t.key.corpus])
	n := min(all, t.row.Refine.Batch)
	x := m.features(2*n, e)
	s, err := timed(func() error {
		_, err := syntic.Refine(ctx, m.w.dev, x[:n*e], x[n*e:], e, t.row.Refine, 1, nil)
		return err
	})
	if t.row.Refine.Negatives == "memory" {
		s *= float64(all) / float64(n)
	}
	return float64(n) / s, err
}

// memory is random features, as many as the row's memory has texts of a corpus.
func (m *meter) memory(t *rowStage, corpus string, e int) (*syntic.Memory, error) {
	memory, _, err := syntic.MemoryOf(m.w.dev, m.features(len(m.w.corpora[corpus]), e), e, t.row.Memory, 1)
	return memory, err
}

// projection is the seconds that the projection of one feature takes.
func (m *meter) projection(ctx context.Context, t *rowStage, corpus string, e int) (float64, error) {
	const n = 64
	memory, err := m.memory(t, corpus, e)
	if err != nil {
		return 0, err
	}
	defer memory.Release()
	x := m.features(n, e)
	s, err := timed(func() error { _, err := memory.Project(ctx, x, nil, t.row.Memory, nil); return err })
	return s / n, err
}

// remap takes it that finding the images like a text takes what projecting on as many texts does.
func (m *meter) remap(ctx context.Context, t *rowStage) (float64, error) {
	e, err := m.size()
	if err != nil {
		return 0, err
	}
	one, err := m.projection(ctx, t, t.key.corpus, e)
	return 1 / one, err
}

// decoder is the row's, untrained, and what it looks at images with. The caller releases both.
func (m *meter) decoder(ctx context.Context, t *rowStage) (*syntic.Decoder, *looking, error) {
	e, err := m.size()
	if err != nil {
		return nil, nil, err
	}
	look := &looking{}
	if retrieves(t.row) {
		if look.memory, err = m.memory(t, t.key.corpus, e); err != nil {
			return nil, nil, err
		}
	}
	if look.sight, err = t.sight(e, look.memory, t.texts(t.key.corpus)); err != nil {
		look.release()
		return nil, nil, err
	}
	l := &lesson{Examples: &syntic.Examples{}, sight: look.sight, e: e}
	for _, text := range m.w.corpora[t.key.corpus] {
		if err := ctx.Err(); err != nil {
			look.release()
			return nil, nil, err
		}
		l.all = append(l.all, look.sight.words.Encode(text))
	}
	d, err := t.fresh(l)
	if err != nil {
		look.release()
	}
	return d, look, err
}

// about is the context of images of random features, in which nothing was detected.
func (m *meter) about(ctx context.Context, look *looking, x []float32, e int) (*syntic.Context, error) {
	about, _, err := look.sight.context(ctx, x, make([][]syntic.Detection, len(x)/e), nil)
	return about, err
}

// train measures steps a second: three steps of the row's batch, and the projection of all its features spread over all steps.
func (m *meter) train(ctx context.Context, t *rowStage) (float64, error) {
	d, look, err := m.decoder(ctx, t)
	if err != nil {
		return 0, err
	}
	defer look.release()
	defer d.Release()
	e, texts := d.Shape.Features, m.w.corpora[t.key.corpus]
	const steps = 3
	n := steps * min(t.row.Train.Batch, len(texts))
	x := &syntic.Examples{Features: m.features(n, e)}
	for i := range n {
		x.Captions = append(x.Captions, look.sight.words.Encode(texts[i%len(texts)]))
	}
	if x.Context, err = m.about(ctx, look, x.Features, e); err != nil {
		return 0, err
	}
	o := syntic.TrainOptionsOf(t.row)
	o.Train.Epochs = 1
	s, err := timed(func() error { _, err := d.Train(ctx, x, o, nil); return err })
	if err != nil {
		return 0, err
	}
	step := s / steps
	if t.row.Project.Train {
		one, err := m.projection(ctx, t, t.key.corpus, e)
		if err != nil {
			return 0, err
		}
		step += one * float64(t.count()) / float64(t.steps())
	}
	return 1 / step, nil
}

// caption measures images a second with an untrained decoder, which writes captions as long as they may be: a trained one is faster.
func (m *meter) caption(ctx context.Context, t *rowStage, set string) (float64, error) {
	d, look, err := m.decoder(ctx, t)
	if err != nil {
		return 0, err
	}
	defer look.release()
	defer d.Release()
	e := d.Shape.Features
	const n = 4
	x := m.features(n, e)
	s, err := timed(func() error {
		about, err := m.about(ctx, look, x, e)
		if err != nil {
			return err
		}
		_, err = d.Generate(ctx, x, about, t.row.Decode, nil)
		return err
	})
	if err != nil {
		return 0, err
	}
	if t.row.Project.Enabled {
		one, err := m.projection(ctx, t, t.memoryFor(set), e)
		if err != nil {
			return 0, err
		}
		s += n * one
	}
	return n / s, nil
}

// FolderBytes is the size of the files in a folder; what cannot be read counts nothing.
func FolderBytes(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil
	})
	return n
}
