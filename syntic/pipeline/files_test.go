package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/clip/pixels"
	"syntic/syntic/config"
	"syntic/syntic/metric"
	"syntic/tensor"
)

// userFolder is a folder as a user has it: Karpathy's JSON, pictures in COCO's folders, models of random weights in the layouts of their makers.
type userFolder struct {
	json, images, clip, sd, detr string
}

func link(t testing.TB, from, to string) {
	t.Helper()
	abs, err := filepath.Abs(from)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
	data, err := os.ReadFile(abs)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, data, 0o644))
}

// testPicture is a small picture of stripes; the odd ones are larger than a thumbnail.
func testPicture(t testing.TB, i int) []byte {
	t.Helper()
	w, h := 40+7*i, 30+5*i
	if i%2 == 1 {
		w, h = 300+i, 280
	}
	im := pixels.NewImage(w, h, 3)
	for k := range im.Pix {
		im.Pix[k] = uint8(k * (i + 3) / 7)
	}
	data, err := EncodePNG(im)
	require.NoError(t, err)
	return data
}

func newUserFolder(t testing.TB) userFolder {
	t.Helper()
	dir := t.TempDir()
	u := userFolder{filepath.Join(dir, "dataset_coco.json"), filepath.Join(dir, "coco"), filepath.Join(dir, "clip"), filepath.Join(dir, "sd"), filepath.Join(dir, "detr")}
	for _, f := range []string{"config.json", "model.safetensors", "merges.txt", "vocab.json", "preprocessor_config.json"} {
		link(t, "../../clip/testdata/tiny/"+f, filepath.Join(u.clip, f))
	}
	for _, f := range []string{"config.json", "model.safetensors"} {
		link(t, "../detr/testdata/"+f, filepath.Join(u.detr, f))
		link(t, "../../clip/testdata/sd_text/"+f, filepath.Join(u.sd, "text_encoder", f))
	}
	for _, f := range []string{"merges.txt", "vocab.json"} {
		link(t, "../../clip/testdata/tiny/"+f, filepath.Join(u.sd, "tokenizer", f))
	}
	sd := "../../diffusion/testdata/sd"
	for _, f := range []string{"model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors", "vae/config.json",
		"vae/diffusion_pytorch_model.safetensors", "scheduler/scheduler_config.json"} {
		link(t, filepath.Join(sd, f), filepath.Join(u.sd, f))
	}
	type sentence struct {
		Raw string `json:"raw"`
	}
	type image struct {
		Filepath  string     `json:"filepath"`
		Filename  string     `json:"filename"`
		Split     string     `json:"split"`
		COCOID    int        `json:"cocoid"`
		Sentences []sentence `json:"sentences"`
	}
	var images []image
	for i, split := range []string{"train", "test", "restval", "train", "val", "test", "train", "test", "val", "restval"} {
		im := image{"val2014", fmt.Sprintf("COCO_val2014_%012d.jpg", 100+i), split, 100 + i, nil}
		for k := range 2 {
			im.Sentences = append(im.Sentences, sentence{fmt.Sprintf("a %s cat %s", []string{"red", "big"}[(i+k)%2], []string{"runs", "sits", "eats"}[i%3])})
		}
		images = append(images, im)
		if split == "test" || split == "val" {
			path := filepath.Join(u.images, im.Filepath, im.Filename)
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			require.NoError(t, os.WriteFile(path, testPicture(t, i), 0o644))
		}
	}
	text, err := json.Marshal(map[string]any{"images": images, "dataset": "coco"})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(u.json, text, 0o644))
	return u
}

// recipe is the preset coco on the folder's files, with the smallest decoder.
func (u userFolder) recipe(t testing.TB, sets ...string) *config.Recipe {
	t.Helper()
	r, err := config.Load("coco", slices.Concat([]string{"data.train=" + u.json, "data.val=" + u.json, "data.test=" + u.json, "data.images=" + u.images,
		"clip.model=" + u.clip, "synth.model=" + u.sd, "objects.model=" + u.detr, "synth.steps=2", "train.epochs=2", "train.batch=4", "train.warmup=1",
		"decoder.width=16", "decoder.layers=1", "decoder.heads=2", "decoder.ffn=32", "decode.max_tokens=6", "eval.bootstrap=20", "refine.steps=2"}, sets))
	require.NoError(t, err)
	return r
}

// TestUsersFiles runs the preset coco on files as users have them.
func TestUsersFiles(t *testing.T) {
	u := newUserFolder(t)
	dir := t.TempDir()
	run := do(t, dir, u.recipe(t, "eval.rows=syntic,decap", "objects.threshold=0.1"))
	require.False(t, run.Toy())
	captions, err := metric.LoadResults(filepath.Join(dir, "captions.json"))
	require.NoError(t, err)
	require.Equal(t, []metric.ImageID{"101", "105", "107"}, []metric.ImageID{captions.Rows[0].ImageID, captions.Rows[1].ImageID, captions.Rows[2].ImageID})
	refs, err := metric.LoadReferences(filepath.Join(dir, "references.json"))
	require.NoError(t, err)
	require.Equal(t, []string{"a big cat sits", "a red cat sits"}, refs.Captions["101"])
	texts, err := os.ReadFile(filepath.Join(dir, "model", "memory.txt"))
	require.NoError(t, err)
	require.Equal(t, 10, strings.Count(string(texts), "\n"), "train and restval")
	page, err := os.ReadFile(run.Report)
	require.NoError(t, err)
	require.NotContains(t, string(page), "toy")
	require.Contains(t, string(page), "Restval: used")
	require.Contains(t, string(page), "SynTIC, unseen", "the loss on data.val")

	m, err := OpenModel(tensor.CPU(), dir)
	require.NoError(t, err)
	defer m.Close()
	im, err := pixels.Open(filepath.Join(u.images, "val2014", "COCO_val2014_000000000101.jpg"))
	require.NoError(t, err)
	got, err := m.CaptionImages(context.Background(), []*pixels.Image{im}, 1)
	require.NoError(t, err)
	require.Equal(t, captions.Rows[0].Caption, got[0].Caption)

	t.Run("restval left out", func(t *testing.T) {
		run := do(t, t.TempDir(), u.recipe(t, "data.restval=false", "eval.rows=decap", "synth.model=/none/such", "objects.model=/none/such", "data.val="))
		require.Len(t, run.Stages, 4) // test images, texts, training, captions
	})
	t.Run("no detector", func(t *testing.T) {
		dir := t.TempDir()
		do(t, dir, u.recipe(t, "objects.enabled=false", "eval.rows=syntic", "objects.model=/none/such"))
		m, err := OpenModel(tensor.CPU(), dir)
		require.NoError(t, err)
		m.Close()
	})
	t.Run("across", func(t *testing.T) {
		dir := t.TempDir()
		run := do(t, dir, u.recipe(t, "eval.rows=decap", "eval.settings=in_domain,cross_domain,zero_shot", "data.cross=world:other", "data.test_count=2", "data.web="+u.json))
		require.Len(t, run.Results, 3)
		require.Equal(t, 2, run.Results[1].Images)
	})
}

// TestUsersFilesAtFault names the key and the file before anything is written.
func TestUsersFilesAtFault(t *testing.T) {
	u := newUserFolder(t)
	plain := write(t, "plain.json", cocoJSON)
	broken := filepath.Join(t.TempDir(), "coco", "val2014", "COCO_val2014_000000000101.jpg")
	require.NoError(t, os.MkdirAll(filepath.Dir(broken), 0o755))
	require.NoError(t, os.WriteFile(broken, []byte("no picture"), 0o644))
	for name, c := range map[string]struct {
		sets []string
		want string
	}{
		"no folder of pictures": {[]string{"data.images="}, "data.images: empty: want the folder"},
		"pictures missing":      {[]string{"data.images=" + filepath.Dir(filepath.Dir(broken))}, "data.images: "},
		"no such folder":        {[]string{"data.images=/none/such"}, "data.images: /none/such: no such file"},
		"no splits":             {[]string{"data.train=" + plain, "data.test=" + plain, "data.val="}, "is data.captions as well and has no splits"},
		"no cross":              {[]string{"eval.settings=cross_domain"}, `data.cross "": want world`},
		"lists of others":       {[]string{"data.train=" + plain, "data.test_list=" + write(t, "names.txt", "x.jpg\n")}, "names.txt: 1 of 1 images have no captions in"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			_, err := Do(context.Background(), tensor.CPU(), dir, u.recipe(t, c.sets...), nil, "")
			require.ErrorContains(t, err, c.want)
			var bad interface{ BadInput() bool }
			require.ErrorAs(t, err, &bad)
			require.NoDirExists(t, dir)
		})
	}
	for _, name := range []string{"105", "107", "104", "108"} {
		link(t, broken, filepath.Join(filepath.Dir(broken), "COCO_val2014_000000000"+name+".jpg"))
	}
	_, err := Do(context.Background(), tensor.CPU(), t.TempDir(), u.recipe(t, "data.images="+filepath.Dir(broken)), nil, "")
	require.ErrorContains(t, err, "COCO_val2014_000000000101.jpg")
	var bad interface{ BadInput() bool }
	require.ErrorAs(t, err, &bad)
}
