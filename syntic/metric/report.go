package metric

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"math"
)

// MarshalJSON gives {"scores": {"Bleu_1": …, "CIDEr": …}, "images": N}, the scores in their order and with all digits. Where images
// were left out, "missing" tells how many had no result and "extra" how many no references; "meteor" lists the stages that ran, "clip"
// says which model CLIPScore is of, "tokenised" that captions were taken as they are.
func (r *Report) MarshalJSON() ([]byte, error) {
	scores, err := r.named(nil, func(name string) float64 { return r.Scores[name] })
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Scores  json.RawMessage `json:"scores"`
		Images  int             `json:"images"`
		Missing int             `json:"missing,omitempty"`
		Extra   int             `json:"extra,omitempty"`
		METEOR  []string        `json:"meteor,omitempty"`
		CLIP    string          `json:"clip,omitempty"`
		AsIs    bool            `json:"tokenised,omitempty"`
	}{scores, r.Images, r.Missing, r.Extra, r.Stages, r.CLIP, r.AsIs})
}

// WritePerImage writes a JSON list, one image a line: {"image_id": …, "Bleu_1": …, "CIDEr": …}.
func (r *Report) WritePerImage(w io.Writer) error {
	b, sep := bufio.NewWriter(w), "["
	for i := range r.Images {
		var id *ImageID
		if r.IDs != nil {
			id = &r.IDs[i]
		}
		row, err := r.named(id, func(name string) float64 { return r.PerImage[name][i] })
		if err != nil {
			return err
		}
		b.WriteString(sep)
		b.Write(row)
		sep = ",\n"
	}
	b.WriteString("]\n")
	return b.Flush()
}

// named writes an object of all scores in their order; encoding/json would sort them. What is no number is null.
func (r *Report) named(id *ImageID, score func(name string) float64) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	if id != nil {
		b.WriteString(`"image_id":` + string(*id))
	}
	for _, name := range r.Names {
		v := []byte("null")
		if x := score(name); !math.IsNaN(x) {
			var err error
			if v, err = json.Marshal(x); err != nil {
				return nil, err
			}
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + name + `":`)
		b.Write(v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
