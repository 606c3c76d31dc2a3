package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strings"
	"unicode/utf16"

	"syntic/tensor"
)

// parametersKey is the keyword of the tEXt chunk with an image's parameters.
const parametersKey = "parameters"

// parameters is how an image was made: what --prompt, --seed and the others must have to make it again. Item is the number of the text, Image
// that of its image, both from 0, where the source of noise counts them.
type parameters struct {
	Prompt    string  `json:"prompt"`
	Negative  string  `json:"negative"`
	Model     string  `json:"model"`
	ModelHash string  `json:"model_hash"`
	Sampler   string  `json:"sampler"`
	Steps     int     `json:"steps"`
	Guidance  float64 `json:"guidance"`
	RNG       string  `json:"rng"`
	Seed      uint64  `json:"seed"`
	Item      int     `json:"item"`
	Image     int     `json:"image"`
	Size      string  `json:"size"`

	width, height int // 0: the model's
}

// key is the noise of an image, the same as that of synthetic pairs in a run.
func (p *parameters) key() tensor.Key {
	return tensor.Key{Seed: p.Seed, Item: uint64(p.Image)<<32 + uint64(p.Item)}
}

// text is the parameters as JSON in ASCII.
func (p parameters) text() string {
	p.Size = fmt.Sprintf("%dx%d", p.width, p.height)
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings and numbers alone; guidance is finite
	}
	return ascii(string(text))
}

// parseParameters reads what text wrote and refuses what generate would not have taken.
func parseParameters(text string) (*parameters, error) {
	p := &parameters{}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("parameters that are not of this version of syntic generate: %w", err)
	}
	o := generateOptions{out: ".png", sampler: p.Sampler, rng: p.RNG, size: p.Size, steps: p.Steps, guidance: p.Guidance, count: 1}
	var err error
	p.width, p.height, err = o.check(func(string) bool { return true })
	if err == nil && (p.Item < 0 || p.Image < 0 || p.Model == "" || p.ModelHash == "") {
		err = fmt.Errorf("item %d, image %d, model %q, model_hash %q: want numbers from 0, and both of the others", p.Item, p.Image, p.Model, p.ModelHash)
	}
	if err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	return p, nil
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

// textOf is the text of a PNG's tEXt chunk, whose checksum must be right.
func textOf(image []byte, key string) (string, error) {
	if !bytes.HasPrefix(image, []byte(pngSignature)) {
		return "", fmt.Errorf("not a PNG")
	}
	for at := len(pngSignature); at+12 <= len(image); {
		n := int(binary.BigEndian.Uint32(image[at:]))
		if n > len(image)-at-12 {
			return "", fmt.Errorf("PNG that ends within a chunk at offset %d", at)
		}
		body := image[at+4 : at+8+n]
		at += 12 + n
		if name, text, ok := bytes.Cut(body[4:], []byte{0}); ok && string(body[:4]) == "tEXt" && string(name) == key {
			if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(image[at-4:]) {
				return "", fmt.Errorf("tEXt chunk %q has a wrong checksum: the file is damaged", key)
			}
			return string(text), nil
		}
	}
	return "", fmt.Errorf("no tEXt chunk %q: want a PNG of syntic generate, as it wrote it", key)
}

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
