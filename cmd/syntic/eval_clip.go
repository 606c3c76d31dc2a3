package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"syntic/clip"
	"syntic/clip/bpe"
	"syntic/clip/pixels"
	"syntic/cmd/internal/cli"
	"syntic/syntic/metric"
	"syntic/syntic/metric/clipscore"
)

// addCLIPScore encodes images, captions and references and adds CLIPScore and RefCLIPScore to each report.
func (o *evalOptions) addCLIPScore(cmd *cobra.Command, refs *metric.References, systems []*metric.Results, reports []*metric.Report) error {
	ids := reports[0].IDs
	for _, r := range reports[1:] {
		if !slices.Equal(ids, r.IDs) {
			return cli.BadInput(fmt.Errorf("%s and %s are not on the same images", o.results, o.against))
		}
	}
	paths, err := imageFiles(o.images, refs, ids)
	if err != nil {
		return cli.BadInput(fmt.Errorf("--images: %w", err))
	}
	dev, err := openDevice()
	if err != nil {
		return cli.Usage(err)
	}
	dir, remove, err := modelFolder(cmd, "--clip", o.clip, "clip")
	if err != nil {
		return err
	}
	defer remove()
	m, err := clip.Load(dir, dev)
	if err != nil {
		return cli.BadInput(fmt.Errorf("--clip: %w", err))
	}
	defer m.Close()
	tok, err := bpe.ForModel(dir, bpe.OpenAI)
	if err != nil {
		return cli.BadInput(fmt.Errorf("--clip: %w", err))
	}
	bars := cli.NewProgress(cmd.ErrOrStderr())
	defer bars.Close()
	texts := func(stage string, captions []string) ([]float32, error) {
		for i, c := range captions {
			captions[i] = clipscore.Prompt + c
		}
		bar, told := bars.Stage(stage, len(captions)), 0
		defer bar.Done()
		return clip.EncodeTexts(cmd.Context(), m, tok, captions, o.batch, func(n int) { bar.Add(n - told); told = n })
	}
	bar, told := bars.Stage("images", len(paths)), 0
	images, err := clip.EncodeImages(cmd.Context(), m, len(paths), func(i int) (*pixels.Image, error) {
		im, err := pixels.Open(paths[i])
		return im, cli.BadInput(err)
	}, o.batch, func(n int) { bar.Add(n - told); told = n })
	bar.Done()
	if err != nil {
		return badInput(err)
	}
	var references []string
	counts := make([]int, len(ids))
	for i, id := range ids {
		references, counts[i] = append(references, refs.Captions[id]...), len(refs.Captions[id])
	}
	refRows, err := texts("references", references)
	if err != nil {
		return badInput(err)
	}
	name, suffix := clipName(o.clip, m)
	for k, r := range reports {
		candRows, err := texts("captions", captionsOf(systems[k], ids))
		if err != nil {
			return badInput(err)
		}
		scores, err := clipscore.Score(images, candRows, m.Config.Projection)
		if err != nil {
			return err
		}
		refScores, err := clipscore.RefScore(scores, candRows, refRows, counts, m.Config.Projection)
		if err != nil {
			return err
		}
		r.Add("CLIPScore"+suffix, scores)
		r.Add("RefCLIPScore"+suffix, refScores)
		r.CLIP = name
	}
	return nil
}

// clipName says which model it is and whether its scores may be set beside published ones, which are of ViT-B/32. A model smaller
// than any that OpenAI published is a toy, and its scores carry that in their name.
func clipName(path string, m *clip.Model) (name, suffix string) {
	v := m.Config.Image
	switch name = fmt.Sprintf("%s (ViT, %d layers of width %d, patches of %d)", path, v.Layers, v.Width, v.PatchSize); {
	case v.Layers < 12 || v.Width < 512:
		return name + ": a toy CLIP, not the published metric", "_toy"
	case v.Layers == 12 && v.Width == 768 && v.PatchSize == 32 && v.ImageSize == 224:
		return name, ""
	}
	return name + ": not ViT-B/32, so not comparable with published scores", ""
}

func captionsOf(r *metric.Results, ids []metric.ImageID) []string {
	by := make(map[metric.ImageID]string, len(r.Rows))
	for _, row := range r.Rows {
		by[row.ImageID] = row.Caption
	}
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = by[id]
	}
	return out
}

// imageFiles finds the file of each image in a folder: by the name that the references give it, by its id as the name with or
// without ending, or by the number at the end of the name, as in COCO_val2014_000000000042.jpg.
func imageFiles(dir string, refs *metric.References, ids []metric.ImageID) ([]string, error) {
	files, err := listImages([]string{dir}, "")
	if err != nil {
		return nil, err
	}
	byName, byNumber := map[string]string{}, map[int]string{}
	for _, f := range files {
		base := filepath.Base(f)
		stem := strings.TrimSuffix(base, filepath.Ext(base))
		byName[base], byName[stem] = f, f
		digits := stem[strings.LastIndexFunc(stem, func(r rune) bool { return r < '0' || r > '9' })+1:]
		if n, err := strconv.Atoi(digits); err == nil {
			if _, twice := byNumber[n]; twice {
				f = ""
			}
			byNumber[n] = f
		}
	}
	out := make([]string, len(ids))
	for i, id := range ids {
		name := strings.Trim(string(id), `"`)
		out[i] = byName[filepath.Base(refs.Files[id])]
		if out[i] == "" {
			out[i] = byName[name]
		}
		if n, err := strconv.Atoi(name); out[i] == "" && err == nil {
			out[i] = byNumber[n]
		}
		if out[i] == "" {
			return nil, fmt.Errorf("%s: no file for image %s: want %q, or a name that is its id or ends in it", dir, id, refs.Files[id])
		}
	}
	return out, nil
}
