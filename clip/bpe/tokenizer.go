package bpe

import (
	"fmt"
	"strings"
	"sync"
)

// Cleaning selects what happens to text before it is split into words.
type Cleaning int

const (
	// OpenAI cleans as openai/CLIP does: broken encodings repaired, HTML entities resolved, whitespace collapsed, lower case.
	// The special tokens' spellings become their ids in any case.
	OpenAI Cleaning = iota
	// HuggingFace cleans as transformers' CLIPTokenizer does: NFC, whitespace collapsed, lower case.
	HuggingFace
)

// Tokenizer turns text into ids and back. It is safe for concurrent use.
type Tokenizer struct {
	Clean Cleaning // OpenAI unless set otherwise, before first use

	pieces []string         // by id, spelt in CLIP's visible characters, with </w> at the end of a word; "" for an unused id
	ids    map[string]int32 // its inverse
	start  int32            // <|startoftext|>
	end    int32            // <|endoftext|>
	bytes  [256]int32       // id of a byte inside a word
	finals [256]int32       // id of a byte that ends a word
	merges map[uint64]merge // by left id << 32 | right id

	mu    sync.RWMutex
	words map[string][]int32 // cache of merged words, emptied when it reaches maxWords
}

const (
	startText = "<|startoftext|>"
	endText   = "<|endoftext|>"
	wordEnd   = "</w>"
	maxWords  = 1 << 16
	maxCached = 64 // bytes of the longest word kept
)

// Size is the number of ids, special ones included: 49,408 for CLIP's own vocabulary.
func (t *Tokenizer) Size() int { return len(t.pieces) }

// Start is the id of <|startoftext|>.
func (t *Tokenizer) Start() int32 { return t.start }

// End is the id of <|endoftext|>.
func (t *Tokenizer) End() int32 { return t.end }

// Encode cleans and splits text into ids, without adding start and end. Text that spells a special token yields its id.
func (t *Tokenizer) Encode(text string) []int32 {
	text = strings.ToValidUTF8(text, "\ufffd")
	if t.Clean == OpenAI {
		return t.appendWords(nil, cleanOpenAI(text), true)
	}
	// Hugging Face looks for special tokens in the raw text and cleans what lies between them.
	var ids []int32
	for {
		at, id, size := len(text), int32(0), 0
		for _, s := range []struct {
			text string
			id   int32
		}{{startText, t.start}, {endText, t.end}} {
			if i := strings.Index(text, s.text); i >= 0 && i < at {
				at, id, size = i, s.id, len(s.text)
			}
		}
		ids = t.appendWords(ids, cleanHuggingFace(text[:at]), false)
		if size == 0 {
			return ids
		}
		ids, text = append(ids, id), text[at+size:]
	}
}

// appendWords splits cleaned text and appends the ids of its words.
func (t *Tokenizer) appendWords(ids []int32, text string, special bool) []int32 {
	for {
		var word string
		if word, text = nextWord(text, special); word == "" {
			return ids
		}
		if special && word == startText {
			ids = append(ids, t.start)
		} else if special && word == endText {
			ids = append(ids, t.end)
		} else {
			ids = t.appendWord(ids, word)
		}
	}
}

// appendWord appends the pieces of one word, from the cache where it can.
func (t *Tokenizer) appendWord(ids []int32, word string) []int32 {
	t.mu.RLock()
	known, ok := t.words[word]
	t.mu.RUnlock()
	if ok {
		return append(ids, known...)
	}
	pieces := t.mergeWord(word)
	if len(word) <= maxCached {
		t.mu.Lock()
		if len(t.words) >= maxWords {
			clear(t.words)
		}
		t.words[strings.Clone(word)] = pieces
		t.mu.Unlock()
	}
	return append(ids, pieces...)
}

// Padding selects how EncodePadded fills and cuts.
type Padding int

const (
	// PadZero fills with id 0, as openai/CLIP's tokenize does.
	PadZero Padding = iota
	// PadEnd fills with the end id, as Hugging Face's tokenizer does.
	PadEnd
)

// EncodePadded gives exactly length ids: start, the text's, end, padding. A text that is too long is cut so that the last id is end.
// used is the number of ids before the padding: Hugging Face's attention mask is 1 for those. It is an error if length is under 2.
func (t *Tokenizer) EncodePadded(text string, length int, mode Padding) (ids []int32, used int, err error) {
	if length < 2 {
		return nil, 0, fmt.Errorf("bpe: padded length %d: want at least 2, for start and end", length)
	}
	body := t.Encode(text)
	body = body[:min(len(body), length-2)]
	ids = make([]int32, 0, length)
	ids = append(append(append(ids, t.start), body...), t.end)
	used = len(ids)
	fill := int32(0)
	if mode == PadEnd {
		fill = t.end
	}
	for len(ids) < length {
		ids = append(ids, fill)
	}
	return ids, used, nil
}

// Decode gives the text of ids as openai/CLIP does: every word is followed by a space, special tokens are spelt out, bytes that are
// not UTF-8 become U+FFFD, and ids the vocabulary does not have are left out. Callers that want a caption cut at End and trim.
func (t *Tokenizer) Decode(ids []int32) string {
	var b []byte
	for _, id := range ids {
		switch {
		case id < 0 || int(id) >= len(t.pieces):
		case id == t.start || id == t.end:
			b = append(b, t.pieces[id]...)
		default:
			for _, r := range t.pieces[id] {
				if c, ok := byteOf[r]; ok {
					b = append(b, c)
				}
			}
		}
	}
	// </w> is spelt in ordinary characters, so it is replaced after decoding, as the original does.
	return strings.ReplaceAll(validUTF8(b), wordEnd, " ")
}

// validUTF8 replaces each maximal ill-formed part by one U+FFFD (The Unicode Standard 15, section 3.9, as Python does it).
func validUTF8(b []byte) string {
	var s strings.Builder
	for i := 0; i < len(b); {
		n, ok := sequence(b[i:])
		if ok {
			s.Write(b[i : i+n])
		} else {
			s.WriteString("\ufffd")
		}
		i += n
	}
	return s.String()
}

// sequence measures the UTF-8 sequence b starts with; if it is ill-formed, the length of its longest prefix that could begin one.
func sequence(b []byte) (n int, ok bool) {
	c, lo, hi, size := b[0], byte(0x80), byte(0xbf), 0
	switch {
	case c < 0x80:
		return 1, true
	case c >= 0xc2 && c <= 0xdf:
		size = 2
	case c >= 0xe0 && c <= 0xef:
		size = 3
	case c >= 0xf0 && c <= 0xf4:
		size = 4
	default:
		return 1, false
	}
	switch c {
	case 0xe0:
		lo = 0xa0
	case 0xed:
		hi = 0x9f
	case 0xf0:
		lo = 0x90
	case 0xf4:
		hi = 0x8f
	}
	for n = 1; n < size; n++ {
		if n == len(b) || b[n] < lo || b[n] > hi {
			return n, false
		}
		lo, hi = 0x80, 0xbf
	}
	return n, true
}
