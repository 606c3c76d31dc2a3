package metric

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// References are the reference captions of a COCO annotations file.
type References struct {
	Path     string
	IDs      []ImageID            // images in the order of the file
	Captions map[ImageID][]string // raw, in the order of the file; images without any are absent
	Files    map[ImageID]string   // names of the image files, of those that have one
}

// Result is one generated caption.
type Result struct {
	ImageID ImageID `json:"image_id"`
	Caption string  `json:"caption"`
}

// Results are the captions of a COCO result file.
type Results struct {
	Path string
	Rows []Result
}

// LoadReferences reads COCO captions annotations, {"images": [{"id"}], "annotations": [{"image_id", "caption"}]}, plain or
// gzipped. Without "images" the images are those of the annotations; annotations of images not listed are left out, as pycocotools
// does. Errors name the file and the place: broken JSON, an image listed twice, a null or missing caption, no captions.
func LoadReferences(path string) (*References, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return parseReferences(path, data)
}

func parseReferences(path string, data []byte) (*References, error) {
	var file struct {
		Images []struct {
			ID       *ImageID
			FileName string `json:"file_name"`
		}
		Annotations []struct {
			ImageID *ImageID `json:"image_id"`
			Caption *string
		}
	}
	if err := decode(path, data, &file, `an object with "images" and "annotations"`); err != nil {
		return nil, err
	}
	if len(file.Annotations) == 0 {
		return nil, fmt.Errorf(`%s: no "annotations": want a COCO captions file with at least one caption`, path)
	}
	r := &References{Path: path, Captions: make(map[ImageID][]string, len(file.Images)), Files: map[ImageID]string{}}
	listed := make(map[ImageID]bool, len(file.Images))
	for i, im := range file.Images {
		switch {
		case im.ID == nil:
			return nil, fmt.Errorf(`%s: images[%d]: no "id"`, path, i)
		case listed[*im.ID]:
			return nil, fmt.Errorf("%s: images[%d]: image id %s is listed twice", path, i, *im.ID)
		}
		listed[*im.ID] = true
		r.IDs = append(r.IDs, *im.ID)
		if im.FileName != "" {
			r.Files[*im.ID] = im.FileName
		}
	}
	for i, a := range file.Annotations {
		if a.ImageID == nil {
			return nil, fmt.Errorf(`%s: annotations[%d]: no "image_id"`, path, i)
		}
		if a.Caption == nil {
			return nil, fmt.Errorf(`%s: annotations[%d], image %s: "caption" is missing or null: want a string, "" for an empty caption`, path, i, *a.ImageID)
		}
		if file.Images == nil && !listed[*a.ImageID] {
			listed[*a.ImageID] = true
			r.IDs = append(r.IDs, *a.ImageID)
		}
		if listed[*a.ImageID] {
			r.Captions[*a.ImageID] = append(r.Captions[*a.ImageID], *a.Caption)
		}
	}
	if len(r.Captions) == 0 {
		return nil, fmt.Errorf(`%s: none of the %d annotations belongs to one of the %d "images"`, path, len(file.Annotations), len(file.Images))
	}
	return r, nil
}

// LoadResults reads a COCO result file, [{"image_id", "caption"}], plain or gzipped. Errors name the file and the place: broken
// JSON, an empty list, a null or missing caption, two captions for one image. An empty caption is valid and scores zero.
func LoadResults(path string) (*Results, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return parseResults(path, data)
}

func parseResults(path string, data []byte) (*Results, error) {
	var rows []struct {
		ImageID *ImageID `json:"image_id"`
		Caption *string
	}
	if err := decode(path, data, &rows, `a list of {"image_id", "caption"}`); err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s: no results: want at least one {\"image_id\", \"caption\"}", path)
	}
	r := &Results{Path: path, Rows: make([]Result, 0, len(rows))}
	seen := make(map[ImageID]int, len(rows))
	for i, row := range rows {
		if row.ImageID == nil {
			return nil, fmt.Errorf(`%s: [%d]: no "image_id"`, path, i)
		}
		id := *row.ImageID
		if row.Caption == nil {
			return nil, fmt.Errorf(`%s: [%d], image %s: "caption" is missing or null: want a string, "" for an empty caption`, path, i, id)
		}
		if first, ok := seen[id]; ok {
			return nil, fmt.Errorf("%s: image %s has two captions, [%d] and [%d]: want one", path, id, first, i)
		}
		seen[id] = i
		r.Rows = append(r.Rows, Result{id, *row.Caption})
	}
	return r, nil
}

// maxFile bounds what is read of one file, after decompression: COCO train2014 has 64 MB.
const maxFile = 2 << 30

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readAll(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return data, nil
}

// readAll reads a file, unpacking it if it begins as gzip does.
func readAll(r io.Reader) ([]byte, error) {
	head := make([]byte, 2)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	r = io.MultiReader(bytes.NewReader(head[:n]), r)
	if n == 2 && head[0] == 0x1f && head[1] == 0x8b {
		if r, err = gzip.NewReader(r); err != nil {
			return nil, err
		}
	}
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("after %d bytes: %w", len(data), err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("more than %d bytes", maxFile)
	}
	return data, nil
}

func decode(path string, data []byte, into any, want string) error {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(data)) == 0 {
		return fmt.Errorf("%s: the file is empty: want %s", path, want)
	}
	err := json.Unmarshal(data, into)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("%s: broken JSON at %s: %w", path, place(data, syntax.Offset), err)
	case errors.As(err, &kind):
		what := ""
		if kind.Field != "" {
			what = " in " + strings.ToLower(kind.Field)
		}
		return fmt.Errorf("%s: %s%s at %s: want %s", path, kind.Value, what, place(data, kind.Offset), want)
	case err != nil:
		return fmt.Errorf("%s: %w", path, err)
	}
	if t := bytes.TrimSpace(data); string(t) == "null" {
		return fmt.Errorf("%s: null: want %s", path, want)
	}
	return nil
}

func place(data []byte, offset int64) string {
	before := data[:min(max(offset, 0), int64(len(data)))]
	return fmt.Sprintf("byte %d (line %d)", offset, 1+bytes.Count(before, []byte("\n")))
}
