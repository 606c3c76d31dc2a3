package dataset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// recogniseJSON looks at the first keys alone: the readers say what is wrong with the rest.
func recogniseJSON(text []byte) Format {
	d := json.NewDecoder(bytes.NewReader(text))
	open, err := d.Token()
	if err != nil {
		return COCO
	}
	if open == json.Delim('[') {
		switch token, _ := d.Token(); token {
		case json.Delim('{'):
			return Objects
		}
		return Texts
	}
	names := 0
	for d.More() {
		key, err := d.Token()
		if err != nil {
			break
		}
		switch key {
		case "annotations":
			return COCO
		case "images":
			if format, ok := recogniseImages(d); ok {
				return format
			}
		default:
			var value json.RawMessage
			if err := d.Decode(&value); err != nil {
				return COCO
			}
			if len(value) > 0 && value[0] == '[' && isImage(fmt.Sprint(key)) {
				names++
			}
			if names == 2 {
				return ByName
			}
		}
	}
	if names > 0 {
		return ByName
	}
	return COCO
}

// recogniseImages looks at the first of "images": Karpathy's have their sentences.
func recogniseImages(d *json.Decoder) (Format, bool) {
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return COCO, true
	}
	if !d.More() {
		_, err := d.Token()
		return COCO, err != nil // an empty list: go on
	}
	var first map[string]json.RawMessage
	if err := d.Decode(&first); err == nil && first["sentences"] != nil {
		return Karpathy, true
	}
	return COCO, true
}

// isImage tells whether a name is that of a picture.
func isImage(name string) bool {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return false
	}
	switch strings.ToLower(name[dot+1:]) {
	case "jpg", "jpeg", "png", "webp", "gif", "bmp":
		return true
	}
	return false
}

// unmarshal reads JSON and says where it is broken.
func unmarshal(path string, data []byte, into any, want string) error {
	err := json.Unmarshal(data, into)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		if syntax.Offset >= int64(len(bytes.TrimRight(data, " \t\r\n"))) && strings.Contains(syntax.Error(), "unexpected end") {
			return fault(path, line(data, syntax.Offset), "the JSON ends too early: was the file cut off?")
		}
		return fault(path, line(data, syntax.Offset), "broken JSON: %v", err)
	case errors.As(err, &kind):
		return fault(path, line(data, kind.Offset), "%s in %s: want %s", kind.Value, orTop(kind.Field), want)
	case err != nil:
		return &Fault{Path: path, Err: err}
	}
	return nil
}

func orTop(field string) string {
	if field == "" {
		return "the outermost value"
	}
	return strings.ToLower(field)
}

// id is a number or a text of JSON, as text; empty if absent.
type id string

func (x *id) UnmarshalJSON(b []byte) error {
	switch {
	case string(b) == "null":
	case len(b) > 0 && b[0] == '"':
		return json.Unmarshal(b, (*string)(x))
	case bytes.ContainsAny(b, "{[tfn"):
		return fmt.Errorf("image id %.40s: want a number or a text", b)
	default:
		*x = id(b)
	}
	return nil
}

const wantKarpathy = `{"images": [{"filename", "split", "sentences": [{"raw"}]}]}`

// parseKarpathy reads the splits of Karpathy and Fei-Fei 2015: dataset_coco.json, dataset_flickr30k.json, dataset_flickr8k.json.
func parseKarpathy(path string, data []byte) (*Set, error) {
	var file struct {
		Dataset string
		Images  []struct {
			Filename, Filepath, Split string
			COCOID                    id `json:"cocoid"`
			Sentences                 []struct{ Raw *string }
		}
	}
	if err := unmarshal(path, data, &file, wantKarpathy); err != nil {
		return nil, err
	}
	if len(file.Images) == 0 {
		return nil, fault(path, "", `no "images": want %s`, wantKarpathy)
	}
	s := &Set{Format: Karpathy, Name: file.Dataset, Images: make([]Image, len(file.Images))}
	for i, f := range file.Images {
		place := fmt.Sprintf("images[%d]", i)
		switch {
		case f.Filename == "" && f.COCOID == "" && len(file.Images) > 1 && f.Split != Train && f.Split != Restval:
			return nil, fault(path, place, `no "filename": want the picture's name`)
		case f.Split == "":
			return nil, fault(path, place, `no "split": want train, restval, val or test`)
		case len(f.Sentences) == 0:
			return nil, fault(path, place, `no "sentences": want at least one`)
		}
		im := Image{ID: string(f.COCOID), Name: f.Filename, Folder: f.Filepath, Split: f.Split, Captions: make([]string, 0, len(f.Sentences))}
		if im.ID == "" && strings.HasPrefix(f.Filename, "COCO_") {
			im.ID = cocoID(f.Filename)
		}
		for k, sentence := range f.Sentences {
			at := fmt.Sprintf("%s.sentences[%d]", place, k)
			if sentence.Raw == nil {
				return nil, fault(path, at, `no "raw": want the caption as it was written`)
			}
			var err error
			if im.Captions, err = add(im.Captions, *sentence.Raw, path, at); err != nil {
				return nil, err
			}
		}
		s.Images[i] = im
	}
	return s, nil
}

// add appends a caption; an empty one is refused.
func add(captions []string, text, path, place string) ([]string, error) {
	if text = clean(text); text == "" {
		return nil, fault(path, place, "the caption is empty: want a text")
	}
	return append(captions, text), nil
}

// cocoID is the number at the end of a name of COCO's: COCO_val2014_000000391895.jpg is image 391895.
func cocoID(name string) string {
	name = base(name)
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		name = name[:dot]
	}
	n, err := strconv.ParseUint(name[strings.LastIndexByte(name, '_')+1:], 10, 64)
	if err != nil {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

const wantCOCO = `{"images": [{"id", "file_name"}], "annotations": [{"image_id", "caption"}]}`

// parseCOCO reads COCO's captions, and nocaps' as its site gives them (with "domain").
func parseCOCO(path string, data []byte) (*Set, error) {
	var file struct {
		Images []struct {
			ID       id
			FileName string `json:"file_name"`
			Domain   string
		}
		Annotations []struct {
			ID      id
			ImageID id `json:"image_id"`
			Caption *string
		}
	}
	if err := unmarshal(path, data, &file, wantCOCO); err != nil {
		return nil, err
	}
	if len(file.Annotations) == 0 {
		return nil, fault(path, "", `no "annotations": want %s, or another form of captions`, wantCOCO)
	}
	s := &Set{Format: COCO}
	at := make(map[id]int, len(file.Images))
	for i, im := range file.Images {
		if im.ID == "" {
			return nil, fault(path, fmt.Sprintf("images[%d]", i), `no "id"`)
		}
		if first, ok := at[im.ID]; ok {
			return nil, fault(path, fmt.Sprintf("images[%d]", i), "image %s is listed twice, first as images[%d]", im.ID, first)
		}
		at[im.ID] = i
		s.Images = append(s.Images, Image{ID: string(im.ID), Name: im.FileName, Split: strings.ReplaceAll(im.Domain, "-", "_")})
	}
	ids := make(map[id]int, len(file.Annotations))
	for i, a := range file.Annotations {
		place := fmt.Sprintf("annotations[%d]", i)
		if first, ok := ids[a.ID]; ok && a.ID != "" {
			return nil, fault(path, place, "id %s is listed twice, first as annotations[%d]", a.ID, first)
		}
		ids[a.ID] = i
		if a.ImageID == "" {
			return nil, fault(path, place, `no "image_id"`)
		}
		if a.Caption == nil {
			return nil, fault(path, place, `no "caption": want a text (is this a file of boxes or of questions?)`)
		}
		k, ok := at[a.ImageID]
		switch {
		case !ok && file.Images != nil:
			return nil, fault(path, place, `image_id %s is not among "images"`, a.ImageID)
		case !ok:
			k, at[a.ImageID] = len(s.Images), len(s.Images)
			s.Images = append(s.Images, Image{ID: string(a.ImageID)})
		}
		var err error
		if s.Images[k].Captions, err = add(s.Images[k].Captions, *a.Caption, path, place); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// parseByName reads {"name.jpg": ["caption", …]}, ViECap's annotations, in the order of the file.
func parseByName(path string, data []byte) (*Set, error) {
	const want = `{"name.jpg": ["caption", …]}`
	var all map[string][]string
	if err := unmarshal(path, data, &all, want); err != nil {
		return nil, err
	}
	s := &Set{Format: ByName}
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil && !errors.Is(err, io.EOF) {
		return nil, &Fault{Path: path, Err: err}
	}
	for d.More() { // again, as a map has neither order nor doubles
		key, err := d.Token()
		if err != nil {
			return nil, &Fault{Path: path, Err: err}
		}
		var captions []string
		if err := d.Decode(&captions); err != nil {
			return nil, &Fault{Path: path, Err: err}
		}
		name := fmt.Sprint(key)
		im := Image{Name: name}
		if strings.HasPrefix(name, "COCO_") {
			im.ID = cocoID(name)
		}
		for k, c := range captions {
			if im.Captions, err = add(im.Captions, c, path, fmt.Sprintf("%q[%d]", name, k)); err != nil {
				return nil, err
			}
		}
		if len(im.Captions) == 0 {
			return nil, fault(path, strconv.Quote(name), "no captions: want at least one")
		}
		s.Images = append(s.Images, im)
	}
	return s, nil
}

// parseTexts reads ["caption", …], DeCap's coco_train.json.
func parseTexts(path string, data []byte) (*Set, error) {
	var all []string
	if err := unmarshal(path, data, &all, `["caption", …]`); err != nil {
		return nil, err
	}
	s := &Set{Format: Texts}
	for i, c := range all {
		captions, err := add(nil, c, path, fmt.Sprintf("[%d]", i))
		if err != nil {
			return nil, err
		}
		s.Images = append(s.Images, Image{Captions: captions})
	}
	return s, nil
}

// texts is one text or a list of them.
type texts []string

func (x *texts) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*x = make(texts, 1)
		return json.Unmarshal(b, &(*x)[0])
	}
	return json.Unmarshal(b, (*[]string)(x))
}

// parseObjects reads a list of objects: ViECap's nocaps corpus, MAGIC's result files (whose captions are the references), COCO result files.
// Objects of the same image follow each other or stand apart; their captions go together.
func parseObjects(path string, data []byte) (*Set, error) {
	const want = `[{"image_id" or "image_name", "caption" or "captions"}]`
	var all []struct {
		Split     string
		ImageID   id     `json:"image_id"`
		ImageName string `json:"image_name"`
		Image     string
		ImgID     id `json:"img_id"`
		Caption   texts
		Captions  texts
	}
	if err := unmarshal(path, data, &all, want); err != nil {
		return nil, err
	}
	s := &Set{Format: Objects}
	at := map[string]int{}
	for i, o := range all {
		place := fmt.Sprintf("[%d]", i)
		captions := append(o.Captions, o.Caption...)
		if len(captions) == 0 && o.ImgID != "" {
			return nil, fault(path, place, "names of images and no captions: want %s", want)
		}
		if len(captions) == 0 {
			return nil, fault(path, place, "no captions: want %s", want)
		}
		im := Image{ID: string(o.ImageID), Name: o.ImageName, Split: o.Split}
		if im.Name == "" {
			im.Name = o.Image
		}
		if isImage(im.ID) { // ViECap's nocaps has "0.jpg" for an id
			im.Name, im.ID = im.ID, strings.TrimSuffix(im.ID, im.ID[strings.LastIndexByte(im.ID, '.'):])
		}
		if im.ID == "" && strings.HasPrefix(im.Name, "COCO_") {
			im.ID = cocoID(im.Name)
		}
		if im.Key() == "" {
			return nil, fault(path, place, "no image: want %s", want)
		}
		k, ok := at[im.Key()]
		if ok && len(captions) > 1 {
			return nil, fault(path, place, "image %q is listed twice, first as [%d]", im.Key(), k)
		}
		if !ok {
			k, at[im.Key()] = len(s.Images), len(s.Images)
			s.Images = append(s.Images, im)
		}
		for _, c := range captions {
			var err error
			if s.Images[k].Captions, err = add(s.Images[k].Captions, c, path, place); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}
