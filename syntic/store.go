package syntic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"syntic/nn"
	"syntic/tensor"
	"syntic/tensor/safetensors"
	"syntic/tensor/wholefile"
)

const (
	decoderFormat  = "syntic-decoder-1"
	decoderJSON    = "decoder.json"
	decoderWeights = "decoder.safetensors"
	maxDecoderJSON = 16 << 20
)

// stored is decoder.json.
type stored struct {
	Format     string  `json:"format"`
	Shape      Shape   `json:"shape"`
	End        int32   `json:"end"`        // the tokenizer's id
	Vocabulary []int32 `json:"vocabulary"` // the tokenizer's id of each row, rising
}

// Save writes decoder.json and decoder.safetensors (float32, names and layout of GPT-2's checkpoints, the prefix under "prefix.") to a folder
// that exists. The JSON comes last, by renaming: a folder without it holds no decoder.
func (d *Decoder) Save(dir string) (err error) {
	defer tensor.Catch(&err)
	if err := nn.Save(filepath.Join(dir, decoderWeights), d, "F32", map[string]string{"format": decoderFormat}); err != nil {
		return fmt.Errorf("save decoder: %w", err)
	}
	text, err := json.Marshal(stored{decoderFormat, d.Shape, d.Vocab.End(), d.Vocab.IDs()})
	if err != nil {
		return fmt.Errorf("save decoder: %w", err)
	}
	return wholefile.WriteBytes(filepath.Join(dir, decoderJSON), append(text, '\n'))
}

// LoadDecoder reads what Save wrote. Its errors name the file and what is wrong in it.
func LoadDecoder(dev *tensor.Device, dir string) (d *Decoder, err error) {
	defer tensor.Catch(&err)
	path := filepath.Join(dir, decoderJSON)
	text, err := readLimited(path, maxDecoderJSON)
	if err != nil {
		return nil, err
	}
	var st stored
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&st); err != nil {
		return nil, fmt.Errorf("%s: offset %d: %w", path, dec.InputOffset(), err)
	}
	if st.Format != decoderFormat {
		return nil, fmt.Errorf("%s: format %q: want %q", path, st.Format, decoderFormat)
	}
	if err := st.Shape.validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	hasEnd := false
	for i, id := range st.Vocabulary {
		if id < 0 || i > 0 && id <= st.Vocabulary[i-1] {
			return nil, fmt.Errorf("%s: vocabulary[%d]: %d: want ids that rise", path, i, id)
		}
		hasEnd = hasEnd || id == st.End
	}
	if !hasEnd {
		return nil, fmt.Errorf("%s: end %d: want an id of the vocabulary", path, st.End)
	}
	weights := filepath.Join(dir, decoderWeights)
	f, err := safetensors.Open(weights)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if blocks := len(f.Names()) / 12; st.Shape.Layers > blocks { // each has 12 tensors; a false number must not make us build a million
		return nil, fmt.Errorf("%s: %d layers, but %s holds %d tensors: want 12 a layer", path, st.Shape.Layers, weights, len(f.Names()))
	}
	d = newDecoder(dev, st.Shape, vocabulary(st.Vocabulary, st.End))
	if err := nn.Load(d, f, nn.LoadOptions{}); err != nil {
		return nil, fmt.Errorf("%s: %w", weights, err)
	}
	return d, nil
}

func readLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s: more than %d bytes", path, limit)
	}
	return text, err
}

// Save writes the memory's features to a safetensors file, as "features" [M, E] of the type that they are held in; of int8 the rows' scales as
// "scale" [M].
func (m *Memory) Save(path string) (err error) {
	defer tensor.Catch(&err)
	shape := []int{m.n, m.e}
	if m.packed == nil {
		return safetensors.Write(path, []safetensors.Tensor{{Name: featuresName, DType: safetensors.F32, Shape: shape, Floats: m.bank.Float32s()}}, nil)
	}
	all := []safetensors.Tensor{{Name: featuresName, DType: m.packed.dtype, Shape: shape, Bytes: m.packed.data}}
	if m.packed.scale != nil {
		all = append(all, safetensors.Tensor{Name: scaleName, DType: safetensors.F32, Shape: shape[:1], Floats: m.packed.scale})
	}
	return safetensors.Write(path, all, nil)
}

const scaleName = "scale"

// LoadMemory reads what Save wrote.
func LoadMemory(dev *tensor.Device, path string) (m *Memory, err error) {
	defer tensor.Catch(&err)
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, ok := f.Info(featuresName)
	if !ok || len(info.Shape) != 2 || info.Shape[1] < 1 {
		return nil, fmt.Errorf("%s: want a tensor features [texts, size]", path)
	}
	if info.Shape[0] < 1 {
		return nil, fmt.Errorf("%s: no features: want at least one", path)
	}
	m = &Memory{n: info.Shape[0], e: info.Shape[1], dev: dev}
	if info.DType == safetensors.F16 || info.DType == safetensors.I8 {
		return m, m.loadPacked(f, info.DType)
	}
	x, err := f.Float32s(featuresName)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if _, err := rowsOf(x, m.e); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return memoryOf(dev, x, m.e), nil // not brought to unit length again, which would change the last bits
}

// loadPacked reads features of few bits.
func (m *Memory) loadPacked(f *safetensors.File, dtype safetensors.DType) error {
	data, err := f.Bytes(featuresName)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path(), err)
	}
	p := &packed{dtype: dtype, data: bytes.Clone(data), e: m.e}
	if dtype == safetensors.I8 {
		if info, ok := f.Info(scaleName); !ok || len(info.Shape) != 1 || info.Shape[0] != m.n {
			return fmt.Errorf("%s: features of whole numbers: want a tensor scale [%d] beside them", f.Path(), m.n)
		}
		if p.scale, err = f.Float32s(scaleName); err != nil {
			return fmt.Errorf("%s: %w", f.Path(), err)
		}
	}
	for i := range m.n {
		if _, err := rowsOf(p.rows(i, i+1), m.e); err != nil {
			return fmt.Errorf("%s: row %d: %w", f.Path(), i, err)
		}
	}
	m.packed = p
	return nil
}
