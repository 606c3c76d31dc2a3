package pipeline

import (
	"fmt"
	"os"
	"strings"

	"syntic/syntic/config"
	"syntic/syntic/dataset"
	"syntic/syntic/world"
)

// worldSeed is the seed of the method's scenes; those that the models were trained on have another, and other splits.
const worldSeed = 24

// inputError is the user's mistake.
type inputError struct{ error }

// BadInput tells the command line so.
func (inputError) BadInput() bool { return true }

func (e inputError) Unwrap() error { return e.error }

func badInput(format string, args ...any) error { return inputError{fmt.Errorf(format, args...)} }

// loadCorpora reads the texts that the settings of the recipe are trained on, and those of the memory.
func (w *work) loadCorpora() error {
	w.corpora = map[string][]string{}
	d := w.r.Data
	for _, s := range settingsOf(w.r) {
		key, source := "data.captions", d.Captions
		if s.corpus == webCorpus {
			key, source = "data.web", d.Web
		}
		if err := w.addCorpus(s.corpus, key, source); err != nil {
			return err
		}
	}
	for _, name := range w.r.Eval.Rows {
		row, err := w.r.Row(name)
		if err != nil {
			return err
		}
		if err := w.loadMemory(row); err != nil {
			return err
		}
	}
	return nil
}

// loadMemory reads the texts that a row's test images are projected on, where those are not the training texts.
func (w *work) loadMemory(row *config.Recipe) error {
	switch row.Memory.Source {
	case "training":
		return nil
	case "target":
	default:
		return w.addCorpus(memoryCorpus, "memory.source", row.Memory.Source)
	}
	for _, s := range settingsOf(w.r) {
		key, source, corpus := "data.captions", w.r.Data.Captions, mainCorpus
		if s.set == testCross {
			if key, source, corpus = "data.cross", w.r.Data.Cross, targetCorpus; source == "" {
				source = otherDomain(w.r.Data.Test)
			}
			if err := w.hasTraining(source); err != nil {
				return err
			}
		}
		if err := w.addCorpus(corpus, key, source); err != nil {
			return err
		}
	}
	return nil
}

// hasTraining refuses files without splits as target texts: they would be the references of the test images.
func (w *work) hasTraining(source string) error {
	if _, ok := drawn(source); ok || source == "" {
		return nil // an empty one is refused with the test images
	}
	s, err := w.files.load(source, false)
	if err != nil {
		return inputError{fmt.Errorf("data.cross: %w", err)}
	}
	if !s.HasSplits() {
		return badInput("memory.source: target, but %s of data.cross has no split train: want Karpathy's file, or a file of texts as memory.source", source)
	}
	return nil
}

// addCorpus reads a corpus unless that is done; key is where the recipe names its source.
func (w *work) addCorpus(corpus, key, source string) error {
	if w.corpora[corpus] != nil {
		return nil
	}
	texts, err := w.files.captions(source, key, w.r.Data.Count, w.r.Data.Restval)
	if err != nil {
		return inputError{fmt.Errorf("%s: %w", key, err)}
	}
	if corpus == mainCorpus || corpus == webCorpus {
		texts = texts[:w.r.Data.Of(len(texts))]
	}
	if len(texts) < 2 {
		return badInput("%s: %s: captions: %d: want at least 2", key, source, len(texts))
	}
	w.corpora[corpus] = texts
	return nil
}

// Sources of the drawn world, besides world itself.
const (
	worldOther = "world:other"  // crayon drawings, and captions of them
	worldWeb   = "world:web"    // texts as people write them on the web, not for scenes of any domain
	worldKnown = "world:known"  // captions of those photographs that have only things the detector was taught: what COCO's captions are to nocaps
	worldNovel = "world:nocaps" // test photographs in nocaps' domains, by how many of their things no caption of world:known names
)

// drawn tells whether a source is the drawn world, and which of its domains.
func drawn(source string) (d world.Domain, ok bool) {
	switch source {
	case World, worldKnown, worldNovel:
		return world.Photo, true
	case worldOther:
		return world.Crayon, true
	}
	return 0, false
}

// files reads each source once.
type files struct {
	format dataset.Format
	lists  dataset.Lists // for data.captions, data.val and data.test
	have   map[string]*dataset.Set
}

// captions are the texts of a source in the forms of data.captions: one of each scene of the drawn world, or those of files. At most count, the
// first ones; 0 is all, and defaultTexts of the drawn world, which has no end.
func (f *files) captions(source, key string, count int, restval bool) ([]string, error) {
	n := count
	if n == 0 {
		n = defaultTexts
	}
	if source == worldNovel {
		return nil, badInput("%s: test images alone: want a source of captions, such as world or world:known", source)
	}
	if d, ok := drawn(source); ok {
		return sceneTexts(d, n, source == worldKnown), nil
	}
	if source == worldWeb {
		return world.WebTexts(worldSeed, n), nil
	}
	s, err := f.load(source, key == "data.captions")
	if err != nil {
		return nil, err
	}
	texts := s.Texts(restval)
	if len(texts) == 0 {
		return nil, badInput("%s: no images of the split train, there are %s: want some", source, strings.Join(s.Splits(), ", "))
	}
	if count > 0 && count < len(texts) {
		texts = texts[:count]
	}
	return texts, nil
}

// load reads the files of a source, and splits them by the recipe's lists where it may.
func (f *files) load(source string, listed bool) (*dataset.Set, error) {
	id := fmt.Sprint(listed, source)
	if s := f.have[id]; s != nil {
		return s, nil
	}
	o := dataset.Options{Format: f.format}
	if listed && !f.lists.None() {
		o.Lists = &f.lists
	}
	s, err := dataset.LoadAll(paths(source), o)
	if err != nil {
		return nil, err
	}
	if f.have == nil {
		f.have = map[string]*dataset.Set{}
	}
	f.have[id] = s
	return s, nil
}

// paths are the files of a source: one, or several with commas between.
func paths(source string) []string {
	if _, err := os.Stat(source); err == nil {
		return []string{source}
	}
	var out []string
	for _, p := range strings.Split(source, ",") {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}

const defaultTexts = 5000

// sceneTexts is one caption of each of the first count training scenes; with known, of those alone that have no thing the detector was not taught.
func sceneTexts(d world.Domain, count int, known bool) []string {
	texts := make([]string, 0, count)
	for i := 0; len(texts) < count; i++ {
		sc := world.Sample(d, world.Train, worldSeed, i)
		if !known || sc.Novel() == 0 {
			texts = append(texts, sc.Caption(0))
		}
	}
	return texts
}
