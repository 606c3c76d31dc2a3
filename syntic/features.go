package syntic

import (
	"encoding/json"
	"fmt"
	"slices"

	"syntic/tensor/safetensors"
)

// Features are rows of one size with their names: what syntic encode writes, and the other verbs read.
type Features struct {
	Rows  []float32 // [N, E]
	Size  int       // E
	Names []string  // [N]: paths of images, texts; or nil
}

// Len is N.
func (f *Features) Len() int { return len(f.Rows) / f.Size }

const (
	featuresName = "features" // the tensor, as in a memory's file
	namesKey     = "names"    // in the metadata: a JSON list
)

// Save writes the rows as the tensor "features" [N, E] of a safetensors file, and the names, where there are any, as a JSON list in its
// metadata. The file appears whole or not at all. [LoadMemory] reads it, too.
func (f *Features) Save(path string) error {
	var meta map[string]string
	if f.Names != nil {
		text, err := json.Marshal(f.Names)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		meta = map[string]string{namesKey: string(text)}
	}
	return safetensors.Write(path, []safetensors.Tensor{{Name: featuresName, DType: safetensors.F32, Shape: []int{f.Len(), f.Size}, Floats: f.Rows}}, meta)
}

// LoadFeatures reads what Save wrote, or any safetensors file with a matrix: that of the name "features", or its only tensor. Rows of any
// length are taken, but none that is zero or not finite. The error names the file.
func LoadFeatures(path string) (*Features, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	name := featuresName
	if all := f.Names(); len(all) == 1 {
		name = all[0]
	}
	info, ok := f.Info(name)
	if !ok || len(info.Shape) != 2 || slices.Contains(info.Shape, 0) {
		return nil, fmt.Errorf("%s: want a tensor %q of shape [N, E], or no other than one of such a shape", path, featuresName)
	}
	out := &Features{Size: info.Shape[1]}
	if out.Rows, err = f.Float32s(name); err != nil {
		return nil, err
	}
	if _, err := rowsOf(out.Rows, out.Size); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if text, ok := f.Metadata()[namesKey]; ok {
		if err := json.Unmarshal([]byte(text), &out.Names); err != nil || len(out.Names) != out.Len() {
			return nil, fmt.Errorf("%s: metadata %q has %d names for %d features: want a JSON list of as many texts", path, namesKey, len(out.Names), out.Len())
		}
	}
	return out, nil
}
