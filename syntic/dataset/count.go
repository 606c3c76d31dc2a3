package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// Count is what one split holds.
type Count struct {
	Split    string `json:"split"`
	Images   int    `json:"images"` // that have a name or id
	Captions int    `json:"captions"`
	Words    int    `json:"words"`    // parted by blanks
	Distinct int    `json:"distinct"` // in lower case, without signs around them
	Longest  int    `json:"longest"`  // words of the longest caption
	// SHA256 is that of the lines "key TAB caption", sorted, each with a line break, where key is the image's id, or its name without folder
	// and ending. So the same captions have the same hash in every format and order.
	SHA256 string `json:"sha256"`
}

// Counts counts each split, and all of them together if there are several; the total's split is "all".
func (s *Set) Counts() []Count {
	names := s.Splits()
	var out []Count
	for _, name := range names {
		out = append(out, count(name, slices.DeleteFunc(slices.Clone(s.Images), func(im Image) bool { return im.Split != name })))
	}
	if len(names) > 1 {
		out = append(out, count("all", s.Images))
	}
	return out
}

func count(split string, images []Image) Count {
	c := Count{Split: split}
	words := map[string]bool{}
	var lines []string
	for i := range images {
		key := images[i].hashKey()
		if key != "" {
			c.Images++
		}
		for _, caption := range images[i].Captions {
			c.Captions++
			lines = append(lines, key+"\t"+caption)
			n := 0
			for w := range strings.FieldsSeq(caption) {
				n++
				if w = strings.Trim(strings.ToLower(w), `.,;:!?"'()`); w != "" {
					words[w] = true
				}
			}
			c.Words, c.Longest = c.Words+n, max(c.Longest, n)
		}
	}
	c.Distinct = len(words)
	slices.Sort(lines)
	h := sha256.New()
	for _, l := range lines {
		h.Write([]byte(l))
		h.Write([]byte{'\n'})
	}
	c.SHA256 = hex.EncodeToString(h.Sum(nil))
	return c
}

// hashKey is what an image is called in every format.
func (im *Image) hashKey() string {
	if im.ID != "" {
		return im.ID
	}
	name := base(im.Name)
	if dot := strings.LastIndexByte(name, '.'); dot > 0 {
		name = name[:dot]
	}
	if name == "." {
		return ""
	}
	return name
}
