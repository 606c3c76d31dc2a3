package dataset

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var tokenLine = regexp.MustCompile(`^[^\t#]+#\d+\t`)

// recogniseText looks at the first line that is not blank.
func recogniseText(text []byte) Format {
	first, _, _ := bytes.Cut(text, []byte("\n"))
	head := strings.TrimSpace(string(first))
	_, address, tab := strings.Cut(head, "\t")
	switch {
	case tokenLine.MatchString(head):
		return Tokens
	case pipesHead(head) != "":
		return Pipes
	case tab && (strings.HasPrefix(address, "http://") || strings.HasPrefix(address, "https://")):
		return CC3M
	case strings.HasPrefix(head, "<S>"):
		return SS1M
	}
	return Lines
}

// pipesHead gives what parts the columns of a file that begins so; empty if it is none of them.
func pipesHead(line string) string {
	switch strings.ReplaceAll(line, " ", "") {
	case "image_name|comment_number|comment":
		return "|"
	case "image,caption":
		return ","
	}
	return ""
}

// parseText reads the formats of one caption a line. Blank lines do not count.
func parseText(path string, data []byte, format Format) (*Set, error) {
	r := &textReader{path: path, set: &Set{Format: format}, at: map[string]int{}, seen: map[string]int{}}
	n := 0
	for row := range bytes.SplitSeq(data, []byte("\n")) {
		n++
		text := strings.TrimRight(string(row), "\r")
		if strings.TrimSpace(text) == "" {
			continue
		}
		if err := r.row(n, text); err != nil {
			return nil, err
		}
	}
	return r.set, nil
}

type textReader struct {
	path  string
	set   *Set
	at    map[string]int // name of an image to its place
	seen  map[string]int // "name#k" to its line
	comma string         // what parts the columns of Pipes
}

func (r *textReader) row(n int, text string) error {
	place := fmt.Sprintf("line %d", n)
	switch r.set.Format {
	case Tokens:
		key, caption, ok := strings.Cut(text, "\t")
		name, _, numbered := strings.Cut(key, "#")
		if !ok || !numbered {
			return fault(r.path, place, "%.60q: want name.jpg#k, a tab, the caption", text)
		}
		return r.ofImage(n, key, name, caption)
	case Pipes:
		if r.comma == "" {
			if r.comma = pipesHead(strings.TrimSpace(text)); r.comma == "" {
				return fault(r.path, place, "%.60q: want the head image_name| comment_number| comment, or image,caption", text)
			}
			return nil
		}
		name, caption, ok := strings.Cut(text, r.comma)
		key := ""
		if ok && r.comma == "|" {
			key = name
			var number string
			number, caption, ok = strings.Cut(caption, "|")
			key += "#" + strings.TrimSpace(number)
		}
		if !ok {
			return fault(r.path, place, "%.60q: want as many columns as the head has", text)
		}
		return r.ofImage(n, key, strings.TrimSpace(name), unquoted(caption))
	case CC3M:
		caption, _, ok := strings.Cut(text, "\t") // the addresses are often dead, and repeat
		if !ok {
			return fault(r.path, place, "%.60q: want a caption, a tab, the picture's address", text)
		}
		return r.alone(place, caption)
	case SS1M:
		return r.alone(place, unmarked(text))
	}
	if words := strings.Fields(text); n == 1 && len(words) <= 2 && isImage(words[0]) {
		return fault(r.path, place, "%.60q: names of images and no captions: want a caption a line", text)
	}
	return r.alone(place, text)
}

// unquoted takes a CSV cell's quotes off.
func unquoted(cell string) string {
	cell = strings.TrimSpace(cell)
	if len(cell) > 1 && cell[0] == '"' && cell[len(cell)-1] == '"' {
		return strings.ReplaceAll(cell[1:len(cell)-1], `""`, `"`)
	}
	return cell
}

// unmarked takes the marks of begin and end off a sentence of SS1M.
func unmarked(text string) string {
	text = strings.TrimPrefix(strings.TrimSpace(text), "<S>")
	return strings.TrimSuffix(strings.TrimSpace(text), "</S>")
}

// ofImage adds a caption of an image; key, unless empty, may not come twice.
func (r *textReader) ofImage(n int, key, name, caption string) error {
	place := "line " + strconv.Itoa(n)
	if first, ok := r.seen[key]; ok && key != "" {
		return fault(r.path, place, "%q is listed twice, first in line %d", key, first)
	}
	r.seen[key] = n
	k, ok := r.at[name]
	if !ok {
		k, r.at[name] = len(r.set.Images), len(r.set.Images)
		r.set.Images = append(r.set.Images, Image{Name: name})
	}
	var err error
	r.set.Images[k].Captions, err = add(r.set.Images[k].Captions, caption, r.path, place)
	return err
}

// maxLine bounds a caption on a line, in bytes.
const maxLine = 1 << 20

// alone adds a caption without an image of its own.
func (r *textReader) alone(place, caption string) error {
	if len(caption) > maxLine {
		return fault(r.path, place, "%d bytes: want a caption of at most %d", len(caption), maxLine)
	}
	captions, err := add(nil, caption, r.path, place)
	if err != nil {
		return err
	}
	r.set.Images = append(r.set.Images, Image{Captions: captions})
	return nil
}
