package pickle

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"unicode/utf8"
)

// These bound what a pickle can make us hold; all are far above any real checkpoint.
const (
	maxPickle  = 256 << 20 // bytes of a pickle, without the storages
	maxValues  = 1 << 20   // values made by one pickle
	maxMemo    = 1 << 19   // memo entries
	maxDepth   = 64        // of nested dicts and lists that hold tensors
	maxName    = 512       // bytes of a name of module or class
	maxInteger = 16        // bytes of an integer; torch's magic number has 10
	maxVisits  = 1 << 20   // values looked at on the way to the tensors
	maxTensors = 1 << 16   // tensors taken from one file
)

// machine runs one pickle.
type machine struct {
	in     []byte // the pickle, and in legacy files what follows it
	at     int    // of the next byte
	from   int    // of the opcode that runs
	base   int64  // offset of in[0] in what messages call the file
	stack  []value
	marks  []int // places of marks on the stack
	memo   map[uint64]value
	made   int // values so far
	proto  byte
	done   bool
	load   func(id value) (value, error) // persistent ids; nil: there are none
	script bool                          // a TorchScript archive, whose own classes are bags
}

// run executes up to STOP and gives the result; m.at is then behind it. The error has the offset and the opcode.
func (m *machine) run() (v value, err error) {
	m.memo = map[uint64]value{}
	m.stack, m.marks, m.done, m.made, m.proto = nil, nil, false, 0, 0
	for !m.done {
		m.from = m.at
		op, err := m.byte()
		if err != nil {
			return nil, m.fail("", err)
		}
		o := &opcodes[op]
		if o.run == nil {
			if o.name == "" {
				return nil, m.fail("", fmt.Errorf("byte 0x%02x is no opcode: not a pickle, or damaged", op))
			}
			return nil, m.fail(o.name, errRefused)
		}
		if err := o.run(m); err != nil {
			return nil, m.fail(o.name, err)
		}
		if m.made > maxValues {
			return nil, m.fail(o.name, fmt.Errorf("more than %d values", maxValues))
		}
	}
	if len(m.stack) != 1 || len(m.marks) != 0 {
		return nil, m.fail("STOP", fmt.Errorf("%d values are left: want one", len(m.stack)))
	}
	return m.stack[0], nil
}

var errRefused = fmt.Errorf("is an opcode that checkpoints do not need: refused")

func (m *machine) fail(op string, err error) error {
	if op != "" {
		op += ": "
	}
	return fmt.Errorf("offset %d: %s%w", m.base+int64(m.from), op, err)
}

var errCut = fmt.Errorf("the pickle is cut off")

func (m *machine) byte() (byte, error) {
	if m.at >= len(m.in) {
		return 0, errCut
	}
	m.at++
	return m.in[m.at-1], nil
}

// take is the next n bytes, which are not copied.
func (m *machine) take(n uint64) ([]byte, error) {
	if n > uint64(len(m.in)-m.at) {
		return nil, errCut
	}
	b := m.in[m.at : m.at+int(n)]
	m.at += int(n)
	return b, nil
}

// number is the next n bytes as a little-endian number.
func (m *machine) number(n int) (uint64, error) {
	b, err := m.take(uint64(n))
	if err != nil {
		return 0, err
	}
	var w [8]byte
	copy(w[:], b)
	return binary.LittleEndian.Uint64(w[:]), nil
}

// block is bytes behind their length, a number of n bytes.
func (m *machine) block(n int) ([]byte, error) {
	size, err := m.number(n)
	if err != nil {
		return nil, err
	}
	return m.take(size)
}

// line is the bytes up to the next line feed.
func (m *machine) line(most int) (string, error) {
	for i := m.at; i < len(m.in); i++ {
		if m.in[i] == '\n' {
			s := string(m.in[m.at:i])
			m.at = i + 1
			return s, nil
		}
		if i-m.at >= most {
			return "", fmt.Errorf("a line of more than %d bytes", most)
		}
	}
	return "", errCut
}

func (m *machine) push(v value) {
	m.made++
	m.stack = append(m.stack, v)
}

// floor is how far POP may go: not below the last mark.
func (m *machine) floor() int {
	if n := len(m.marks); n > 0 {
		return m.marks[n-1]
	}
	return 0
}

func (m *machine) pop() (value, error) {
	if len(m.stack) <= m.floor() {
		return nil, fmt.Errorf("the stack is empty")
	}
	v := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	return v, nil
}

func (m *machine) top() (value, error) {
	if len(m.stack) <= m.floor() {
		return nil, fmt.Errorf("the stack is empty")
	}
	return m.stack[len(m.stack)-1], nil
}

// group takes off what lies above the last mark, and the mark. The result is the caller's until the next push.
func (m *machine) group() ([]value, error) {
	n := len(m.marks)
	if n == 0 {
		return nil, fmt.Errorf("there is no mark")
	}
	at := m.marks[n-1]
	m.marks = m.marks[:n-1]
	items := m.stack[at:]
	m.stack = m.stack[:at]
	return items, nil
}

func text(b []byte) (value, error) {
	if !utf8.Valid(b) {
		return nil, fmt.Errorf("a string is not valid UTF-8")
	}
	return string(b), nil
}

// integer is a little-endian two's complement number of any length up to maxInteger.
func integer(b []byte) (value, error) {
	if len(b) > maxInteger {
		return nil, fmt.Errorf("an integer of %d bytes: want at most %d", len(b), maxInteger)
	}
	if len(b) <= 8 {
		var w [8]byte
		if len(b) > 0 && b[len(b)-1] >= 0x80 {
			w = [8]byte{255, 255, 255, 255, 255, 255, 255, 255}
		}
		copy(w[:], b)
		return int64(binary.LittleEndian.Uint64(w[:])), nil
	}
	big1 := new(big.Int)
	for i := len(b) - 1; i >= 0; i-- {
		big1.Add(big1.Lsh(big1, 8), big.NewInt(int64(b[i])))
	}
	if b[len(b)-1] >= 0x80 {
		big1.Sub(big1, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	if big1.IsInt64() {
		return big1.Int64(), nil
	}
	return big1, nil
}

// decimal is an integer of protocol 0, which may end in L.
func decimal(s string) (value, error) {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%.40q is no integer of 64 bits", s)
	}
	return v, nil
}

func float(bits uint64) value { return math.Float64frombits(bits) }
