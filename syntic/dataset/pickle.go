package dataset

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// looksPickled tells whether data begins as a pickled list does: protocol 2 and later name themselves, 0 and 1 begin with "(l" or "]q".
func looksPickled(data []byte) bool {
	switch {
	case len(data) < 2:
		return false
	case data[0] == 0x80 && data[1] >= 2 && data[1] <= 5:
		return true
	}
	return bytes.HasPrefix(data, []byte("(l")) || data[0] == ']' && (data[1] == 'q' || data[1] == '(' || data[1] == 'r')
}

// parsePickle reads a pickled list of texts (DeCap's SS1M and CC3M), or of lists of words with "<S>" and "</S>" around them
// (unsupervised_captioning's). Nothing in the file is run: any instruction that is not one of lists and texts is a fault.
func parsePickle(path string, data []byte) (*Set, error) {
	p := &pickle{path: path, data: data}
	top, err := p.run()
	if err != nil {
		return nil, err
	}
	list, ok := top.(*[]any)
	if !ok {
		return nil, fault(path, "", "the pickle holds %s: want a list of texts", kindOf(top))
	}
	s := &Set{Format: Pickle, Images: make([]Image, 0, len(*list))}
	for i, item := range *list {
		place := fmt.Sprintf("[%d]", i)
		var text string
		switch x := item.(type) {
		case string:
			text = x
		case *[]any:
			words := make([]string, len(*x))
			for k, w := range *x {
				if words[k], ok = w.(string); !ok {
					return nil, fault(path, place, "word %d is %s: want a text", k, kindOf(w))
				}
			}
			text = strings.Join(words, " ")
		default:
			return nil, fault(path, place, "%s: want a text, or a list of words", kindOf(item))
		}
		if !utf8.ValidString(text) {
			return nil, fault(path, place, "%.40q is not UTF-8", text)
		}
		captions, err := add(nil, unmarked(text), path, place)
		if err != nil {
			return nil, err
		}
		s.Images = append(s.Images, Image{Captions: captions})
	}
	return s, nil
}

func kindOf(x any) string {
	switch x.(type) {
	case string:
		return "a text"
	case *[]any:
		return "a list"
	case nil:
		return "None"
	}
	return "a number"
}

// pickle is a machine for those instructions of Python's pickle protocols 0 to 5 that make lists, tuples, texts and integers.
type pickle struct {
	path  string
	data  []byte
	at    int
	stack []any
	memo  map[int]any
}

type mark struct{}

func (p *pickle) fault(format string, args ...any) error {
	return fault(p.path, fmt.Sprintf("byte %d", p.at), format, args...)
}

// run carries out the instructions up to the last.
func (p *pickle) run() (any, error) {
	p.memo = map[int]any{}
	for {
		if p.at >= len(p.data) {
			return nil, p.fault("the pickle ends too early: was the file cut off?")
		}
		op := p.data[p.at]
		p.at++
		if op == '.' {
			if len(p.stack) != 1 {
				return nil, p.fault("%d values at the end of the pickle: want one", len(p.stack))
			}
			return p.stack[0], nil
		}
		if err := p.step(op); err != nil {
			return nil, err
		}
	}
}

func (p *pickle) push(x any) { p.stack = append(p.stack, x) }

// bytes takes the next n bytes.
func (p *pickle) bytes(n int) ([]byte, error) {
	if n < 0 || n > len(p.data)-p.at {
		return nil, p.fault("%d bytes are said to follow, there are %d: was the file cut off?", n, len(p.data)-p.at)
	}
	b := p.data[p.at : p.at+n]
	p.at += n
	return b, nil
}

// number takes an unsigned integer of n bytes, least first.
func (p *pickle) number(n int) (int, error) {
	b, err := p.bytes(n)
	if err != nil {
		return 0, err
	}
	var wide [8]byte
	copy(wide[:], b)
	x := binary.LittleEndian.Uint64(wide[:])
	if x > 1<<40 {
		return 0, p.fault("a length of %d bytes: was the file damaged?", x)
	}
	return int(x), nil
}

// line takes the rest of the line, of protocol 0.
func (p *pickle) line() (string, error) {
	end := bytes.IndexByte(p.data[p.at:], '\n')
	if end < 0 {
		return "", p.fault("the pickle ends too early: was the file cut off?")
	}
	text := string(p.data[p.at : p.at+end])
	p.at += end + 1
	return text, nil
}

func (p *pickle) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		_, err := p.bytes(1)
		return err
	case 0x95: // FRAME
		_, err := p.bytes(8)
		return err
	case '(':
		p.push(mark{})
	case ']':
		p.push(&[]any{})
	case ')':
		p.push(&[]any{})
	case 'N':
		p.push(nil)
	case 'l', 't': // LIST, TUPLE
		items, err := p.marked()
		if err != nil {
			return err
		}
		p.push(&items)
	case 0x85, 0x86, 0x87: // TUPLE1..3
		n := int(op) - 0x84
		if len(p.stack) < n {
			return p.fault("a tuple of %d values, there are %d", n, len(p.stack))
		}
		items := append([]any(nil), p.stack[len(p.stack)-n:]...)
		p.stack = p.stack[:len(p.stack)-n]
		p.push(&items)
	case 'a', 'e': // APPEND, APPENDS
		return p.appendTo(op)
	case 'X', 0x8c, 0x8d, 'T', 'U', 'V', 'S', 'I', 'K', 'M', 'J':
		return p.scalar(op)
	default:
		return p.remember(op)
	}
	return nil
}

// marked takes the values since the last mark.
func (p *pickle) marked() ([]any, error) {
	for i := len(p.stack) - 1; i >= 0; i-- {
		if _, ok := p.stack[i].(mark); ok {
			items := append([]any(nil), p.stack[i+1:]...)
			p.stack = p.stack[:i]
			return items, nil
		}
	}
	return nil, p.fault("no mark before the end of a list")
}

func (p *pickle) appendTo(op byte) error {
	var items []any
	if op == 'a' && len(p.stack) > 0 {
		items = []any{p.stack[len(p.stack)-1]}
		p.stack = p.stack[:len(p.stack)-1]
	} else {
		var err error
		if items, err = p.marked(); err != nil {
			return err
		}
	}
	if len(p.stack) == 0 {
		return p.fault("no list to append to")
	}
	list, ok := p.stack[len(p.stack)-1].(*[]any)
	if !ok {
		return p.fault("no list to append to")
	}
	*list = append(*list, items...)
	return nil
}

// scalar reads a text or an integer.
func (p *pickle) scalar(op byte) error {
	size := map[byte]int{'X': 4, 0x8c: 1, 0x8d: 8, 'T': 4, 'U': 1, 'K': 1, 'M': 2, 'J': 4}[op]
	if size == 0 {
		text, err := p.line()
		if err != nil {
			return err
		}
		switch op {
		case 'I':
			p.push(0)
		case 'V':
			text, err = rawUnicode(text)
			p.push(text)
		default: // a text of Python 2 in quotes
			text, err = escaped(text)
			p.push(text)
		}
		if err != nil {
			return p.fault("%.40q: %v", text, err)
		}
		return nil
	}
	n, err := p.number(size)
	if err != nil {
		return err
	}
	if op == 'K' || op == 'M' || op == 'J' {
		p.push(n)
		return nil
	}
	b, err := p.bytes(n)
	p.push(string(b))
	return err
}

// rawUnicode reads Python's raw-unicode-escape: bytes are Latin-1, but \uXXXX and \UXXXXXXXX.
func rawUnicode(text string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		digits := 0
		if text[i] == '\\' && i+1 < len(text) {
			digits = map[byte]int{'u': 4, 'U': 8}[text[i+1]]
		}
		if digits == 0 {
			b.WriteRune(rune(text[i]))
			continue
		}
		if i+2+digits > len(text) {
			return "", fmt.Errorf("an escape is cut off")
		}
		n, err := strconv.ParseUint(text[i+2:i+2+digits], 16, 32)
		if err != nil {
			return "", fmt.Errorf("an escape that is no number")
		}
		b.WriteRune(rune(n))
		i += 1 + digits
	}
	return b.String(), nil
}

// escaped reads a text as Python 2 writes it: in quotes, with backslashes before what is special.
func escaped(text string) (string, error) {
	if len(text) < 2 || text[0] != text[len(text)-1] || text[0] != '\'' && text[0] != '"' {
		return "", fmt.Errorf("want a text in quotes")
	}
	text = text[1 : len(text)-1]
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		switch c := text[i]; c {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case 'x':
			if i+3 > len(text) {
				return "", fmt.Errorf("an escape is cut off")
			}
			n, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
			if err != nil {
				return "", fmt.Errorf("an escape that is no number")
			}
			b.WriteByte(byte(n))
			i += 2
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// remember stores and recalls values.
func (p *pickle) remember(op byte) error {
	var slot int
	var err error
	switch op {
	case 0x94: // MEMOIZE
		slot = len(p.memo)
	case 'q', 'h':
		slot, err = p.number(1)
	case 'r', 'j':
		slot, err = p.number(4)
	case 'p', 'g':
		var text string
		if text, err = p.line(); err == nil {
			slot, err = strconv.Atoi(text)
		}
	default:
		p.at--
		return p.fault("instruction 0x%02x (%q): want lists and texts alone; this file makes other things, or runs code", op, op)
	}
	if err != nil {
		return p.fault("%v", err)
	}
	if op == 'h' || op == 'j' || op == 'g' {
		x, ok := p.memo[slot]
		if !ok {
			return p.fault("value %d is recalled, but was never stored", slot)
		}
		p.push(x)
		return nil
	}
	if len(p.stack) == 0 {
		return p.fault("nothing to store")
	}
	p.memo[slot] = p.stack[len(p.stack)-1]
	return nil
}
