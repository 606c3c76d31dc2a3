package bpe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"syntic/tensor/wholefile"
)

// Save writes vocab.json and merges.txt into an existing folder, as Load and Hugging Face's CLIPTokenizer read them. Each file appears
// whole or not at all; the bytes depend on the vocabulary alone.
func (t *Tokenizer) Save(dir string) error {
	var vocab bytes.Buffer
	sep := "{"
	for id, p := range t.pieces {
		if p == "" {
			continue
		}
		var q strings.Builder
		e := json.NewEncoder(&q)
		e.SetEscapeHTML(false)
		_ = e.Encode(p) // a string cannot fail
		fmt.Fprintf(&vocab, "%s%s: %d", sep, strings.TrimSuffix(q.String(), "\n"), id)
		sep = ", "
	}
	vocab.WriteString("}")
	merges := bytes.NewBufferString("#version: 0.2\n")
	for _, key := range slices.SortedFunc(maps.Keys(t.merges), func(a, b uint64) int { return int(t.merges[a].rank - t.merges[b].rank) }) {
		fmt.Fprintf(merges, "%s %s\n", t.pieces[key>>32], t.pieces[uint32(key)])
	}
	for name, b := range map[string][]byte{"vocab.json": vocab.Bytes(), "merges.txt": merges.Bytes()} {
		if err := wholefile.WriteBytes(filepath.Join(dir, name), b); err != nil {
			return fmt.Errorf("bpe: save: %w", err)
		}
	}
	return nil
}
