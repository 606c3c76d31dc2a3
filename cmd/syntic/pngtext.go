package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"unicode/utf16"

	"syntic/syntic/pipeline"
)

// parameters is how an image was made, as JSON in ASCII: the values that --prompt, --seed and the others must have to make it again. item is
// the number of the text, image that of its image, both from 0.
func (o *generateOptions) parameters(d drawing, width, height int) string {
	model := o.sd
	if model == "" {
		model = pipeline.World
	}
	text, err := json.Marshal(struct {
		Prompt   string  `json:"prompt"`
		Negative string  `json:"negative"`
		Model    string  `json:"model"`
		Sampler  string  `json:"sampler"`
		Steps    int     `json:"steps"`
		Guidance float64 `json:"guidance"`
		Seed     uint64  `json:"seed"`
		Item     int     `json:"item"`
		Image    int     `json:"image"`
		Size     string  `json:"size"`
	}{d.text, o.negative, model, o.sampler, o.steps, o.guidance, o.seed, d.i, d.k, fmt.Sprintf("%dx%d", width, height)})
	if err != nil {
		panic(err) // strings and numbers alone; guidance is finite
	}
	return ascii(string(text))
}

// ascii writes what is beyond ASCII in a JSON text as \u escapes, since a tEXt chunk holds Latin-1.
func ascii(text string) string {
	var b bytes.Buffer
	for _, r := range text {
		switch {
		case r < 0x7f:
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, "\\u%04x\\u%04x", high, low)
		default:
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	return b.String()
}

const pngSignature = "\x89PNG\r\n\x1a\n"

// withText puts a tEXt chunk (PNG, third edition, 11.3.3.2) before the first IDAT of a PNG. key has 1 to 79 characters and, as text, ASCII alone.
func withText(image []byte, key, text string) ([]byte, error) {
	at := len(pngSignature)
	if !bytes.HasPrefix(image, []byte(pngSignature)) {
		return nil, fmt.Errorf("not a PNG")
	}
	for {
		if at+12 > len(image) {
			return nil, fmt.Errorf("PNG without IDAT")
		}
		if string(image[at+4:at+8]) == "IDAT" {
			break
		}
		at += 12 + int(binary.BigEndian.Uint32(image[at:]))
	}
	body := []byte("tEXt" + key + "\x00" + text)
	out := append(make([]byte, 0, len(image)+len(body)+8), image[:at]...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(body)-4)) // without the type
	out = append(out, body...)
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(body))
	return append(out, image[at:]...), nil
}
