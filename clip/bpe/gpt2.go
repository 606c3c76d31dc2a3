package bpe

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
)

// GPT2 is the byte-level tokenizer of GPT-2 (Radford et al. 2019, section 2.2): text as it is, cut into words with the blank before them, words'
// UTF-8 bytes joined by the learnt merges. Ids are those of Hugging Face's GPT2Tokenizer. It is safe for concurrent use.
type GPT2 struct {
	t       *Tokenizer // merges and pieces; none ends in </w>
	special []added    // longest first
}

// added is a token that is looked for in the text before it is split.
type added struct {
	text string
	id   int32
}

//go:embed gpt2.txt.gz
var embeddedGPT2 []byte

// loadOwnGPT2 reads GPT-2's own merges, from which its ids follow: bytes, merges in order, <|endoftext|>.
var loadOwnGPT2 = sync.OnceValues(func() (*GPT2, error) {
	z, err := gzip.NewReader(bytes.NewReader(embeddedGPT2))
	if err != nil {
		return nil, err
	}
	text, err := limited(z, "embedded gpt2.txt.gz")
	if err != nil {
		return nil, err
	}
	merges, err := parseMerges(text, -1)
	if err != nil {
		return nil, err
	}
	v := &vocabulary{ids: make(map[string]int32, 257+len(merges)), merges: merges}
	for i, r := range visible {
		v.ids[string(r)] = int32(i)
	}
	for i, m := range merges {
		v.ids[m[0]+m[1]] = int32(256 + i)
	}
	v.ids[endText] = int32(256 + len(merges))
	v.added = map[string]int32{endText: v.ids[endText]}
	return v.gpt2("embedded gpt2.txt.gz")
})

// OwnGPT2 is the tokenizer of OpenAI's GPT-2 models of all sizes (50,257 ids), from the embedded merges (vocab.bpe of openai/gpt-2, MIT licence).
func OwnGPT2() (*GPT2, error) {
	g, err := loadOwnGPT2()
	if err != nil {
		return nil, fmt.Errorf("bpe: %w", err)
	}
	return g, nil
}

// LoadGPT2 reads a tokenizer folder: vocab.json and merges.txt, or tokenizer.json where they are not there. The error names the file and what is
// wrong in it.
func LoadGPT2(dir string) (*GPT2, error) {
	g, err := loadGPT2(dir)
	if err != nil {
		return nil, fmt.Errorf("bpe: %w", err)
	}
	return g, nil
}

func loadGPT2(dir string) (*GPT2, error) {
	if st, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !st.IsDir() {
		return nil, fmt.Errorf("%s: want a folder with vocab.json and merges.txt, or tokenizer.json", dir)
	}
	v, err := readVocabulary(dir)
	if err != nil {
		return nil, err
	}
	return v.gpt2(dir)
}

// gpt2 builds the tables; the error names the place where the vocabulary is from.
func (v *vocabulary) gpt2(dir string) (*GPT2, error) {
	if v.clip() {
		return nil, fmt.Errorf("%s: pieces end in %s: this is CLIP's tokenizer, not GPT-2's", dir, wordEnd)
	}
	t, err := newTable(v.ids, v.merges)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	var errs []error
	for i, r := range visible {
		id, ok := v.ids[string(r)]
		if !ok && errs == nil {
			errs = append(errs, fmt.Errorf("%s: vocabulary: no piece %q for byte 0x%02x", dir, r, byteOrder[i]))
		}
		t.bytes[byteOrder[i]], t.finals[byteOrder[i]] = id, id
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	g := &GPT2{t: t}
	for _, text := range slices.SortedFunc(maps.Keys(v.added), func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	}) {
		g.special = append(g.special, added{text, v.added[text]})
	}
	t.start, t.end = -1, -1
	if id, ok := v.ids[endText]; ok {
		t.start, t.end = id, id
	}
	return g, nil
}

// Size is the number of ids, special ones included: 50,257 for GPT-2's own vocabulary.
func (g *GPT2) Size() int { return len(g.t.pieces) }

// End is the id of <|endoftext|>, which also starts texts; -1 if the vocabulary has none.
func (g *GPT2) End() int32 { return g.t.end }

// Encode gives the ids of a text. Text that spells a special token yields its id. Bytes that are not UTF-8 count as U+FFFD.
func (g *GPT2) Encode(text string) []int32 {
	text = strings.ToValidUTF8(text, "\ufffd")
	var ids []int32
	for text != "" {
		at, next := len(text), added{}
		for _, a := range g.special {
			if i := strings.Index(text, a.text); i >= 0 && i < at { // of those that begin together the longest, which comes first
				at, next = i, a
			}
		}
		for rest := text[:at]; rest != ""; {
			n := gpt2Word(rest)
			ids = g.t.appendWord(ids, rest[:n])
			rest = rest[n:]
		}
		if next.text == "" {
			return ids
		}
		ids, text = append(ids, next.id), text[at+len(next.text):]
	}
	return ids
}

// EncodeCut is Encode, cut to at most length ids as transformers' truncation does: the first ones stay, no end is added.
func (g *GPT2) EncodeCut(text string, length int) []int32 {
	ids := g.Encode(text)
	return ids[:min(len(ids), max(length, 0))]
}

// Decode gives the text of ids, special tokens spelt out. Bytes that are not UTF-8 become U+FFFD; ids the vocabulary does not have are left out.
func (g *GPT2) Decode(ids []int32) string {
	var b []byte
	for _, id := range ids {
		if id < 0 || int(id) >= len(g.t.pieces) {
			continue
		}
		if i := slices.IndexFunc(g.special, func(a added) bool { return a.id == id }); i >= 0 {
			b = append(b, g.special[i].text...)
			continue
		}
		for _, r := range g.t.pieces[id] {
			if c, ok := byteOf[r]; ok {
				b = append(b, c)
			}
		}
	}
	return validUTF8(b)
}

// gpt2Word is the length of the first word of a text that is not empty. It is GPT-2's pattern
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// by hand: a contraction; a run of letters, of numbers or of marks, with one blank before it; a run of white space, which leaves its last
// character to what follows, if anything does.
func gpt2Word(s string) int {
	if s[0] == '\'' {
		for _, w := range [7]string{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"} {
			if strings.HasPrefix(s, w) {
				return len(w)
			}
		}
	}
	blank := 0
	if s[0] == ' ' {
		blank = 1
	}
	if blank < len(s) {
		if c, n := classAt(s[blank:]); c != space {
			return blank + n + run(s[blank+n:], c)
		}
	}
	_, first := classAt(s)
	n, last := first, first // of the white space, and of its last character
	for n < len(s) {
		c, k := classAt(s[n:])
		if c != space {
			if n > last {
				return n - last
			}
			return n
		}
		n, last = n+k, k
	}
	return n
}

// run is how many bytes at the start of s are characters of a class.
func run(s string, c class) (n int) {
	for n < len(s) {
		d, k := classAt(s[n:])
		if d != c {
			break
		}
		n += k
	}
	return n
}
