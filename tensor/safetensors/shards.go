package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxIndex bounds an index in bytes, far above any real one.
const maxIndex = 64 << 20

// addShards opens every file that an index names. Index and shards must agree: each tensor lies in the shard that the index says, and in no other.
func (f *File) addShards(path string) error {
	where, err := ReadIndex(path)
	if err != nil {
		return err
	}
	shards := slices.Sorted(maps.Values(where))
	for i, shard := range slices.Compact(shards) {
		file, before := filepath.Join(filepath.Dir(path), shard), len(f.names)
		meta, err := f.add(file)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: names the shard %s, which is not there: %w", path, shard, fs.ErrNotExist)
		}
		if err != nil {
			return fmt.Errorf("%s: shard %w", path, err)
		}
		for _, name := range f.names[before:] {
			switch listed, ok := where[name]; {
			case !ok:
				return fmt.Errorf("%s: tensor %q of shard %s is not listed: are index and shards of one checkpoint?", path, name, shard)
			case listed != shard:
				return fmt.Errorf("%s: tensor %q is in shard %s, the index says %s", path, name, shard, listed)
			}
		}
		if i == 0 {
			f.meta = meta
		}
	}
	for _, name := range slices.Sorted(maps.Keys(where)) {
		if _, ok := f.entries[name]; !ok {
			return fmt.Errorf("%s: tensor %q is not in shard %s, where the index puts it", path, name, where[name])
		}
	}
	return nil
}

// ReadIndex reads weight_map of an index: the name of the shard of each tensor, a file beside the index. The error names the index.
func ReadIndex(path string) (map[string]string, error) {
	where, err := readIndex(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return where, nil
}

func readIndex(path string) (map[string]string, error) {
	fd, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer fd.Close()
	text, err := io.ReadAll(io.LimitReader(fd, maxIndex+1))
	if err != nil {
		return nil, reason(err)
	}
	if len(text) > maxIndex {
		return nil, fmt.Errorf("more than %d bytes: is this the index of a checkpoint?", maxIndex)
	}
	var index struct {
		Map json.RawMessage `json:"weight_map"`
	}
	if err := json.Unmarshal(text, &index); err != nil {
		return nil, fmt.Errorf("not the index of a checkpoint: %w", err)
	}
	where := map[string]string{}
	d := json.NewDecoder(bytes.NewReader(index.Map)) // by tokens: a map would hide names given twice
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("weight_map is missing or no object: want tensor names and their shards")
	}
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("weight_map: %w", err)
		}
		v, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("weight_map: %w", err)
		}
		name := k.(string) // inside an object the decoder yields only string keys
		shard, ok := v.(string)
		if !ok || shard == "" || shard != filepath.Base(shard) || strings.ContainsAny(shard, `/\`) || shard == ".." || shard == "." {
			return nil, fmt.Errorf("weight_map: tensor %q is in %v: want the name of a file beside the index", name, v)
		}
		if _, twice := where[name]; twice {
			return nil, fmt.Errorf("weight_map: tensor %q is listed twice", name)
		}
		where[name] = shard
	}
	if len(where) == 0 {
		return nil, errors.New("weight_map is empty")
	}
	return where, nil
}

// reason is what the file system said, without the path.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// OpenFolder opens the checkpoint of a folder as Hugging Face's libraries name it. Of each stem ("model", "diffusion_pytorch_model") it takes the
// first that is there of STEM.safetensors and STEM.safetensors.index.json; with a variant ("fp16") of STEM.fp16.safetensors,
// STEM.safetensors.index.fp16.json and STEM.fp16.safetensors.index.json. With none the error is an [fs.ErrNotExist] that tells what was
// looked for, and of a pickle in its place how to convert it.
func OpenFolder(dir, variant string, stems ...string) (*File, error) {
	path, err := FindFolder(dir, variant, stems...)
	if err != nil {
		return nil, err
	}
	return Open(path)
}

// OpenFolderOrHalf opens the checkpoint of a folder or, where it has none, that of its variant fp16, as [OpenFolder] does.
func OpenFolderOrHalf(dir string, stems ...string) (*File, error) {
	f, err := OpenFolder(dir, "", stems...)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if f, halfErr := OpenFolder(dir, "fp16", stems...); !errors.Is(halfErr, fs.ErrNotExist) {
		return f, halfErr
	}
	return nil, err
}

// FindFolder is the path that [OpenFolder] opens.
func FindFolder(dir, variant string, stems ...string) (string, error) {
	var names []string
	for _, stem := range stems {
		if variant == "" {
			names = append(names, stem+".safetensors", stem+".safetensors.index.json")
			continue
		}
		whole := stem + "." + variant + ".safetensors"
		names = append(names, whole, stem+".safetensors.index."+variant+".json", whole+".index.json")
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("safetensors: %w", err)
		}
	}
	hint := ""
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("safetensors: %w", err)
	}
	pickle := func(e fs.DirEntry) bool {
		return slices.Contains([]string{".bin", ".pt", ".pth", ".ckpt"}, filepath.Ext(e.Name()))
	}
	i := slices.IndexFunc(entries, func(e fs.DirEntry) bool { return strings.HasSuffix(e.Name(), ".bin.index.json") })
	if i < 0 {
		i = slices.IndexFunc(entries, pickle)
	}
	if i >= 0 {
		hint = fmt.Sprintf("; syntic convert %s %s makes one of the pickle there", filepath.Join(dir, entries[i].Name()), filepath.Join(dir, names[0]))
	}
	return "", fmt.Errorf("safetensors: %s: none of %s: %w%s", dir, strings.Join(names, ", "), fs.ErrNotExist, hint)
}
