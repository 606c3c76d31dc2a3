package bpe

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode/utf8"
)

// maxVocabFile bounds what a vocabulary file may unpack to, in bytes; CLIP's own is 3 MB.
const maxVocabFile = 64 << 20

// clipMerges is how many lines of bpe_simple_vocab_16e6.txt CLIP uses: 49,408 ids less 512 bytes and 2 special tokens.
const clipMerges = 49408 - 512 - 2

//go:embed merges.txt.gz
var embeddedMerges []byte

var loadDefault = sync.OnceValues(func() (*Tokenizer, error) {
	t, err := readMergesGz(bytes.NewReader(embeddedMerges), "embedded merges.txt.gz")
	if err != nil {
		return nil, fmt.Errorf("bpe: %w", err)
	}
	return t, nil
})

// CLIP is the tokenizer of all of OpenAI's CLIP models (49,408 ids), from the embedded vocabulary. Each call gives a Tokenizer with
// its own cache; the tables are shared.
func CLIP(clean Cleaning) (*Tokenizer, error) {
	t, err := loadDefault()
	if err != nil {
		return nil, err
	}
	return &Tokenizer{Clean: clean, pieces: t.pieces, ids: t.ids, start: t.start, end: t.end, bytes: t.bytes, finals: t.finals,
		merges: t.merges, words: map[string][]int32{}}, nil
}

// Load reads a tokenizer folder (vocab.json and merges.txt, or tokenizer.json) or, where path is a file, openai/CLIP's bpe_simple_vocab_16e6.txt.gz.
// The error names the file and what is wrong in it.
func Load(path string, clean Cleaning) (*Tokenizer, error) {
	t, err := load(path)
	if err != nil {
		return nil, fmt.Errorf("bpe: %w", err)
	}
	t.Clean = clean
	return t, nil
}

// ForModel is the tokenizer in a model's folder, or that of all of OpenAI's models where the folder has none: no vocab.json, merges.txt or tokenizer.json.
func ForModel(dir string, clean Cleaning) (*Tokenizer, error) {
	for _, name := range []string{"vocab.json", "merges.txt", "tokenizer.json"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !os.IsNotExist(err) {
			return Load(dir, clean)
		}
	}
	return CLIP(clean)
}

func load(path string) (*Tokenizer, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		fd, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer fd.Close()
		return readMergesGz(fd, path)
	}
	v, err := readVocabulary(path)
	if err != nil {
		return nil, err
	}
	t, err := newTokenizer(v.ids, v.merges)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

func readLimited(path string) ([]byte, error) {
	fd, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer fd.Close()
	return limited(fd, path)
}

func limited(r io.Reader, path string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxVocabFile+1))
	if err == nil && len(b) > maxVocabFile {
		err = fmt.Errorf("larger than %d bytes", maxVocabFile)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// readMergesGz reads gzipped merges alone; the vocabulary follows from them: bytes, final bytes, merges in order, the special tokens.
func readMergesGz(r io.Reader, path string) (*Tokenizer, error) {
	z, err := gzip.NewReader(bufio.NewReader(r))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	text, err := limited(z, path)
	if err != nil {
		return nil, err
	}
	merges, err := parseMerges(text, clipMerges)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	t, err := newTokenizer(idsOf(merges), merges)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// parseMerges reads lines of two pieces below a first line of version; at most limit of them if limit is not negative.
func parseMerges(text []byte, limit int) ([][2]string, error) {
	lines := strings.Split(strings.TrimRight(string(text), "\r\n"), "\n")
	var out [][2]string
	for i, line := range lines[1:] {
		if len(out) == limit {
			break
		}
		a, b, ok := strings.Cut(strings.TrimSuffix(line, "\r"), " ")
		if !ok || a == "" || b == "" || strings.Contains(b, " ") || !utf8.ValidString(line) {
			return nil, fmt.Errorf("merges line %d: %.40q: want two pieces with a space between", i+2, line)
		}
		out = append(out, [2]string{a, b})
	}
	return out, nil
}

// idsOf numbers a vocabulary in CLIP's order.
func idsOf(merges [][2]string) map[string]int32 {
	ids := map[string]int32{}
	for i, r := range visible {
		ids[string(r)], ids[string(r)+wordEnd] = int32(i), int32(256+i)
	}
	for i, m := range merges {
		ids[m[0]+m[1]] = int32(512 + i)
	}
	n := int32(512 + len(merges))
	ids[startText], ids[endText] = n, n+1
	return ids
}

// newTokenizer builds CLIP's tables and checks that they fit together.
func newTokenizer(ids map[string]int32, merges [][2]string) (*Tokenizer, error) {
	t, err := newTable(ids, merges)
	if t == nil {
		return nil, err
	}
	look := func(p string) int32 {
		id, ok := ids[p]
		if !ok && err == nil {
			err = fmt.Errorf("vocabulary: no piece %.40q", p)
		}
		return id
	}
	t.start, t.end = look(startText), look(endText)
	for i, r := range visible {
		t.bytes[byteOrder[i]], t.finals[byteOrder[i]] = look(string(r)), look(string(r)+wordEnd)
	}
	return t, err
}

// newTable builds the tables of pieces and merges.
func newTable(ids map[string]int32, merges [][2]string) (*Tokenizer, error) {
	t := &Tokenizer{ids: ids, merges: make(map[uint64]merge, len(merges)), words: map[string][]int32{}}
	top := int32(-1)
	for p, id := range ids {
		if id < 0 || int(id) > 4*len(ids)+1024 { // a gap or two is fine, an id of a billion is not
			return nil, fmt.Errorf("vocabulary: id %d of %.40q: want 0 to about %d", id, p, len(ids)-1)
		}
		top = max(top, id)
	}
	t.pieces = make([]string, top+1)
	for p, id := range ids {
		if old := t.pieces[id]; old != "" {
			return nil, fmt.Errorf("vocabulary: id %d belongs to both %.40q and %.40q", id, min(p, old), max(p, old))
		}
		t.pieces[id] = p
	}
	var err error
	look := func(p string) int32 {
		id, ok := ids[p]
		if !ok && err == nil {
			err = fmt.Errorf("vocabulary: no piece %.40q", p)
		}
		return id
	}
	for i, m := range merges {
		a, b, c := look(m[0]), look(m[1]), look(m[0]+m[1])
		key := uint64(uint32(a))<<32 | uint64(uint32(b))
		if _, twice := t.merges[key]; twice && err == nil {
			err = fmt.Errorf("merges line %d: %q %q: given twice", i+2, m[0], m[1])
		}
		t.merges[key] = merge{rank: int32(i), id: c}
	}
	return t, err
}

// visible spells each byte as a character that can be printed: byte byteOrder[i] as visible[i]. Bytes that are printable in
// Latin-1 stand for themselves and come first; the others follow from U+0100 on.
var visible, byteOrder, byteOf = func() (vis []rune, order []byte, of map[rune]byte) {
	of = map[rune]byte{}
	printable := func(c int) bool { return c >= '!' && c <= '~' || c >= 0xa1 && c <= 0xac || c >= 0xae }
	for _, plain := range []bool{true, false} {
		for c := range 256 {
			if printable(c) != plain {
				continue
			}
			r := rune(c)
			if !plain {
				r = rune(256 + len(vis) - 188) // 188 bytes are printable
			}
			vis, order, of[r] = append(vis, r), append(order, byte(c)), byte(c)
		}
	}
	return vis, order, of
}()
