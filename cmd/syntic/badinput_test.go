package main

import (
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/syntic/world/weights"
)

// sandbox is a folder of damaged copies and files for the cases of TestBadInput.
type sandbox struct {
	*testing.T
	dir, run string // run: a whole one, only read
}

func (s sandbox) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

// file writes a file and gives its path.
func (s sandbox) file(name, text string) string {
	path := s.path(name)
	require.NoError(s, os.MkdirAll(filepath.Dir(path), 0o777))
	require.NoError(s, os.WriteFile(path, []byte(text), 0o666))
	return path
}

// model copies the trained model with its CLIP and detector, with one file changed; nil removes it.
func (s sandbox) model(name, file string, change func([]byte) []byte) string {
	dir := s.path(name)
	require.NoError(s, os.CopyFS(filepath.Join(dir, "model"), os.DirFS(filepath.Join(s.run, "model"))))
	for _, m := range []string{"clip", "detr"} {
		require.NoError(s, os.CopyFS(filepath.Join(dir, "models", m), os.DirFS(filepath.Join(s.run, "models", m))))
	}
	return s.damage(dir, file, change)
}

// sd copies the drawn world's Stable Diffusion.
func (s sandbox) sd(name, file string, change func([]byte) []byte) string {
	dir := s.path(name)
	require.NoError(s, os.CopyFS(dir, os.DirFS(filepath.Join(s.run, "models", "sd"))))
	return s.damage(dir, file, change)
}

func (s sandbox) damage(dir, file string, change func([]byte) []byte) string {
	path := filepath.Join(dir, filepath.FromSlash(file))
	data, err := os.ReadFile(path)
	require.NoError(s, err)
	require.NoError(s, os.Remove(path)) // may be a file that others share
	if change != nil {
		require.NoError(s, os.WriteFile(path, change(data), 0o666))
	}
	return dir
}

func half(data []byte) []byte { return data[:len(data)/2] }

func replace(old, new string) func([]byte) []byte {
	return func(data []byte) []byte { return []byte(strings.Replace(string(data), old, new, 1)) }
}

// tensors is a safetensors file with any header.
func tensors(header any, data int) func([]byte) []byte {
	return func([]byte) []byte {
		text, _ := json.Marshal(header)
		return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...), make([]byte, data)...)
	}
}

type tensorInfo struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

// header changes the header of a safetensors file.
func header(change func(h map[string]tensorInfo, data []byte) []byte) func([]byte) []byte {
	return func(file []byte) []byte {
		n := 8 + binary.LittleEndian.Uint64(file)
		all, h := map[string]json.RawMessage{}, map[string]tensorInfo{}
		if err := json.Unmarshal(file[8:n], &all); err != nil {
			panic(err)
		}
		delete(all, "__metadata__")
		for name, raw := range all {
			var info tensorInfo
			if err := json.Unmarshal(raw, &info); err != nil {
				panic(err)
			}
			h[name] = info
		}
		data := change(h, file[n:])
		return append(tensors(h, 0)(nil), data...)
	}
}

// without takes the last tensor out.
func without(h map[string]tensorInfo, data []byte) []byte {
	last := slices.MaxFunc(slices.Collect(maps.Keys(h)), func(a, b string) int { return h[a].Offsets[1] - h[b].Offsets[1] })
	from := h[last].Offsets[0]
	delete(h, last)
	return data[:from]
}

// flipped turns the shape of the first tensor that is not square, by name.
func flipped(h map[string]tensorInfo, data []byte) []byte {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if s := h[name].Shape; len(s) == 2 && s[0] != s[1] {
			slices.Reverse(s)
			return data
		}
	}
	panic("no such tensor")
}

// pngOf is a PNG that claims a size and has no more than its head.
func pngOf(width, height uint32) string {
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte("IHDR"), width), height)
	head = append(head, 8, 2, 0, 0, 0)
	out := append([]byte(pngSignature), 0, 0, 0, 13)
	return string(binary.BigEndian.AppendUint32(append(out, head...), crc32.ChecksumIEEE(head)))
}

// badCase is a command line that must end with one line and the code.
type badCase struct {
	name string
	code int
	args []string
	want []string // what the line says
}

// TestBadInput shows that bad input ends with code 3 (wrong usage with 2), one clear line, nothing on stdout and nothing written.
func TestBadInput(t *testing.T) {
	for _, part := range []string{"clip", "sd", "detr"} {
		_, err := weights.FS.Open(part)
		require.NoError(t, err, "the drawn world's models are part of the program")
	}
	s := sandbox{t, t.TempDir(), smallModel(t)}
	image := picture(t, s.path("good.png"), 64, 64)
	out := s.path("out") // where results would be
	var cases []badCase
	add := func(name string, code int, want []string, args ...string) {
		cases = append(cases, badCase{name, code, args, want})
	}
	s.models(add, image)
	s.painters(add, filepath.Join(out, "x.png"))
	s.images(add)
	s.scores(add)
	s.recipes(add, out)
	s.folders(add)
	require.NoError(t, os.Mkdir(out, 0o777))
	before := s.listing()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, errs := execute(c.args...)
			assert.Equal(t, c.code, code, errs)
			assert.Empty(t, stdout)
			assert.True(t, strings.HasPrefix(errs, "syntic: "), errs)
			assert.Equal(t, 1, strings.Count(errs, "\n"), errs)
			for _, want := range c.want {
				assert.Contains(t, errs, want)
			}
			assert.Equal(t, before, s.listing(), "files are as they were")
		})
	}
}

// listing is every file of the sandbox.
func (s sandbox) listing() (names []string) {
	require.NoError(s, filepath.WalkDir(s.dir, func(path string, _ os.DirEntry, err error) error {
		names = append(names, path)
		return err
	}))
	return names
}

type adder = func(name string, code int, want []string, args ...string)

// models are damaged captioners.
func (s sandbox) models(add adder, image string) {
	const clip, decoder, memory = "models/clip/model.safetensors", "model/decoder.safetensors", "model/memory.safetensors"
	twice := map[string]tensorInfo{"a": {"F32", []int{2}, [2]int{0, 8}}, "b": {"F32", []int{2}, [2]int{4, 12}}}
	apart := map[string]tensorInfo{"a": {"F32", []int{2}, [2]int{0, 8}}, "b": {"F32", []int{2}, [2]int{12, 20}}}
	large := map[string]tensorInfo{"a": {"F32", []int{1 << 40, 1 << 40}, [2]int{0, 8}}}
	for _, c := range []struct {
		name, file string
		change     func([]byte) []byte
		want       []string
	}{
		{"truncated clip", clip, half, []string{clip, "truncated"}},
		{"truncated decoder", decoder, half, []string{decoder, "truncated"}},
		{"truncated detector", "models/detr/model.safetensors", half, []string{"detr", "truncated"}},
		{"truncated memory", memory, half, []string{memory, `"features"`, "truncated"}},
		{"header over 100 MB", decoder, func([]byte) []byte { return append(binary.LittleEndian.AppendUint64(nil, 200<<20), '{') }, []string{decoder, "header of 209715200 bytes"}},
		{"overlap", decoder, tensors(twice, 12), []string{decoder, `tensor "b"`, "overlaps"}},
		{"hole", memory, tensors(apart, 20), []string{memory, `tensor "b"`, "hole of 4 bytes"}},
		{"size overflow", clip, tensors(large, 8), []string{clip, `tensor "a"`, "overflows"}},
		{"missing tensor of clip", clip, header(without), []string{clip, "1 missing: ", "want ["}},
		{"missing tensor of the decoder", decoder, header(without), []string{decoder, "1 missing: ", "want ["}},
		{"misshapen tensor of clip", clip, header(flipped), []string{clip, "1 misshapen: ", "found [", "want ["}},
		{"misshapen tensor of the decoder", decoder, header(flipped), []string{decoder, "1 misshapen: ", "found [", "want ["}},
		{"misshapen tensor of the detector", "models/detr/model.safetensors", header(flipped), []string{"detr", "1 misshapen: ", "found [", "want ["}},
		{"broken config", "models/clip/config.json", half, []string{"models/clip/config.json"}},
		{"giant config", "models/clip/config.json", replace(`"hidden_size": `, `"hidden_size": 1073741824, "was": `), []string{"hidden_size 1073741824"}},
		{"broken model.json", "model/model.json", half, []string{"model/model.json"}},
		{"model.json of no beams", "model/model.json", replace(`"Beams": 3`, `"Beams": 0`), []string{"model/model.json", "decode.beams"}},
		{"no texts", "model/memory.txt", nil, []string{"memory.txt", "no such file"}},
		{"a text less", "model/memory.txt", func(d []byte) []byte { return d[strings.IndexByte(string(d), '\n')+1:] }, []string{"11 texts in memory.txt, 12 features"}},
		{"no vocabulary", "models/clip/vocab.json", nil, []string{"vocab.json"}},
	} {
		dir := s.model("models of "+c.name, c.file, c.change)
		add(c.name, 3, c.want, "caption", "--model", dir, image)
	}
	add("no model", 3, []string{"--model", "nowhere", "syntic run"}, "caption", "--model", s.path("nowhere"), image)
	add("no images", 2, []string{"see syntic caption --help"}, "caption", "--model", s.run)
	add("no beams", 2, []string{"--beam 0: want 1 to 64"}, "caption", "--model", s.run, "--beam", "0", image)
}

// painters are damaged Stable Diffusion folders, and wrong values of generate.
func (s sandbox) painters(add adder, out string) {
	const unet = "unet/diffusion_pytorch_model.safetensors"
	for _, c := range []struct {
		name, file string
		change     func([]byte) []byte
		want       []string
	}{
		{"truncated unet", unet, half, []string{unet, "truncated"}},
		{"missing tensor of the unet", unet, header(without), []string{unet, "1 missing: ", "want ["}},
		{"misshapen tensor of the unet", unet, header(flipped), []string{unet, "1 misshapen: ", "found [", "want ["}},
		{"misshapen tensor of the text encoder", "text_encoder/model.safetensors", header(flipped), []string{"text_encoder", "found [", "want ["}},
		{"no scheduler", "scheduler/scheduler_config.json", nil, []string{"scheduler_config.json", "no such file"}},
		{"no index", "model_index.json", nil, []string{"model_index.json", "no such file"}},
		{"no tokenizer", "tokenizer/vocab.json", nil, []string{"tokenizer"}},
		{"tokenizer of another model", "tokenizer/vocab.json", oneMore, []string{"the tokenizer has", "the model"}},
		{"unknown scheduler", "scheduler/scheduler_config.json", key("_class_name", "NoScheduler"), []string{"scheduler_config.json", `"NoScheduler"`, "DDIMScheduler"}},
		{"giant width", "unet/config.json", key("block_out_channels", []int{1e9, 64, 128}), []string{"unet/config.json: block_out_channels[0] 1000000000: want 1 to 65536"}},
		{"endless layers", "vae/config.json", key("layers_per_block", 1e8), []string{"vae/config.json: layers_per_block 100000000: want 1 to 256"}},
	} {
		dir := s.sd("sd of "+c.name, c.file, c.change)
		add(c.name, 3, append(c.want, "--sd"), "generate", "--sd", dir, "--prompt", "x", "--out", out)
	}
	prompt := func(name string, code int, want string, args ...string) {
		add(name, code, []string{want}, append([]string{"generate", "--prompt", "x", "--out", out}, args...)...)
	}
	prompt("no sd folder", 3, "nowhere/model_index.json", "--sd", s.path("nowhere"))
	prompt("unknown sampler", 2, `--sampler "eular": want one of ddim, pndm, dpmsolver++`, "--sampler", "eular")
	prompt("unknown noise", 2, `--rng "x": want torch or philox`, "--rng", "x")
	prompt("fewer steps than the sampler can", 3, "want at most original_inference_steps 50", "--sampler", "lcm", "--steps", "51")
	prompt("odd size", 2, "--size 63x64: want multiples of", "--size", "63x64")
	prompt("half a size", 2, `--size "64": want WxH`, "--size", "64")
	prompt("giant size", 2, "each 1 to 4096", "--size", "60000x60000")
	prompt("no steps", 2, "--steps 0: want 1 to", "--steps", "0")
	prompt("no guidance", 2, "--guidance NaN", "--guidance", "NaN")
	prompt("no images of a text", 2, "--count 0", "--count", "0")
	add("jpeg", 2, []string{"ends in .png"}, "generate", "--prompt", "x", "--out", strings.TrimSuffix(out, ".png")+".jpg")
	add("neither prompt nor texts", 2, []string{"prompt texts"}, "generate", "--out", out)
	add("no texts in a file", 3, []string{"--texts", "empty.txt", "want one a line"}, "generate", "--texts", s.file("empty.txt", "\n \n"), "--out", out)
	add("out is a folder", 3, []string{"is a folder"}, "generate", "--prompt", "x", "--out", filepath.Dir(s.file("folder.png/x", "")))
	add("out in a file", 3, []string{"is a file"}, "generate", "--prompt", "x", "--out", s.file("plain", "")+"/x.png")
	add("out in no folder", 3, []string{"there is no folder"}, "generate", "--prompt", "x", "--out", s.path("none/x.png"))
}

// key gives a change of a JSON file: one key has another value.
func key(name string, value any) func([]byte) []byte {
	return func(data []byte) []byte {
		var all map[string]any
		if err := json.Unmarshal(data, &all); err != nil {
			panic(err)
		}
		all[name] = value
		data, err := json.Marshal(all)
		if err != nil {
			panic(err)
		}
		return data
	}
}

// oneMore gives a vocabulary a token that the model has no row for.
func oneMore(data []byte) []byte {
	var ids map[string]int
	if err := json.Unmarshal(data, &ids); err != nil {
		panic(err)
	}
	return key("one more", len(ids))(data)
}

// images are files that are no images.
func (s sandbox) images(add adder) {
	whole, err := os.ReadFile(picture(s.T, s.path("whole.jpg"), 300, 200))
	require.NoError(s, err)
	for name, c := range map[string]struct{ text, want string }{
		"giant.png": {pngOf(60000, 60000), "60000×60000 pixels"},
		"zero.png":  {pngOf(0, 10), "0×10 pixels: want 1 to 178956970"},
		"head.png":  {pngOf(64, 64), "broken or cut off"},
		"cut.jpg":   {string(half(whole)), "broken or cut off"},
		"empty.png": {"", "want a JPEG or PNG image"},
		"text.jpg":  {"not an image", "want a JPEG or PNG image"},
	} {
		add(name, 3, []string{name, c.want}, "caption", "--model", s.run, s.file("images/"+name, c.text))
	}
	add("long image", 3, []string{"2000×3 pixels"}, "caption", "--model", s.run, picture(s.T, s.path("long.png"), 2000, 3))
	add("folder as image", 3, []string{"is a folder"}, "caption", "--model", s.run, s.path("images"))
	add("no image", 3, []string{"none.png", "no such file"}, "caption", "--model", s.run, s.path("none.png"))
}

// scores are caption and result files.
func (s sandbox) scores(add adder) {
	refs := s.file("refs.json", `{"images":[{"id":1},{"id":2}],"annotations":[{"image_id":1,"caption":"a cat"},{"image_id":2,"caption":"a dog"}]}`)
	for name, c := range map[string]struct{ text, want string }{
		"duplicate ids":   {`[{"image_id":1,"caption":"a"},{"image_id":1,"caption":"b"},{"image_id":2,"caption":"c"}]`, "image 1 has two captions"},
		"missing images":  {`[{"image_id":2,"caption":"a"}]`, "no result for 1 image (1) of 2"},
		"unknown images":  {`[{"image_id":1,"caption":"a"},{"image_id":2,"caption":"a"},{"image_id":3,"caption":"a"}]`, "1 image (3)"},
		"no results":      {`[]`, "no results"},
		"results cut off": {`[{"image_id":1,"cap`, "broken JSON at byte"},
		"no caption":      {`[{"image_id":1},{"image_id":2,"caption":"a"}]`, `"caption" is missing`},
	} {
		add(name, 3, []string{c.want}, "eval", "--refs", refs, "--results", s.file(name+".json", c.text))
	}
	add("empty references", 3, []string{"empty.json"}, "eval", "--refs", s.file("empty.json", ""), "--results", refs)
	add("twice the same image", 3, []string{"image id 1 is listed twice"}, "eval", "--results", refs, "--refs",
		s.file("twice.json", `{"images":[{"id":1},{"id":1}],"annotations":[{"image_id":1,"caption":"a cat"}]}`))
}

// recipes are wrong recipes and corpora of a run.
func (s sandbox) recipes(add adder, out string) {
	run := func(name, want string, args ...string) {
		add(name, 3, strings.Split(want, "|"), append([]string{"run", "--out", filepath.Join(out, "run")}, args...)...)
	}
	run("unknown key", `recipe.yaml:3:3|unknown key "refine.temprature": nearest is "refine.temperature"`, "--recipe", s.file("recipe.yaml", "preset: toy\nrefine:\n  temprature: 0.1\n"))
	run("unknown key of --set", `nearest is "refine.temperature"`, "--set", "refine.temprature=1")
	run("unknown sampler of a recipe", "sampler.yaml:1:18|want ddim, pndm, dpmsolver++", "--recipe", s.file("sampler.yaml", "synth: {sampler: eular}\n"))
	run("broken recipe", "broken.yaml:1", "--recipe", s.file("broken.yaml", "synth: [1\n"))
	run("no recipe", `no preset "tyo": nearest is "toy"`, "--recipe", "tyo")
	run("unknown row", `nearest is "syntic"`, "--set", "eval.rows=sintic")
	run("empty captions", "data.captions|none.txt: the file is empty", "--set", "data.captions="+s.file("none.txt", ""))
	run("blank captions", "blank.txt: the file is empty", "--set", "data.captions="+s.file("blank.txt", "\n \n"))
	run("captions that are no text", "latin.txt: line 2|not UTF-8", "--set", "data.captions="+s.file("latin.txt", "a cat\na caf\xe9\n"))
	run("a caption of a mebibyte", "endless.txt: line 2|want a caption of at most", "--set", "data.captions="+s.file("endless.txt", "a\n"+strings.Repeat("a", 1<<20+1)))
	run("no captions", "data.captions|nowhere.txt", "--set", "data.captions="+s.path("nowhere.txt"))
	run("no memory", "memory.source|nowhere.txt", "--set", "memory.source="+s.path("nowhere.txt"))
	run("COCO file without captions", "coco.json|annotations", "--set", "data.captions="+s.file("coco.json", `{"images":[]}`))
	run("no clip", "clip.model|nowhere", "--set", "clip.model="+s.path("nowhere"))
	run("a file as detector", "objects.model|config.json", "--set", "objects.model="+s.file("file", ""))
	run("a folder of another kind as sd", "synth.model|model_index.json", "--set", "synth.model="+s.dir)
}

// folders are output folders that cannot be used.
func (s sandbox) folders(add adder) {
	plain := s.file("in the way", "")
	for name, dir := range map[string]string{"a file as folder": plain, "a folder in a file": filepath.Join(plain, "x")} {
		add(name, 3, []string{"output folder " + dir, "choose another"}, "run", "--out", dir)
	}
	add("folder of another kind", 3, []string{"output folder", "holds letter.txt, but no run"}, "run", "--out", filepath.Dir(s.file("letters/letter.txt", "")))
	add("folder that nobody can write", 3, []string{"output folder /proc/syntic"}, "run", "--out", "/proc/syntic")
	add("scores into a file as folder", 3, []string{"--per-image"}, "eval", "--refs", evalCase+"annotations.json.gz", "--results", evalCase+"results.json.gz",
		"--per-image", filepath.Join(plain, "scores.json"))
}
