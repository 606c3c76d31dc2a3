package pipeline

import (
	"fmt"

	"syntic/syntic/config"
	"syntic/syntic/plan"
	"syntic/syntic/world"
)

// A corpus is texts that a run learns from or projects on. Its name is part of the names of stages.
const (
	mainCorpus   = "main"   // data.captions
	webCorpus    = "web"    // texts of the web, for the setting zero_shot
	memoryCorpus = "memory" // memory.source, where that is not training
)

// setting is what a row is trained on and tested on.
type setting struct{ name, corpus, set string }

func settingOf(name string) setting {
	switch name {
	case "cross_domain":
		return setting{name, mainCorpus, "test-cross"}
	case "zero_shot":
		return setting{name, webCorpus, "test-in"}
	}
	return setting{name, mainCorpus, "test-in"}
}

func settingsOf(r *config.Recipe) []setting {
	out := make([]setting, len(r.Eval.Settings))
	for i, name := range r.Eval.Settings {
		out[i] = settingOf(name)
	}
	return out
}

// rowKey names a row's training: what it is trained on, which row, which seed.
type rowKey struct {
	corpus, row string
	seed        int64
}

// Names of stages.
func (k rowKey) String() string { return fmt.Sprintf("row-%s-%s-%d", k.corpus, k.row, k.seed) }
func (k rowKey) captions(set string) string {
	return fmt.Sprintf("captions-%s-%s-%d-%s", k.corpus, k.row, k.seed, set)
}
func (k rowKey) pairs() string     { return fmt.Sprintf("pairs-%s-%d", k.corpus, k.seed) }
func (k rowKey) refined() string   { return fmt.Sprintf("refined-%s-%d", k.corpus, k.seed) }
func (k rowKey) texts() string     { return textsOf(k.corpus) }
func textsOf(corpus string) string { return "texts-" + corpus }
func (w *work) memoryFor(k rowKey) string { // the corpus that test images are projected on
	if w.corpora[memoryCorpus] != nil {
		return memoryCorpus
	}
	return k.corpus
}

// layout is the plan of a run: stages in their order, and which rows they train.
type layout struct {
	stages []plan.Stage
	rows   []rowKey
	sets   []string // of test images
	first  rowKey   // of the first setting: the one that becomes the folder model
	have   map[string]bool
}

// add adds a stage unless it is there.
func (l *layout) add(name string, stage func() plan.Stage) {
	if !l.have[name] {
		l.have[name] = true
		l.stages = append(l.stages, stage())
	}
}

// domains are those of the test images in domain and across.
func domains(r *config.Recipe) (in, cross world.Domain, err error) {
	switch r.Data.Test {
	case World:
		return world.Photo, world.Crayon, nil
	case "world:other":
		return world.Crayon, world.Photo, nil
	}
	return 0, 0, badInput("data.test %q: want world or world:other", r.Data.Test)
}

// layout lists the stages: test images, texts, and for each corpus and seed its pairs and its rows.
func (w *work) layout() (*layout, error) {
	settings := settingsOf(w.r)
	l := &layout{have: map[string]bool{}, first: rowKey{settings[0].corpus, w.r.Eval.Rows[0], w.r.Seed}}
	for _, s := range settings {
		domain := w.in
		if s.set == "test-cross" {
			domain = w.cross
		}
		if !l.have[s.set] {
			l.sets = append(l.sets, s.set)
		}
		l.add(s.set, func() plan.Stage { return w.tests(s.set, domain) })
	}
	if w.corpora[memoryCorpus] != nil {
		l.add(textsOf(memoryCorpus), func() plan.Stage { return w.texts(memoryCorpus) })
	}
	trained := map[rowKey]bool{}
	for _, s := range settings {
		l.add(textsOf(s.corpus), func() plan.Stage { return w.texts(s.corpus) })
		for k := range w.r.Seeds {
			for _, name := range w.r.Eval.Rows {
				key := rowKey{s.corpus, name, w.r.Seed + int64(k)}
				row, err := w.r.Row(name)
				if err != nil {
					return nil, err
				}
				if !trained[key] {
					trained[key] = true
					l.rows = append(l.rows, key)
				}
				w.addRow(l, &rowStage{w, row, key}, s.set)
			}
		}
	}
	return l, nil
}

// addRow adds what a row needs, its training, and its captions of a test set.
func (w *work) addRow(l *layout, t *rowStage, set string) {
	if t.synthetic() {
		l.add(t.key.pairs(), func() plan.Stage { return w.pairs(t.key) })
		if t.row.Refine.Enabled {
			l.add(t.key.refined(), func() plan.Stage { return w.refined(t.key) })
		}
	}
	l.add(t.key.String(), t.training)
	l.add(t.key.captions(set), func() plan.Stage { return t.captions(set) })
}
