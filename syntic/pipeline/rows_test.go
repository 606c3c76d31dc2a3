package pipeline

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/syntic/config"
	"syntic/syntic/world"
	"syntic/tensor"
)

// successors are the rows that are not of the main table, but for the one that needs patches: with it all pairs are others.
func successors() (names []string) {
	for _, row := range config.Rows {
		if !row.Main && row.Name != "pcm" {
			names = append(names, row.Name)
		}
	}
	return names
}

// TestSuccessors runs every row that is not of the main table, together; again, which makes nothing; and each alone, whose folder model must write what
// the run wrote.
func TestSuccessors(t *testing.T) {
	dir := t.TempDir()
	sets := []string{"eval.rows=syntic," + strings.Join(successors(), ","), "eval.settings=in_domain,cross_domain", "retrieve.captions=6", "retrieve.min_count=2"}
	run := do(t, dir, tiny(t, sets...))
	all := written(t, dir)
	require.Empty(t, made(do(t, dir, tiny(t, sets...))))
	stages := made(run)
	require.Contains(t, stages, "pairs-main-1-1", "the second image of a caption")
	kinds, n := map[string]int{}, 1+len(successors())
	for name := range stages {
		kinds[strings.SplitN(name, "-", 2)[0]]++
	}
	require.Equal(t, map[string]int{"test": 2, "texts": 2, "pairs": 2, "remapped": 1, "refined": 5, "row": n - 3, "captions": 2 * n}, kinds, "syntic_tt and rerank share SynTIC's decoder, viecap_rerank that of viecap")
	for _, name := range successors() {
		t.Run(name, func(t *testing.T) {
			one := slices.Clone(sets)
			one[0], one[1] = "eval.rows="+name, "eval.settings=cross_domain"
			run := do(t, dir, tiny(t, one...))
			alone, err := needsOf(run.Recipe)
			require.NoError(t, err)
			for stage := range made(run) {
				if alone.painter && !alone.detector {
					continue // its pairs are others without a detector
				}
				require.NotContains(t, stage, "row-", "no training again")
			}
			require.Equal(t, all["captions/cross_domain-"+name+"-1.json"], written(t, dir)["captions.json"])
			captionAgain(t, dir, run)
		})
	}
	t.Run("sizes change nothing", func(t *testing.T) {
		other, some := t.TempDir(), slices.Clone(sets)
		some[0] = "eval.rows=images_sample,sync,ifcap"
		do(t, other, tiny(t, append(some, "synth.batch=5", "clip.batch=3", "shards.captions=7", "shards.images=100")...))
		got := written(t, other)
		for _, name := range []string{"images_sample", "sync", "ifcap"} {
			for _, setting := range []string{"in_domain", "cross_domain"} {
				path := "captions/" + setting + "-" + name + "-1.json"
				require.True(t, all[path] == got[path], "%s differs", path)
			}
		}
	})
}

// TestPatches runs the row whose decoder sees patches, alone and with another, which must not notice.
func TestPatches(t *testing.T) {
	dir := t.TempDir()
	sets := []string{"eval.rows=pcm,syntic,sync", "data.val=world", "data.val_count=3", "synth.images_per_caption=2", "synth.combine=all"}
	run := do(t, dir, tiny(t, sets...))
	captionAgain(t, dir, run)
	require.Empty(t, made(do(t, dir, tiny(t, sets...))))
	other := t.TempDir()
	do(t, other, tiny(t, append(sets, "synth.batch=5", "clip.batch=3")...))
	require.Equal(t, written(t, dir)["captions.json"], written(t, other)["captions.json"])
	do(t, other, tiny(t, append([]string{"eval.rows=syntic"}, sets[1:]...)...))
	require.Equal(t, written(t, dir)["captions/in_domain-syntic-1.json"], written(t, other)["captions.json"])
	for _, set := range []string{"patches.mix=2", "objects.prompt=a drawn {tag}"} {
		again := made(do(t, dir, tiny(t, append(sets, set)...)))
		require.Contains(t, again, "row-main-pcm-1", set)
		require.NotContains(t, again, "pairs-main-1", set)
	}
}

// TestCancelledRowsGoOn ends runs of rows with stages of their own in several places, and goes on.
func TestCancelledRowsGoOn(t *testing.T) {
	sets := []string{"eval.rows=images_sample,sync,ifcap", "data.count=12", "data.test_count=4", "retrieve.captions=6", "retrieve.min_count=2", "train.epochs=2"}
	want, dir := t.TempDir(), t.TempDir()
	do(t, want, tiny(t, sets...))
	tries := 0
	for ; ; tries++ {
		ctx, cancel := context.WithCancel(context.Background())
		_, err := Do(ctx, tensor.CPU(), dir, tiny(t, sets...), &stopper{2 + tries, cancel}, "a machine")
		cancel()
		if err == nil {
			break
		}
		require.ErrorIs(t, err, context.Canceled)
	}
	require.Greater(t, tries, 2)
	same(t, written(t, want), written(t, dir))
}

// TestRowsMakeAgainOnlyWhatDepends changes keys of the successors and looks at what is made again.
func TestRowsMakeAgainOnlyWhatDepends(t *testing.T) {
	dir := t.TempDir()
	sets := []string{"eval.rows=syntic,sync,gap,names,clip_weight,rerank,images_mean,ifcap"}
	do(t, dir, tiny(t, sets...))
	for set, want := range map[string][]string{
		"remap.keep=0.5":               {"captions-sync", "refined", "remapped", "row-sync"},
		"gap.std=false":                {"captions-gap", "refined", "row-gap"},
		"objects.words_prompt={tags}.": {"captions-ifcap", "captions-names", "row-ifcap", "row-names"},
		"train.weight_scale=1.5":       {"captions-clip_weight", "captions-gap", "captions-ifcap", "captions-images_mean", "captions-names", "captions-rerank", "captions-sync", "captions-syntic"},
		"clip.prompt={text}!":          {"captions-rerank"},
		"retrieve.noise_std=0.1":       {"captions-ifcap", "row-ifcap"},
	} {
		t.Run(set, func(t *testing.T) {
			again := made(do(t, dir, tiny(t, append(sets, set)...)))
			var kinds []string
			for name := range again {
				kind, rest, _ := strings.Cut(name, "-")
				if kind == "row" || kind == "captions" {
					kind += "-" + strings.Split(rest, "-")[1]
				}
				kinds = append(kinds, kind)
			}
			slices.Sort(kinds)
			switch set {
			case "train.weight_scale=1.5", "clip.prompt={text}!": // of the section train, and of all texts: everything behind them
				require.Subset(t, kinds, want)
			case "objects.words_prompt={tags}.": // a key of all rows with objects
				require.Subset(t, kinds, want)
				require.NotContains(t, kinds, "refined")
			default:
				require.Equal(t, want, kinds)
			}
		})
	}
}

// gpt2Folder makes a folder of GPT-2: the golden's model of 500 tokens with a tokenizer of bytes.
func gpt2FolderOf(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"config.json", "model.safetensors"} {
		link(t, filepath.Join("../testdata/decoder_tiny", name), filepath.Join(dir, name))
	}
	vocabulary, next := map[string]int{}, 256
	for b := range 256 { // GPT-2's names of bytes
		r := rune(b)
		if b < 33 || b > 126 && b < 161 || b == 173 {
			r = rune(next)
			next++
		}
		vocabulary[string(r)] = b
	}
	for i := 256; i < 499; i++ {
		vocabulary[strings.Repeat("x", i)] = i
	}
	vocabulary["<|endoftext|>"] = 499
	text, err := json.Marshal(vocabulary)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "vocab.json"), text, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "merges.txt"), []byte("#version: 0.2\n"), 0o644))
	return dir
}

// TestDecoderFromGPT2 trains one, and captions with the folder model alone, the user's folder gone.
func TestDecoderFromGPT2(t *testing.T) {
	start, dir := gpt2FolderOf(t), t.TempDir()
	sets := []string{"decoder.start=" + start, "decoder.max_length=12", "decode.max_tokens=12", "objects.words_prompt={tags}", "eval.rows=viecap,syntic"}
	run := do(t, dir, tiny(t, sets...))
	require.NoError(t, os.Rename(start, start+"-gone"))
	captionAgain(t, dir, run)
	require.NoError(t, os.Rename(start+"-gone", start))
	require.Empty(t, made(do(t, dir, tiny(t, sets...))))
	require.NoError(t, os.WriteFile(filepath.Join(start, "merges.txt"), []byte("#version: 0.2\n\n"), 0o644))
	require.Len(t, made(do(t, dir, tiny(t, sets...))), 4, "other files: trained again")
	for want, spoil := range map[string]func(){
		"a tokenizer of 50257 ids, a model of 500": func() {
			require.NoError(t, os.Remove(filepath.Join(start, "vocab.json")))
			require.NoError(t, os.Remove(filepath.Join(start, "merges.txt")))
		},
	} {
		spoil()
		_, err := Do(context.Background(), tensor.CPU(), dir, tiny(t, sets...), nil, "")
		require.ErrorContains(t, err, want)
		var bad interface{ BadInput() bool }
		require.ErrorAs(t, err, &bad)
	}
	_, err := Do(context.Background(), tensor.CPU(), filepath.Join(t.TempDir(), "run"), tiny(t, "decoder.start=/none/such"), nil, "")
	require.ErrorContains(t, err, "decoder.start: ")
}

// TestVocabularies reads names.
func TestVocabularies(t *testing.T) {
	names, err := namesOf("coco")
	require.NoError(t, err)
	require.Len(t, names, 80)
	v, err := vocabularyOf(World)
	require.NoError(t, err)
	require.Len(t, v.Names(), len(world.Nouns()))
	require.Contains(t, v.In("two kittens beside alarm clocks"), "kitten")
	v, err = vocabularyOf(write(t, "names.txt", "dog\n\nhot dog\n"))
	require.NoError(t, err)
	require.Equal(t, []string{"hot dog"}, v.In("Hot dogs"))
	for _, path := range []string{"/none/such.txt", write(t, "twice.txt", "dog\nDog\n")} {
		_, err := vocabularyOf(path)
		require.ErrorContains(t, err, "objects.vocabulary: ")
		var bad interface{ BadInput() bool }
		require.ErrorAs(t, err, &bad)
	}
}
