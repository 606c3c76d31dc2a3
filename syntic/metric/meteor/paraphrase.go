package meteor

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxPhrase is the most words that a phrase of METEOR's English table has.
const maxPhrase = 7

// phraseTable maps a phrase, words parted by spaces, to its paraphrases.
type phraseTable map[string][]phrase

type phrase []int32 // word ids; -1 is a word that occurs nowhere

// filter tells phrases that may occur in a text from those that do not, by 2^24 bits of their hashes.
type filter []uint64

func newFilter() filter { return make(filter, 1<<24/64) }

const (
	hashSeed  = 0xcbf29ce484222325 // FNV-1a
	hashPrime = 0x100000001b3
)

func hashMore(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * hashPrime
	}
	return h
}

func (f filter) add(h uint64) { f[h>>40/64] |= 1 << (h >> 40 % 64) }

// addPhrases adds every run of at most maxPhrase words.
func (f filter) addPhrases(words []string) {
	for i := range words {
		h := uint64(hashSeed)
		for n, w := range words[i:min(i+maxPhrase, len(words))] {
			if n > 0 {
				h = hashMore(h, " ")
			}
			h = hashMore(h, w)
			f.add(h)
		}
	}
}

func (f filter) has(phrase []byte) bool {
	h := uint64(hashSeed)
	for _, c := range phrase {
		h = (h ^ uint64(c)) * hashPrime
	}
	return f[h>>40/64]>>(h>>40%64)&1 != 0
}

// pair is an entry of the table: a paraphrases b, and b paraphrases a.
type pair struct{ a, b string }

// readPairs reads a paraphrase table and keeps the pairs of which one phrase may occur in the candidates and the other in the
// references. A table is lines of three: probability, phrase, paraphrase.
func readPairs(r io.Reader, cands, refs filter) ([]pair, error) {
	var pairs []pair
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 1<<20), 1<<20)
	n := 0
	var a []byte
	for s.Scan() {
		line := s.Bytes()
		switch n % 3 {
		case 0:
			if len(line) == 0 || line[0] < '0' || line[0] > '9' {
				return nil, fmt.Errorf("line %d: %.40q: want a probability: not a METEOR paraphrase table", n+1, line)
			}
		case 1:
			a = append(a[:0], line...)
		case 2:
			if cands.has(a) && refs.has(line) || refs.has(a) && cands.has(line) {
				pairs = append(pairs, pair{string(a), string(line)})
			}
		}
		n++
	}
	switch {
	case s.Err() != nil:
		return nil, fmt.Errorf("line %d: %w", n+1, s.Err())
	case n == 0 || n%3 != 0:
		return nil, fmt.Errorf("ends after %d lines: want three for each pair: the file is cut short", n)
	}
	return pairs, nil
}

// tableNames are where a paraphrase table lies under the folder of METEOR, of its jar, or of pycocoevalcap.
var tableNames = []string{"paraphrase-en.gz", "data/paraphrase-en.gz", "meteor/data/paraphrase-en.gz", "pycocoevalcap/meteor/data/paraphrase-en.gz"}

// FindTable gives the path of the English paraphrase table that path leads to: the table itself (paraphrase-en.gz or its text),
// the folder of METEOR, or meteor-1.5.jar, which holds the table or has it beside it in data. The second result names the entry of a jar.
func FindTable(path string) (file, entry string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", "", err
	}
	folder := path
	if !info.IsDir() {
		if ext := strings.ToLower(filepath.Ext(path)); ext != ".jar" && ext != ".zip" && ext != ".whl" {
			return path, "", nil
		}
		z, err := zip.OpenReader(path)
		if err != nil {
			return "", "", fmt.Errorf("%s: %w", path, err)
		}
		defer z.Close()
		for _, name := range tableNames {
			if f, err := z.Open(name); err == nil {
				f.Close()
				return path, name, nil
			}
		}
		folder = filepath.Dir(path)
	}
	for _, name := range tableNames {
		file := filepath.Join(folder, filepath.FromSlash(name))
		if _, err := os.Stat(file); err == nil {
			return file, "", nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", "", err
		}
	}
	return "", "", fmt.Errorf("%s: no paraphrase table: want data/paraphrase-en.gz in METEOR's folder, beside its jar or in it", path)
}

// loadPairs reads the pairs of the table that path leads to.
func loadPairs(path string, cands, refs filter) ([]pair, error) {
	file, entry, err := FindTable(path)
	if err != nil {
		return nil, err
	}
	var r io.ReadCloser
	if entry != "" {
		z, err := zip.OpenReader(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		defer z.Close()
		if r, err = z.Open(entry); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", file, entry, err)
		}
	} else if r, err = os.Open(file); err != nil {
		return nil, err
	}
	defer r.Close()
	pairs, err := readMaybeZipped(r, cands, refs)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(file, entry), err)
	}
	return pairs, nil
}

// readMaybeZipped unzips in a goroutine of its own, so that it takes two cores.
func readMaybeZipped(r io.Reader, cands, refs filter) ([]pair, error) {
	b := bufio.NewReaderSize(r, 1<<20)
	if head, _ := b.Peek(2); !bytes.Equal(head, []byte{0x1f, 0x8b}) {
		return readPairs(b, cands, refs)
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return nil, err
	}
	in, out := io.Pipe()
	go func() {
		w := bufio.NewWriterSize(out, 1<<18)
		_, err := io.Copy(w, z)
		if err == nil {
			err = w.Flush()
		}
		out.CloseWithError(err)
	}()
	defer in.Close()
	return readPairs(in, cands, refs)
}
