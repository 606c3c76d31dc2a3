package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"syntic/syntic/config"
	"syntic/syntic/plan"
	"syntic/syntic/world"
	"syntic/tensor"
)

// Run is a run that has ended.
type Run struct {
	Recipe  *config.Recipe
	Results []Score       // in the order of settings, rows and seeds
	Table   *Table        // means over seeds, with intervals
	Stages  []plan.Result // with their times
	Report  string        // path of report.html
}

// rowKey names a row's training: what it is trained on, which row, which seed.
type rowKey struct {
	corpus, row string
	seed        int64
}

func (k rowKey) String() string { return fmt.Sprintf("row-%s-%s-%d", k.corpus, k.row, k.seed) }

// layout is the plan of a run: stages, and which of them each row has.
type layout struct {
	stages []plan.Stage
	rows   []rowKey
	sets   map[string]world.Domain
	have   map[string]bool
}

func (l *layout) add(s plan.Stage) {
	if !l.have[s.Name] {
		l.have[s.Name] = true
		l.stages = append(l.stages, s)
	}
}

// corpora of the settings: what they are trained on, by a name fit for a stage.
func (w *work) loadCorpora() error {
	w.corpora = map[string][]string{}
	add := func(name, key, source string) error {
		texts, err := captions(source, w.r.Data.Count)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if len(texts) < 2 {
			return badInput("%s %s: %d captions: want at least 2", key, source, len(texts))
		}
		w.corpora[name] = texts
		return nil
	}
	for _, s := range w.r.Eval.Settings {
		var err error
		if s == "zero_shot" {
			err = add("web", "zero_shot", "world:web")
		} else {
			err = add("main", "data.captions", w.r.Data.Captions)
		}
		if err != nil {
			return err
		}
	}
	if w.r.Memory.Source != "training" {
		return add("memory", "memory.source", w.r.Memory.Source)
	}
	return nil
}

// domains are the domain of the test images in the settings of a recipe.
func domains(r *config.Recipe) (in, cross world.Domain, err error) {
	switch r.Data.Test {
	case World:
		return world.Photo, world.Crayon, nil
	case "world:other":
		return world.Crayon, world.Photo, nil
	}
	return 0, 0, badInput("data.test %q: want world or world:other", r.Data.Test)
}

func (w *work) layout() (*layout, error) {
	l := &layout{sets: map[string]world.Domain{}, have: map[string]bool{}}
	in, cross, err := domains(w.r)
	if err != nil {
		return nil, err
	}
	n := w.r.Data.TestN
	if n == 0 {
		n = 1000
	}
	sets := map[string][]string{} // corpus to test sets
	for _, s := range w.r.Eval.Settings {
		switch s {
		case "in_domain":
			sets["main"] = append(sets["main"], "test-in")
		case "cross_domain":
			sets["main"] = append(sets["main"], "test-cross")
		case "zero_shot":
			sets["web"] = append(sets["web"], "test-in")
		}
	}
	for _, corpus := range []string{"main", "web"} {
		for _, set := range sets[corpus] {
			d := in
			if set == "test-cross" {
				d = cross
			}
			l.sets[set] = d
			l.add(w.tests(set, d, n))
		}
	}
	if w.corpora["memory"] != nil {
		l.add(w.texts("texts-memory", "memory"))
	}
	for _, corpus := range []string{"main", "web"} {
		if len(sets[corpus]) == 0 {
			continue
		}
		texts := "texts-" + corpus
		l.add(w.texts(texts, corpus))
		for k := range w.r.Seeds {
			seed := w.r.Seed + int64(k)
			for _, name := range w.r.Eval.Rows {
				row, err := w.r.Row(name)
				if err != nil {
					return nil, err
				}
				t := &rowStage{w: w, row: row, seed: seed, corpus: corpus, texts: texts, sets: sets[corpus],
					pairs: fmt.Sprintf("pairs-%s-%d", corpus, seed), refined: fmt.Sprintf("refined-%s-%d", corpus, seed)}
				if w.corpora["memory"] != nil {
					t.memory = "texts-memory"
				}
				if row.Train.Features == "synthetic" {
					p := w.pairs(t.pairs, corpus, seed)
					l.add(p)
					if row.Refine.Enabled {
						l.add(w.refined(t.refined, t.pairs, texts, row.Refine, seed, p.Items))
					}
				}
				key := rowKey{corpus, name, seed}
				l.add(t.stage(key.String()))
				l.rows = append(l.rows, key)
			}
		}
	}
	return l, nil
}

// Do runs a recipe in a folder: what is finished there is not made again. Besides stages and models it writes results.json, captions.json,
// references.json, recipe.lock.yaml, report.html and model, the folder that [OpenModel] reads.
func Do(ctx context.Context, dev *tensor.Device, dir string, r *config.Recipe, progress plan.Progress, machine string) (*Run, error) {
	w := &work{dev: dev, r: r, progress: progress}
	defer w.close()
	if err := w.loadCorpora(); err != nil { // before anything is written
		return nil, err
	}
	if err := checkModels(r); err != nil {
		return nil, err
	}
	if err := ours(dir); err != nil {
		return nil, err
	}
	unlock, err := plan.Lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if w.folders, err = locate(filepath.Join(dir, "models"), r.CLIP.Model, r.Synth.Model, r.Objects.Model); err != nil {
		return nil, plan.Explain(dir, err)
	}
	l, err := w.layout()
	if err != nil {
		return nil, err
	}
	p, err := plan.New(filepath.Join(dir, "stages"), l.stages)
	if err != nil {
		return nil, err
	}
	stages, err := p.Run(ctx, plan.Options{Progress: progress})
	if err != nil {
		return nil, err
	}
	run := &Run{Recipe: r, Stages: stages, Report: filepath.Join(dir, "report.html")}
	f := &finish{w: w, l: l, p: p, run: run, dir: dir, machine: machine}
	return run, plan.Explain(dir, f.all(ctx))
}

// ours refuses a folder that holds other things than a run, so that none of them is mixed with a run's files or overwritten.
func ours(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil // not there yet, or plan.Lock says what is wrong
	}
	foreign := ""
	for _, f := range list {
		switch name := f.Name(); {
		case name == "stages" || name == "recipe.lock.yaml":
			return nil
		case strings.HasPrefix(name, ".") || name == "lost+found" || name == "models": // models: the run ended before its first stage
		case foreign == "":
			foreign = name
		}
	}
	if foreign != "" {
		return &plan.FolderError{Dir: dir, Err: fmt.Errorf("holds %s, but no run", foreign), Advice: "choose an empty or new folder, or that of a run"}
	}
	return nil
}
