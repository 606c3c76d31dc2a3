package pipeline

import (
	"bufio"
	"errors"
	"fmt"
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

// captions are the training texts of a recipe's data.captions: one of each scene of the drawn world, or the lines or COCO captions of a file.
func captions(source string, count int) ([]string, error) {
	domain := world.Photo
	switch source {
	case "world:web":
		if count == 0 {
			count = defaultTexts
		}
		return world.WebTexts(worldSeed, count), nil
	case "world:other":
		domain = world.Crayon
		fallthrough
	case World:
		if count == 0 {
			count = defaultTexts
		}
		texts := make([]string, count)
		for i := range texts {
			sc := world.Sample(domain, world.Train, worldSeed, i)
			texts[i] = sc.Caption(0)
		}
		return texts, nil
	}
	texts, err := captionFile(source)
	if err == nil && count > 0 && count < len(texts) {
		texts = texts[:count]
	}
	return texts, err
}

const defaultTexts = 5000

// maxLine bounds a line of a text file, in bytes.
const maxLine = 1 << 20

func captionFile(path string) ([]string, error) {
	if strings.HasSuffix(path, ".json") || strings.HasSuffix(path, ".json.gz") {
		refs, err := metric.LoadReferences(path)
		if err != nil {
			return nil, inputError{err}
		}
		var texts []string
		for _, id := range refs.IDs {
			texts = append(texts, refs.Captions[id]...)
		}
		return texts, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, inputError{err}
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
