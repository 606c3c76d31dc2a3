package bpe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
		if err := replaceFile(filepath.Join(dir, name), b); err != nil {
			return fmt.Errorf("bpe: save: %w", err)
		}
	}
	return nil
}

// replaceFile writes beside path, syncs and renames.
func replaceFile(path string, b []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	_, err = tmp.Write(b)
	if err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}
