package pipeline

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"syntic/clip/pixels"
	"syntic/syntic/metric"
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
			key, source = "eval.settings zero_shot", worldWeb
		}
		if err := w.addCorpus(s.corpus, key, source); err != nil {
			return err
		}
	}
	if w.r.Memory.Source != "training" {
		return w.addCorpus(memoryCorpus, "memory.source", w.r.Memory.Source)
	}
	return nil
}

// addCorpus reads a corpus unless that is done; key is where the recipe names its source.
func (w *work) addCorpus(corpus, key, source string) error {
	if w.corpora[corpus] != nil {
		return nil
	}
	texts, err := captions(source, w.r.Data.Count, w.r.Data.Restval)
	if err != nil {
		return inputError{fmt.Errorf("%s: %w", key, err)}
	}
	if len(texts) < 2 {
		return badInput("%s: %s: captions: %d: want at least 2", key, source, len(texts))
	}
	w.corpora[corpus] = texts
	return nil
}

// worldWeb is the source of texts as people write them on the web, not for scenes of any domain.
const worldWeb = "world:web"

// captions are the texts of a source in the forms of data.captions: one of each scene of the drawn world, or those of a file. At most count, the
// first ones; 0 is all, and defaultTexts of the drawn world, which has no end.
func captions(source string, count int, restval bool) ([]string, error) {
	drawn := count
	if drawn == 0 {
		drawn = defaultTexts
	}
	switch source {
	case World:
		return sceneTexts(world.Photo, drawn), nil
	case "world:other":
		return sceneTexts(world.Crayon, drawn), nil
	case worldWeb:
		return world.WebTexts(worldSeed, drawn), nil
	}
	texts, err := captionFile(source, restval)
	if err != nil {
		return nil, err
	}
	kept := texts[:0]
	for _, t := range texts {
		if t = strings.Join(strings.Fields(t), " "); t != "" { // on one line, as in memory.txt
			kept = append(kept, t)
		}
	}
	if count > 0 && count < len(kept) {
		kept = kept[:count]
	}
	return kept, nil
}

const defaultTexts = 5000

// maxLine bounds a line of a text file, in bytes.
const maxLine = 1 << 20

// sceneTexts is one caption of each of the first count training scenes.
func sceneTexts(d world.Domain, count int) []string {
	texts := make([]string, count)
	for i := range texts {
		sc := world.Sample(d, world.Train, worldSeed, i)
		texts[i] = sc.Caption(0)
	}
	return texts
}

// captionFile reads the captions of a file: JSON of COCO or of Karpathy's splits by its name (.json, .json.gz), else one caption a line.
func captionFile(path string, restval bool) ([]string, error) {
	if !strings.HasSuffix(path, ".json") && !strings.HasSuffix(path, ".json.gz") {
		return captionLines(path)
	}
	texts, karpathy, err := karpathyCaptions(path, restval)
	if karpathy || err != nil {
		return texts, err
	}
	refs, err := metric.LoadReferences(path)
	if err != nil {
		return nil, err
	}
	for _, id := range refs.IDs {
		texts = append(texts, refs.Captions[id]...)
	}
	return texts, nil
}

// karpathyCaptions are the captions of the training split of a file {"images": [{"split", "sentences": [{"raw"}]}]} (Karpathy and Fei-Fei
// 2015), and those of restval if asked for. Of a file of another form it only says so.
func karpathyCaptions(path string, restval bool) (texts []string, karpathy bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			return nil, false, fmt.Errorf("%s: %w", path, err)
		}
	}
	var file struct {
		Images []struct {
			Split     string
			Sentences []struct{ Raw string }
		}
	}
	if json.NewDecoder(in).Decode(&file) != nil {
		return nil, false, nil // the reader of the other form says what is wrong
	}
	for _, im := range file.Images {
		karpathy = karpathy || im.Sentences != nil
		if im.Split == "train" || restval && im.Split == "restval" {
			for _, s := range im.Sentences {
				texts = append(texts, s.Raw)
			}
		}
	}
	return texts, karpathy, nil
}

// captionLines reads one caption a line.
func captionLines(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, badInput("%s is a folder: want a text file, or COCO captions in a .json", path)
	}
	var texts []string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLine)
	n := 0
	for lines.Scan() {
		n++
		if !utf8.Valid(lines.Bytes()) {
			return nil, badInput("%s:%d: not UTF-8", path, n)
		}
		if t := strings.TrimSpace(lines.Text()); t != "" {
			texts = append(texts, t)
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, badInput("%s:%d: a line of more than %d bytes: want a caption a line", path, n+1, maxLine)
	} else if err != nil {
		return nil, badInput("%s:%d: %w", path, n+1, err)
	}
	if len(texts) < 2 {
		return nil, badInput("%s: %d captions: want one a line, at least 2", path, len(texts))
	}
	return texts, nil
}

// testImage draws test image i of the drawn world, with its reference captions.
func testImage(d world.Domain, i int) (*pixels.Image, []string, error) {
	sc := world.Sample(d, world.Test, worldSeed, i)
	im := &pixels.Image{Width: world.Side, Height: world.Side, Channels: 3, Pix: make([]uint8, world.PixelBytes)}
	var r world.Renderer
	if err := r.Render(&sc, im.Pix); err != nil {
		return nil, nil, err
	}
	return im, sc.Captions(5), nil
}
