package bench

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"syntic/clip"
	"syntic/syntic/metric"
	"syntic/tensor"
)

// metricWorkloads are scores of 5,000 captions with 5 references each, from text to score.
func metricWorkloads() (list []Workload) {
	for _, m := range []struct {
		name  string
		score func(c *metric.Corpus)
	}{
		{"cider", func(c *metric.Corpus) { c.CIDEr() }}, {"bleu", func(c *metric.Corpus) { c.BLEUStats() }}, {"rouge", func(c *metric.Corpus) { c.ROUGEL() }},
	} {
		list = append(list, Workload{Name: m.name, Shape: "5000x5", DType: InF32, Items: 5000, Unit: "image", Kind: "other", make: func(w *Work) {
			set := captions(5000, 5)
			w.call = func() error {
				c, err := metric.Index(set)
				if err == nil {
					m.score(c)
				}
				return err
			}
		}})
	}
	return list
}

// captions makes sentences of 8 to 14 words out of 8,000, the frequent ones as much more frequent as in a language (Zipf); the candidate is the first reference
// with every third word another. bench/peers/metrics.py makes the same ones.
func captions(images, references int) *metric.Set {
	set := &metric.Set{}
	word := func(i, stream uint64) string {
		return fmt.Sprintf("w%d", int(math.Pow(8000, (mixed(i, stream)+1)/2)))
	}
	for i := range images {
		var refs []string
		for r := range references {
			at := uint64(i*references + r)
			words := make([]string, 8+at%7)
			for j := range words {
				words[j] = word(at*16+uint64(j), 1)
			}
			refs = append(refs, strings.Join(words, " "))
		}
		words := strings.Fields(refs[0])
		for j := 0; j < len(words); j += 3 {
			words[j] = word(uint64(i*16+j), 2)
		}
		set.Refs, set.Cands = append(set.Refs, refs), append(set.Cands, strings.Join(words, " "))
	}
	return set
}

// startWorkloads are whole processes: from the start of `syntic encode` to the feature of one image, with CLIP ViT-B/32 read from a folder.
func startWorkloads() []Workload {
	return []Workload{{Name: "start", Shape: "clip-image", DType: InF32, Items: 1, Unit: "process", Kind: "other", make: func(w *Work) {
		dir := must(os.MkdirTemp("", "syntic-bench-"))
		w.onClose(func() { os.RemoveAll(dir) })
		must(0, StartFolder(dir))
		self := must(os.Executable())
		w.call = func() error {
			out, err := exec.Command(self, "encode", "images", "--device", w.dev.String(), "--clip", dir, filepath.Join(dir, startImage), "--out", filepath.Join(dir, "features.safetensors")).CombinedOutput()
			if err != nil {
				return fmt.Errorf("syntic encode: %w: %s", err, out)
			}
			return nil
		}
	}}}
}

const startImage = "image.png"

// StartFolder writes what a start needs: a CLIP ViT-B/32 of random weights in Hugging Face's layout, which the peers read as well, and an image.
func StartFolder(dir string) error {
	m, err := clip.New(clip.DefaultConfig(), tensor.CPU(), 1)
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.Save(dir); err != nil {
		return err
	}
	return writeImage(filepath.Join(dir, startImage), 320, 240)
}

// writeImage writes a picture of colours that change smoothly.
func writeImage(path string, width, height int) error {
	im := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			im.SetNRGBA(x, y, color.NRGBA{uint8(x), uint8(y), uint8(x + y), 255})
		}
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(png.Encode(f, im), f.Close())
}
