package inspect

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"syntic/nn"
	"syntic/tensor"
	"syntic/tensor/pickle"
	"syntic/tensor/safetensors"
)

// Report is what Inspect found.
type Report struct {
	Path         string `json:"path"`
	Architecture string `json:"architecture"`
	Parts        []Part `json:"parts"`
}

// Part is one model: all of a CLIP, or the UNet of a Stable Diffusion.
type Part struct {
	Name         string           `json:"name,omitempty"` // where a folder holds several
	Path         string           `json:"path"`           // of the checkpoint, or the index of its shards
	Architecture string           `json:"architecture"`
	Naming       string           `json:"naming,omitempty"` // whose names the tensors have
	Config       string           `json:"config,omitempty"` // sizes, in words
	Files        []string         `json:"files"`
	Tensors      int              `json:"tensors"`
	Parameters   int64            `json:"parameters"` // numbers in tensors of floating-point type
	DTypes       map[string]int64 `json:"dtypes"`     // numbers by type
	Bytes        int64            `json:"bytes"`      // of all tensors in the files
	Mapped       int64            `json:"mapped"`     // bytes used where they lie in the file, on the CPU
	Own          int64            `json:"own"`        // bytes of memory besides: weights of another layout
	Loads        bool             `json:"loads"`      // every tensor of the model is there and fits
	nn.Misfit
	Problem string `json:"problem,omitempty"` // why it does not load, if not for names and shapes
	List    []Item `json:"list,omitempty"`
}

// Item is a tensor of a file.
type Item struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
	Bytes int64  `json:"bytes"`
	File  string `json:"file"`
}

// Inspect looks at a folder (of CLIP, DETR, GPT-2, Stable Diffusion, a part of it, a decoder or run of syntic) or a file (safetensors, an index of
// shards, or a pickle of torch.save). With list it names all tensors. The architecture comes from the configuration or, without one, from the
// tensors' names; where there is a configuration, or the architecture has but one, the model is loaded to see whether it fits: see Loads.
// The error is of what cannot be read at all.
func Inspect(path string, list bool) (r *Report, err error) {
	defer tensor.Catch(&err)
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	in := inspector{r: &Report{Path: path}, list: list}
	if st.IsDir() {
		err = in.folder(path)
	} else {
		err = in.file(path)
	}
	if err != nil {
		return nil, err
	}
	return in.r, nil
}

type inspector struct {
	r    *Report
	list bool
}

// exists tells whether a file of a folder is there.
func exists(dir string, name ...string) bool {
	_, err := os.Stat(filepath.Join(append([]string{dir}, name...)...))
	return err == nil
}

func (in *inspector) folder(dir string) error {
	switch {
	case exists(dir, "model_index.json"):
		in.r.Architecture = "Stable Diffusion (diffusers folder)"
		for _, p := range []struct {
			name string
			load loader
		}{{"text_encoder", loadText}, {"unet", loadUNet}, {"vae", loadVAE}} {
			if err := in.part(p.name, filepath.Join(dir, p.name), p.load); err != nil {
				return err
			}
		}
		return nil
	case exists(dir, "model", "model.json"):
		return in.captioner(filepath.Join(dir, "model"))
	case exists(dir, "model.json"):
		return in.captioner(dir)
	case exists(dir, "decoder.json"):
		in.r.Architecture = "caption decoder of syntic"
		return in.part("", dir, loadDecoder)
	case exists(dir, "config.json"):
		load, architecture, err := byConfig(filepath.Join(dir, "config.json"))
		if err != nil {
			return err
		}
		in.r.Architecture = architecture
		return in.part("", dir, load)
	}
	if exists(dir, "open_clip_config.json") {
		in.r.Architecture = "CLIP"
		return in.part("", dir, loadCLIP)
	}
	return in.bare(dir)
}

// bare is a folder without a configuration: its checkpoints by name.
func (in *inspector) bare(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".safetensors.index.json") {
			return in.file(filepath.Join(dir, e.Name()))
		}
	}
	for _, e := range entries {
		if isWeights(e.Name()) {
			if err := in.file(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if len(in.r.Parts) == 0 {
		return fmt.Errorf("%s: no config.json, model_index.json, model.json or decoder.json, and no checkpoint (.safetensors, .bin, .pt, .pth, .ckpt)", dir)
	}
	if len(in.r.Parts) > 1 {
		in.r.Architecture = fmt.Sprintf("%d checkpoints", len(in.r.Parts))
	}
	return nil
}

func isWeights(name string) bool {
	return slices.Contains([]string{".safetensors", ".bin", ".pt", ".pth", ".ckpt"}, filepath.Ext(name))
}

// captioner is what syntic run trains: the decoder, and the models that model.json names.
func (in *inspector) captioner(dir string) error {
	in.r.Architecture = "captioner of syntic"
	m, err := nn.ReadJSON(filepath.Join(dir, "model.json"), func(b []byte) (m struct{ CLIP, DETR string }, err error) { return m, json.Unmarshal(b, &m) })
	if err != nil {
		return err
	}
	if err := in.part("decoder", dir, loadDecoder); err != nil {
		return err
	}
	for _, p := range []struct {
		name, at string
		load     loader
	}{{"clip", m.CLIP, loadCLIP}, {"detr", m.DETR, loadDETR}} {
		if p.at == "" || p.at == "world" {
			continue
		}
		if !filepath.IsAbs(p.at) {
			p.at = filepath.Join(dir, p.at)
		}
		if err := in.part(p.name, p.at, p.load); err != nil {
			return err
		}
	}
	return nil
}

// part describes a folder's checkpoint and loads it.
func (in *inspector) part(name, dir string, load loader) error {
	f, err := safetensors.OpenFolderOrHalf(dir, "model", "open_clip_model", "diffusion_pytorch_model", "decoder")
	if err != nil {
		return err
	}
	defer f.Close()
	p := in.describe(name, f)
	in.try(&p, load, dir)
	in.r.Parts = append(in.r.Parts, p)
	return nil
}

// try loads a model, to see whether it fits and what memory it takes.
func (in *inspector) try(p *Part, load loader, path string) {
	m, config, err := load(path)
	if err != nil {
		var misfit *nn.Misfit
		if errors.As(err, &misfit) {
			p.Misfit = *misfit
		} else {
			p.Problem = err.Error()
		}
		return
	}
	defer m.release()
	p.Loads, p.Config = true, config
	p.Mapped, p.Own = nn.Memory(m.module)
}

// describe counts a file's tensors.
func (in *inspector) describe(name string, f *safetensors.File) Part {
	p := Part{Name: name, Path: f.Path(), DTypes: map[string]int64{}}
	names := f.Names()
	p.Architecture, p.Naming = Recognise(names)
	for _, n := range names {
		i, _ := f.Info(n)
		p.count(Item{n, string(i.DType), i.Shape, i.Bytes, f.Where(n)}, i.DType, in.list)
	}
	return p
}

func (p *Part) count(i Item, d safetensors.DType, list bool) {
	n := i.Bytes / int64(d.Size())
	p.Tensors++
	p.Bytes += i.Bytes
	p.DTypes[i.DType] += n
	if d.IsFloat() {
		p.Parameters += n
	}
	if !slices.Contains(p.Files, i.File) {
		p.Files = append(p.Files, i.File)
	}
	if list {
		if i.Shape == nil {
			i.Shape = []int{}
		}
		p.List = append(p.List, i)
	}
}

// file looks at one checkpoint. A single-file Stable Diffusion has its three parts loaded; others need a configuration, which the folder may have.
func (in *inspector) file(path string) error {
	if ext := filepath.Ext(path); ext != ".safetensors" && ext != ".json" {
		return in.pickle(path)
	}
	if dir := filepath.Dir(path); exists(dir, "config.json") || exists(dir, "decoder.json") {
		if main, err := safetensors.FindFolder(dir, "", "model", "diffusion_pytorch_model", "decoder"); err == nil && main == path {
			return in.folder(dir)
		}
	}
	f, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	p := in.describe("", f)
	in.r.Architecture = p.Architecture
	if p.Architecture != "Stable Diffusion 1.x" {
		in.r.Parts = append(in.r.Parts, p)
		return nil
	}
	for _, part := range ldmParts {
		q := Part{Name: part.name, Path: path, Architecture: part.architecture, Naming: p.Naming, DTypes: map[string]int64{}}
		for _, n := range f.Names() {
			if i, _ := f.Info(n); strings.HasPrefix(n, part.prefix) {
				q.count(Item{n, string(i.DType), i.Shape, i.Bytes, path}, i.DType, in.list)
			}
		}
		in.try(&q, part.load, path)
		in.r.Parts = append(in.r.Parts, q)
	}
	return nil
}

// pickle looks at a checkpoint of torch.save, which has to be converted before it can be used.
func (in *inspector) pickle(path string) error {
	f, err := pickle.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	s, err := f.Select("")
	if err != nil {
		return err
	}
	p := Part{Path: path, DTypes: map[string]int64{}, Problem: "a pickle: syntic convert makes a safetensors file of it"}
	if s.Key != "" {
		p.Config = fmt.Sprintf("the tensors below %q", s.Key)
	}
	var names []string
	for _, t := range s.Tensors {
		n := int64(t.DType.Size())
		for _, d := range t.Shape {
			n *= int64(d)
		}
		p.count(Item{t.Name, string(t.DType), t.Shape, n, path}, t.DType, in.list)
		names = append(names, t.Name)
	}
	p.Architecture, p.Naming = Recognise(names)
	in.r.Architecture = p.Architecture
	in.r.Parts = append(in.r.Parts, p)
	return nil
}

// Fits tells whether every part that could be tried loads; the error says which does not.
func (r *Report) Fits() error {
	for _, p := range r.Parts {
		at := p.Path
		if p.Name != "" {
			at = p.Name + ", " + at
		}
		switch {
		case len(p.Missing)+len(p.Unexpected)+len(p.Misshapen) > 0:
			return fmt.Errorf("%s: %w", at, &p.Misfit)
		case p.Problem != "" && filepath.Ext(p.Path) == ".safetensors":
			return errors.New(p.Problem)
		}
	}
	return nil
}
