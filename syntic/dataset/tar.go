package dataset

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// parseTar reads the captions of a tar shard: 0001.txt, or "caption" of 0001.json, beside 0001.jpg.
func parseTar(path string, data []byte) (*Set, error) {
	s := &Set{Format: Tar}
	in := tar.NewReader(bytes.NewReader(data))
	at := map[string]int{} // name without its ending to the image
	image := func(stem string) *Image {
		k, ok := at[stem]
		if !ok {
			k, at[stem] = len(s.Images), len(s.Images)
			s.Images = append(s.Images, Image{})
		}
		return &s.Images[k]
	}
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, &Fault{Path: path, What: "cut off or damaged", Err: err}
		}
		dot := strings.LastIndexByte(h.Name, '.')
		if h.Typeflag != tar.TypeReg || dot < 0 {
			continue
		}
		stem, ending := h.Name[:dot], h.Name[dot:]
		switch {
		case isImage(h.Name):
			image(stem).Name = h.Name
		case ending == ".txt" || ending == ".json":
			text, err := io.ReadAll(in)
			if err != nil {
				return nil, &Fault{Path: path, Place: h.Name, Err: err}
			}
			if !utf8.Valid(text) {
				return nil, fault(path, h.Name, "not UTF-8")
			}
			caption := string(text)
			if ending == ".json" {
				var record struct{ Caption string }
				if err := json.Unmarshal(text, &record); err != nil {
					return nil, &Fault{Path: path, Place: h.Name, Err: err}
				}
				if record.Caption == "" {
					continue // facts about the picture
				}
				caption = record.Caption
			}
			im := image(stem)
			if len(im.Captions) > 0 && im.Captions[0] == clean(caption) {
				continue // the same in .txt and .json
			}
			if im.Captions, err = add(im.Captions, caption, path, h.Name); err != nil {
				return nil, err
			}
		}
	}
	for _, im := range s.Images {
		if len(im.Captions) == 0 {
			stem := im.Name[:strings.LastIndexByte(im.Name, '.')]
			return nil, fault(path, im.Name, `no caption beside it: want %s.txt, or "caption" in %s.json`, stem, stem)
		}
	}
	return s, nil
}
