package metric

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
)

// MarshalJSON gives {"scores": {"Bleu_1": …, "CIDEr": …}, "images": N}, the scores in the order of Names and with all digits.
// Where images without a result were left out, "missing" tells how many.
func (r *Report) MarshalJSON() ([]byte, error) {
	scores, err := named(nil, func(name string) float64 { return r.Scores[name] })
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Scores  json.RawMessage `json:"scores"`
		Images  int             `json:"images"`
		Missing int             `json:"missing,omitempty"`
	}{scores, r.Images, r.Missing})
}

// WritePerImage writes a JSON list, one image a line: {"image_id": …, "Bleu_1": …, "CIDEr": …}.
func (r *Report) WritePerImage(w io.Writer) error {
	b, sep := bufio.NewWriter(w), "["
	for i := range r.Images {
		var id *ImageID
		if r.IDs != nil {
			id = &r.IDs[i]
		}
		row, err := named(id, func(name string) float64 { return r.PerImage[name][i] })
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

// named writes an object of all scores in the order of Names; encoding/json would sort them.
func named(id *ImageID, score func(name string) float64) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	if id != nil {
		b.WriteString(`"image_id":` + string(*id))
	}
	for _, name := range Names() {
		v, err := json.Marshal(score(name))
		if err != nil {
			return nil, err
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
