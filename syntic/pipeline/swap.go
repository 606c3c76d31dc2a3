package pipeline

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"syntic/clip"
	"syntic/syntic"
	"syntic/syntic/dataset"
	"syntic/tensor"
)

// SwapMemory makes the model project on other texts than those it came with, as for a domain that it was not trained on: the texts of a file in
// one of the forms of syntic/dataset (the split train of one that has splits), or features that syntic encode wrote of texts, with the model's CLIP
// and prompt. They are held as the model's memory.dtype says.
func (m *Model) SwapMemory(ctx context.Context, dev *tensor.Device, path string) (err error) {
	defer tensor.Catch(&err)
	retrieves := m.file.Retrieve.Tokens > 0 || m.file.Objects.Enabled && m.file.Objects.Source == "retrieval"
	if !m.file.Project && !retrieves {
		return badInput("this model neither projects nor retrieves: a memory would change nothing")
	}
	var features []float32
	var texts []string
	if strings.EqualFold(filepath.Ext(path), ".safetensors") {
		f, err := syntic.LoadFeatures(path)
		if err != nil {
			return inputError{err}
		}
		if want := m.Decoder.Shape.Features; f.Size != want {
			return badInput("%s: features of size %d: want %d, those of the model's CLIP", path, f.Size, want)
		}
		features, texts = f.Rows, f.Names
		for i := len(texts); i < f.Len(); i++ { // a file without names
			texts = append(texts, fmt.Sprintf("text %d", i+1))
		}
	} else {
		s, err := dataset.Load(path, dataset.Options{})
		if err != nil {
			return inputError{err}
		}
		if texts = s.Texts(true); len(texts) == 0 {
			return badInput("%s: no texts of the split train: want some", path)
		}
		if features, err = clip.EncodeTexts(ctx, m.enc.Model, m.enc.tok, prompted(texts, m.file.Prompt), textBatch, nil); err != nil {
			return err
		}
	}
	if k := m.file.Memory.TopK; k > len(texts) {
		return badInput("%s: %d texts: want at least the model's memory.top_k %d", path, len(texts), k)
	}
	if k := m.file.Retrieve.Tokens; k > len(texts) {
		return badInput("%s: %d texts: want at least the model's retrieve.tokens %d", path, len(texts), k)
	}
	memory, err := syntic.NewMemory(dev, features, m.Decoder.Shape.Features)
	if err == nil {
		err = memory.Pack(m.file.Memory.DType)
	}
	if err != nil {
		return err
	}
	m.memory.Release()
	m.memory, m.Texts, m.sight.memory, m.sight.texts = memory, texts, memory, texts
	if m.file.Project {
		m.Memory = memory
	}
	return nil
}

// textBatch is how many texts of a new memory are encoded together; it changes no result.
const textBatch = 64
