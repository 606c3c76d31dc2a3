package syntic

import (
	"fmt"
	"slices"
)

// Vocabulary maps ids of a tokenizer to the rows of a decoder's embedding table and back. Few of CLIP's 49,408 ids occur in the captions
// of a corpus; a decoder that knows only those has a table, and an output layer, of their number.
type Vocabulary struct {
	ids []int32 // rising; row i of the table is id ids[i]
	end int32   // row of the end of the text
	row map[int32]int32
}

// NewVocabulary knows the ids that occur in captions, and end.
func NewVocabulary(captions [][]int32, end int32) *Vocabulary {
	seen := map[int32]bool{end: true}
	ids := []int32{end}
	for _, c := range captions {
		for _, id := range c {
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return vocabulary(ids, end)
}

// FullVocabulary knows the ids 0..size-1. It panics unless end is one of them.
func FullVocabulary(size int, end int32) *Vocabulary {
	if end < 0 || int(end) >= size {
		panic(fmt.Sprintf("syntic: end id %d of %d ids", end, size))
	}
	ids := make([]int32, size)
	for i := range ids {
		ids[i] = int32(i)
	}
	return vocabulary(ids, end)
}

// vocabulary takes rising ids that contain end.
func vocabulary(ids []int32, end int32) *Vocabulary {
	v := &Vocabulary{ids: ids, row: make(map[int32]int32, len(ids))}
	for i, id := range ids {
		v.row[id] = int32(i)
	}
	v.end = v.row[end]
	return v
}

// Size is the number of rows.
func (v *Vocabulary) Size() int { return len(v.ids) }

// End is the tokenizer's id of the end of the text.
func (v *Vocabulary) End() int32 { return v.ids[v.end] }

// IDs is the tokenizer's id of each row, rising; not to be changed.
func (v *Vocabulary) IDs() []int32 { return v.ids }

// rows turns a caption, ids without start and end, into rows: the caption and the end, cut to length rows.
func (v *Vocabulary) rows(caption []int32, length int) ([]int32, error) {
	out := make([]int32, 0, min(len(caption)+1, length))
	for i, id := range caption {
		r, ok := v.row[id]
		if !ok {
			return nil, fmt.Errorf("token %d: id %d is not in the vocabulary of %d ids", i, id, len(v.ids))
		}
		if len(out) < length {
			out = append(out, r)
		}
	}
	if len(out) < length {
		out = append(out, v.end)
	}
	return out, nil
}

// caption turns rows into ids, up to the end.
func (v *Vocabulary) caption(rows []int32) []int32 {
	out := make([]int32, 0, len(rows))
	for _, r := range rows {
		if r == v.end {
			break
		}
		out = append(out, v.ids[r])
	}
	return out
}
