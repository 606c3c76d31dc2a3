package bpe

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// vocabulary is what a tokenizer's folder tells.
type vocabulary struct {
	ids    map[string]int32
	merges [][2]string
	added  map[string]int32 // tokens that are looked for in raw text
}

// clip tells CLIP's vocabularies, in which pieces end words, from GPT-2's.
func (v *vocabulary) clip() bool {
	_, ok := v.ids["a"+wordEnd]
	return ok
}

// IsCLIP tells whether a folder's tokenizer is CLIP's, for [Load], and not GPT-2's, for [LoadGPT2]. The error names the file that cannot be read.
func IsCLIP(dir string) (bool, error) {
	v, err := readVocabulary(dir)
	if err != nil {
		return false, fmt.Errorf("bpe: %w", err)
	}
	return v.clip(), nil
}

// readVocabulary reads vocab.json and merges.txt, with added_tokens.json where there is one; or tokenizer.json.
func readVocabulary(dir string) (*vocabulary, error) {
	path := filepath.Join(dir, "vocab.json")
	text, err := readLimited(path)
	if errors.Is(err, fs.ErrNotExist) {
		v, e := readTokenizerJSON(filepath.Join(dir, "tokenizer.json"))
		if errors.Is(e, fs.ErrNotExist) {
			return nil, err
		}
		return v, e
	}
	if err != nil {
		return nil, err
	}
	v := &vocabulary{added: map[string]int32{}}
	if err := json.Unmarshal(text, &v.ids); err != nil {
		return nil, fmt.Errorf("%s: %w: want an object of piece to id", path, err)
	}
	if text, err = readLimited(filepath.Join(dir, "merges.txt")); err != nil {
		return nil, err
	}
	if v.merges, err = parseMerges(text, -1); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if id, ok := v.ids[endText]; ok {
		v.added[endText] = id
	}
	path = filepath.Join(dir, "added_tokens.json")
	switch text, err := readLimited(path); {
	case err == nil:
		var more map[string]int32
		if err := json.Unmarshal(text, &more); err != nil {
			return nil, fmt.Errorf("%s: %w: want an object of token to id", path, err)
		}
		for token, id := range more {
			if token == "" {
				return nil, fmt.Errorf("%s: an empty token", path)
			}
			v.ids[token], v.added[token] = id, id
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return v, nil
}

// readTokenizerJSON reads the one file in which the tokenizers library keeps a tokenizer.
func readTokenizerJSON(path string) (*vocabulary, error) {
	text, err := readLimited(path)
	if err != nil {
		return nil, err
	}
	var file struct {
		Added []struct {
			ID      int32  `json:"id"`
			Content string `json:"content"`
		} `json:"added_tokens"`
		Model struct {
			Type   string            `json:"type"`
			Vocab  map[string]int32  `json:"vocab"`
			Merges []json.RawMessage `json:"merges"`
		} `json:"model"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if file.Model.Type != "BPE" || file.Model.Vocab == nil {
		return nil, fmt.Errorf("%s: model.type %q: want BPE with a vocab", path, file.Model.Type)
	}
	v := &vocabulary{ids: file.Model.Vocab, added: map[string]int32{}}
	for i, m := range file.Model.Merges { // "a b", or ["a", "b"] in newer files
		var pair []string
		var one string
		if json.Unmarshal(m, &one) == nil {
			pair = strings.Split(one, " ")
		} else if err := json.Unmarshal(m, &pair); err != nil {
			return nil, fmt.Errorf("%s: merge %d: %w", path, i, err)
		}
		if len(pair) != 2 || pair[0] == "" || pair[1] == "" {
			return nil, fmt.Errorf("%s: merge %d: %.40q: want two pieces", path, i, pair)
		}
		v.merges = append(v.merges, [2]string{pair[0], pair[1]})
	}
	for _, a := range file.Added {
		if a.Content == "" {
			return nil, fmt.Errorf("%s: added_tokens: an empty token", path)
		}
		v.ids[a.Content], v.added[a.Content] = a.ID, a.ID
	}
	return v, nil
}
