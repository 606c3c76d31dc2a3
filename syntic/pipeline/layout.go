package pipeline

import (
	"fmt"

	"syntic/syntic"
	"syntic/syntic/config"
	"syntic/syntic/plan"
)

// A corpus is texts that a run learns from or projects on. Its name is part of the names of stages.
const (
	mainCorpus   = "main"   // data.captions
	webCorpus    = "web"    // texts of the web, for the setting zero_shot
	memoryCorpus = "memory" // memory.source, where that names a corpus
	targetCorpus = "target" // training texts of the images of cross_domain, where memory.source is target
)

// setting is what a row is trained on and tested on.
type setting struct{ name, corpus, set string }

func settingOf(name string) setting {
	switch name {
	case "cross_domain":
		return setting{name, mainCorpus, testCross}
	case "zero_shot":
		return setting{name, webCorpus, testIn}
	}
	return setting{name, mainCorpus, testIn}
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
func (k rowKey) pairs(image int) string { // of image number image of each caption
	if image > 0 {
		return fmt.Sprintf("pairs-%s-%d-%d", k.corpus, k.seed, image)
	}
	return fmt.Sprintf("pairs-%s-%d", k.corpus, k.seed)
}
func (k rowKey) remapped() string  { return fmt.Sprintf("remapped-%s-%d", k.corpus, k.seed) }
func (k rowKey) refined() string   { return fmt.Sprintf("refined-%s-%d", k.corpus, k.seed) }
func (k rowKey) texts() string     { return textsOf(k.corpus) }
func textsOf(corpus string) string { return "texts-" + corpus }

// memoryFor is the corpus that the row's test images of a set are projected on.
func (t *rowStage) memoryFor(set string) string {
	switch {
	case t.row.Memory.Source == "training":
		return t.key.corpus
	case t.row.Memory.Source != "target":
		return memoryCorpus
	case set == testCross:
		return targetCorpus
	}
	return mainCorpus
}

// texts are those of the memory, of a corpus.
func (t *rowStage) texts(corpus string) []string {
	all := t.w.corpora[corpus]
	rows := syntic.DrawTexts(len(all), t.row.Memory.Size, uint64(t.key.seed))
	out := make([]string, len(rows))
	for i, at := range rows {
		out[i] = all[at]
	}
	return out
}

// layout is the plan of a run: stages in their order, and which rows they train.
type layout struct {
	stages []plan.Stage
	rows   []rowKey
	of     map[rowKey]*rowStage
	sets   []string  // of test images
	first  *rowStage // of the first setting: the one that becomes the folder model
	set    string    // of test images of the first setting
	have   map[string]bool
}

// add adds a stage unless it is there.
func (l *layout) add(name string, stage func() plan.Stage) {
	if !l.have[name] {
		l.have[name] = true
		l.stages = append(l.stages, stage())
	}
}

// layout lists the stages: test images, texts, and for each corpus and seed its pairs and its rows.
func (w *work) layout() (*layout, error) {
	settings := settingsOf(w.r)
	l := &layout{have: map[string]bool{}, of: map[rowKey]*rowStage{}, set: settings[0].set}
	for _, s := range settings {
		if w.trainOnly {
			break
		}
		if !l.have[s.set] {
			l.sets = append(l.sets, s.set)
		}
		if err := l.addSet(w, s.set); err != nil {
			return nil, err
		}
	}
	if w.sets[valSet] != nil {
		if err := l.addSet(w, valSet); err != nil {
			return nil, err
		}
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
				t := &rowStage{w, row, key}
				l.of[key] = t
				if l.first == nil {
					l.first = t
				}
				w.addRow(l, t, s.set)
			}
		}
	}
	return l, nil
}

// addSet adds the stage of a set of images.
func (l *layout) addSet(w *work, name string) error {
	if l.have[name] {
		return nil
	}
	stage, err := w.seeing(w.sets[name])
	if err != nil {
		return inputError{err}
	}
	l.add(name, func() plan.Stage { return stage })
	return nil
}

// addRow adds what a row needs, its training, and its captions of a test set.
func (w *work) addRow(l *layout, t *rowStage, set string) {
	if t.synthetic() || t.row.Gap.Correct != "none" {
		for k, name := range t.pairs() {
			l.add(name, func() plan.Stage { return w.pairs(t.key, k) })
		}
	}
	if t.row.Remap.Enabled {
		l.add(t.remapped(), t.remapping)
	}
	if t.synthetic() && t.row.Refine.Enabled {
		l.add(t.refined(), t.refining)
	}
	l.add(t.trainer().String(), t.training)
	memory := t.memoryFor(set)
	l.add(textsOf(memory), func() plan.Stage { return w.texts(memory) })
	if w.trainOnly {
		return
	}
	l.add(t.key.captions(set), func() plan.Stage { return t.captions(set) })
}
