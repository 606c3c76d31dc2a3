package jpeg

import (
	"encoding/binary"
	"errors"
)

// peekBits is how many bits one look into a table decides.
const peekBits = 10

// huffman is a code (T.81, annex C).
type huffman struct {
	// coef decides by the next peekBits bits: low 6 bits: bits to drop, 0 if more must be seen; bits 8-11: the run of zeros; bits 12-15: how
	// many bits of the value follow; from bit 16: the value, if its bits were seen too. No value and none to follow: run 15 or end of block.
	coef [1 << peekBits]int32
	// symbol decides the same, without the value: length·256 + symbol.
	symbol [1 << peekBits]uint16

	top    [18]int32 // the last code of each length, -1 if there is none
	offset [17]int32 // from a code to the place of its symbol
	values [256]uint8
	err    error // what is wrong with the table: an error of the first scan that uses it
}

var (
	errCodes = errors.New("more codes of a length than fit")
	errSizes = errors.New("a DC size above 15")
)

func newHuffman(counts [16]uint8, symbols []byte, isDC bool) *huffman {
	h := &huffman{}
	copy(h.values[:], symbols)
	code, k := int32(0), int32(0)
	for l := 1; l <= 16; l++ {
		n := int32(counts[l-1])
		h.top[l], h.offset[l] = -1, k-code
		if n > 0 {
			h.top[l] = code + n - 1
		}
		if n > 0 && code+n >= 1<<l { // all ones is no code either
			h.err = errCodes
			return h
		}
		for range n {
			h.enter(code, l, h.values[k], isDC)
			code++
			k++
		}
		code <<= 1
	}
	h.top[17] = 1 << 20 // every 17 bits are a code that is none
	return h
}

// enter puts a code of length l into the tables.
func (h *huffman) enter(code int32, l int, s uint8, isDC bool) {
	run, size := int32(s>>4), int(s&15)
	if isDC {
		if run = 0; s > 15 {
			h.err = errSizes
		}
	}
	if l > peekBits {
		return
	}
	free := peekBits - l // bits after the code
	for rest := range int32(1) << free {
		at := code<<free | rest
		h.symbol[at] = uint16(l)<<8 | uint16(s)
		e := int32(l) | run<<8 | int32(size)<<12
		if size > 0 && size <= free {
			e = int32(l+size) | run<<8 | extend(uint32(rest)>>(free-size), size)<<16
		}
		h.coef[at] = e
	}
}

// extend is the value of size bits (T.81, F.2.2.1).
func extend(v uint32, size int) int32 {
	if v < 1<<(size-1) {
		return int32(v) - 1<<size + 1
	}
	return int32(v)
}

// bits reads the entropy-coded data. acc holds the next n bits at its top, below them zeros or bits of the bytes to come. Where a marker or the
// data's end is reached, zeros go on; pad of the n bits are such.
type bits struct {
	data   []byte
	pos    int // of the next byte to load
	acc    uint64
	n, pad int
	marker byte // run into, 0 if none
	ended  bool // the data's end was run into
}

// fill makes n at least 32.
func (b *bits) fill() {
	if b.pos+8 <= len(b.data) && b.marker == 0 {
		w := binary.BigEndian.Uint64(b.data[b.pos:])
		if inv := ^w; (inv-0x0101010101010101)&w&0x8080808080808080 == 0 { // no byte is ff
			b.acc |= w >> b.n
			b.pos += (63 - b.n) >> 3
			b.n |= 56
			return
		}
	}
	b.fillSlow()
}

func (b *bits) fillSlow() {
	for b.n <= 56 {
		v := uint64(0)
		switch {
		case b.marker != 0 || b.ended:
			b.pad += 8
		case b.pos == len(b.data):
			b.ended = true
			continue
		case b.data[b.pos] != 0xff:
			v = uint64(b.data[b.pos])
			b.pos++
		default:
			p := b.pos + 1
			for p < len(b.data) && b.data[p] == 0xff {
				p++
			}
			if p == len(b.data) { // nothing follows an ff
				b.pos, b.ended = p, true
				continue
			}
			b.pos = p + 1
			if b.marker = b.data[p]; b.marker != 0 {
				continue
			}
			v = 0xff
		}
		b.acc |= v << (56 - b.n)
		b.n += 8
	}
}

func (b *bits) drop(n int) { b.acc, b.n = b.acc<<n, b.n-n }

// take reads 0 to 16 bits; n must be enough.
func (b *bits) take(n int) uint32 {
	v := uint32(b.acc >> 32 >> (32 - n))
	b.drop(n)
	return v
}

// bit reads one bit.
func (b *bits) bit() bool {
	if b.n < 1 {
		b.fill()
	}
	v := int64(b.acc) < 0
	b.drop(1)
	return v
}

// symbol reads a code; at least 15 bits are loaded after it.
func (b *bits) symbol(h *huffman) uint8 {
	if b.n < 32 {
		b.fill()
	}
	if e := h.symbol[b.acc>>(64-peekBits)]; e != 0 {
		b.drop(int(e >> 8))
		return uint8(e)
	}
	return b.long(h)
}

// long reads a code of more than peekBits bits, or one that is none: then it takes 17 bits and means 0, as in libjpeg.
func (b *bits) long(h *huffman) uint8 {
	l := peekBits + 1
	code := int32(b.acc >> (64 - l))
	for code > h.top[l] {
		l++
		code = int32(b.acc >> (64 - l))
	}
	b.drop(l)
	if l > 16 {
		return 0
	}
	return h.values[uint8(code+h.offset[l])]
}

// restart forgets the bits that are left.
func (b *bits) restart() { b.acc, b.n, b.pad = 0, 0, 0 }

// over tells whether bits beyond a marker or the data's end were used.
func (b *bits) over() bool { return b.n < b.pad }
