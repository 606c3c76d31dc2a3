package pickle

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// opcode is a name and what it does; those without run are refused.
type opcode struct {
	name string
	run  func(m *machine) error
}

// opcodes is by byte, as in Python's pickletools.
var opcodes [256]opcode

func init() {
	for _, o := range []struct {
		code byte
		name string
		run  func(m *machine) error
	}{
		{0x80, "PROTO", protocol}, {0x95, "FRAME", frame}, {'.', "STOP", func(m *machine) error { m.done = true; return nil }},
		{'(', "MARK", func(m *machine) error { m.marks = append(m.marks, len(m.stack)); m.made++; return nil }},
		{'0', "POP", pop}, {'1', "POP_MARK", func(m *machine) error { _, err := m.group(); return err }}, {'2', "DUP", dup},
		{'N', "NONE", constant(nil)}, {0x88, "NEWTRUE", constant(true)}, {0x89, "NEWFALSE", constant(false)},
		{'K', "BININT1", binint(1)}, {'M', "BININT2", binint(2)}, {'J', "BININT", binint(4)},
		{0x8a, "LONG1", long(1)}, {0x8b, "LONG4", long(4)}, {'I', "INT", intLine}, {'L', "LONG", intLine},
		{'G', "BINFLOAT", binfloat}, {'F', "FLOAT", floatLine},
		{'X', "BINUNICODE", unicode(4)}, {0x8c, "SHORT_BINUNICODE", unicode(1)}, {0x8d, "BINUNICODE8", unicode(8)},
		{'U', "SHORT_BINSTRING", latin1(1)}, {'T', "BINSTRING", latin1(4)},
		{'C', "SHORT_BINBYTES", binbytes(1)}, {'B', "BINBYTES", binbytes(4)}, {0x8e, "BINBYTES8", binbytes(8)},
		{']', "EMPTY_LIST", fresh(func() value { return &list{} })}, {0x8f, "EMPTY_SET", fresh(func() value { return &list{} })},
		{'}', "EMPTY_DICT", fresh(func() value { return &dict{} })}, {')', "EMPTY_TUPLE", constant(tuple(nil))},
		{'a', "APPEND", appendOne}, {'e', "APPENDS", appendAll}, {0x90, "ADDITEMS", appendAll},
		{'l', "LIST", grouped(func(v []value) value { return &list{v} })}, {0x91, "FROZENSET", grouped(func(v []value) value { return &list{v} })},
		{'t', "TUPLE", grouped(func(v []value) value { return tuple(v) })},
		{0x85, "TUPLE1", tupleOf(1)}, {0x86, "TUPLE2", tupleOf(2)}, {0x87, "TUPLE3", tupleOf(3)},
		{'d', "DICT", dictOf}, {'s', "SETITEM", setItem}, {'u', "SETITEMS", setItems},
		{'q', "BINPUT", put(1)}, {'r', "LONG_BINPUT", put(4)}, {'p', "PUT", putLine}, {0x94, "MEMOIZE", memoize},
		{'h', "BINGET", get(1)}, {'j', "LONG_BINGET", get(4)}, {'g', "GET", getLine},
		{'c', "GLOBAL", globalLines}, {0x93, "STACK_GLOBAL", stackGlobal},
		{'R', "REDUCE", reduce}, {0x81, "NEWOBJ", newObject}, {'b', "BUILD", build}, {'Q', "BINPERSID", persistent},
		// Refused: other ways to call or import something, buffers out of band, text of protocol 0 that needs Python's rules of quoting.
		{'i', "INST", nil}, {'o', "OBJ", nil}, {0x92, "NEWOBJ_EX", nil}, {'P', "PERSID", nil},
		{0x82, "EXT1", nil}, {0x83, "EXT2", nil}, {0x84, "EXT4", nil}, {0x96, "BYTEARRAY8", nil}, {0x97, "NEXT_BUFFER", nil},
		{0x98, "READONLY_BUFFER", nil}, {'S', "STRING", nil}, {'V', "UNICODE", nil},
	} {
		opcodes[o.code] = opcode{o.name, o.run}
	}
}

func protocol(m *machine) error {
	v, err := m.byte()
	if err == nil && (v < 2 || v > 5) {
		err = fmt.Errorf("protocol %d: want 2 to 5", v)
	}
	m.proto = v
	return err
}

// frame tells how many bytes belong together; nothing depends on it here, but they must be there.
func frame(m *machine) error {
	n, err := m.number(8)
	if err == nil && n > uint64(len(m.in)-m.at) {
		err = errCut
	}
	return err
}

func pop(m *machine) error {
	if n := len(m.marks); n > 0 && m.marks[n-1] == len(m.stack) {
		m.marks = m.marks[:n-1]
		return nil
	}
	_, err := m.pop()
	return err
}

func dup(m *machine) error {
	v, err := m.top()
	if err == nil {
		m.push(v)
	}
	return err
}

func constant(v value) func(*machine) error {
	return func(m *machine) error { m.push(v); return nil }
}

func fresh(v func() value) func(*machine) error {
	return func(m *machine) error { m.push(v()); return nil }
}

func binint(n int) func(*machine) error {
	return func(m *machine) error {
		v, err := m.number(n)
		if n == 4 {
			v = uint64(int64(int32(v)))
		}
		m.push(int64(v))
		return err
	}
}

func long(n int) func(*machine) error {
	return func(m *machine) error {
		b, err := m.block(n)
		if err != nil {
			return err
		}
		v, err := integer(b)
		m.push(v)
		return err
	}
}

func intLine(m *machine) error {
	s, err := m.line(64)
	if err != nil {
		return err
	}
	if s == "00" || s == "01" { // protocol 0's False and True
		m.push(s == "01")
		return nil
	}
	v, err := decimal(strings.TrimSuffix(s, "L"))
	m.push(v)
	return err
}

func binfloat(m *machine) error {
	v, err := m.number(8)
	m.push(float(bits.ReverseBytes64(v)))
	return err
}

func floatLine(m *machine) error {
	s, err := m.line(64)
	if err != nil {
		return err
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return fmt.Errorf("%.40q is no number", s)
	}
	m.push(v)
	return nil
}

func unicode(n int) func(*machine) error {
	return func(m *machine) error {
		b, err := m.block(n)
		if err != nil {
			return err
		}
		v, err := text(b)
		m.push(v)
		return err
	}
}

// latin1 reads strings of Python 2, which legacy checkpoints may hold: bytes that stand for characters.
func latin1(n int) func(*machine) error {
	return func(m *machine) error {
		b, err := m.block(n)
		if err != nil {
			return err
		}
		m.push(fromLatin1(b))
		return nil
	}
}

func fromLatin1(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		s.WriteRune(rune(c))
	}
	return s.String()
}

func binbytes(n int) func(*machine) error {
	return func(m *machine) error {
		b, err := m.block(n)
		m.push(b)
		return err
	}
}

func grouped(of func([]value) value) func(*machine) error {
	return func(m *machine) error {
		items, err := m.group()
		if err == nil {
			m.push(of(append([]value(nil), items...)))
		}
		return err
	}
}

func tupleOf(n int) func(*machine) error {
	return func(m *machine) error {
		if len(m.stack)-m.floor() < n {
			return fmt.Errorf("the stack is empty")
		}
		at := len(m.stack) - n
		t := append(tuple(nil), m.stack[at:]...)
		m.stack = m.stack[:at]
		m.push(t)
		return nil
	}
}

func appendOne(m *machine) error {
	v, err := m.pop()
	if err != nil {
		return err
	}
	return m.extend([]value{v})
}

func appendAll(m *machine) error {
	items, err := m.group()
	if err != nil {
		return err
	}
	return m.extend(items)
}

func (m *machine) extend(items []value) error {
	to, err := m.top()
	if err != nil {
		return err
	}
	l, ok := to.(*list)
	if !ok {
		return fmt.Errorf("cannot add to %s: want a list", kindOf(to))
	}
	l.items = append(l.items, items...)
	return nil
}

func dictOf(m *machine) error {
	items, err := m.group()
	if err != nil {
		return err
	}
	d := &dict{}
	if err := d.fill(items); err != nil {
		return err
	}
	m.push(d)
	return nil
}

// fill sets pairs of keys and values.
func (d *dict) fill(items []value) error {
	if len(items)%2 != 0 {
		return fmt.Errorf("%d keys and values: want pairs", len(items))
	}
	for i := 0; i < len(items); i += 2 {
		switch items[i].(type) {
		case nil, bool, int64, float64, string, []byte, tuple, global:
		default:
			return fmt.Errorf("%s as key of a dict", kindOf(items[i]))
		}
		d.set(items[i], items[i+1])
	}
	return nil
}

func setItem(m *machine) error {
	v, err := m.pop()
	if err != nil {
		return err
	}
	k, err := m.pop()
	if err != nil {
		return err
	}
	return m.setAll([]value{k, v})
}

func setItems(m *machine) error {
	items, err := m.group()
	if err != nil {
		return err
	}
	return m.setAll(items)
}

func (m *machine) setAll(items []value) error {
	to, err := m.top()
	if err != nil {
		return err
	}
	d, ok := to.(*dict)
	if !ok {
		return fmt.Errorf("cannot set items of %s: want a dict", kindOf(to))
	}
	return d.fill(items)
}

func (m *machine) remember(key uint64) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	if len(m.memo) >= maxMemo {
		return fmt.Errorf("more than %d memo entries", maxMemo)
	}
	m.memo[key] = v
	return nil
}

func put(n int) func(*machine) error {
	return func(m *machine) error {
		key, err := m.number(n)
		if err != nil {
			return err
		}
		return m.remember(key)
	}
}

func memoize(m *machine) error { return m.remember(uint64(len(m.memo))) }

func (m *machine) keyLine() (uint64, error) {
	s, err := m.line(32)
	if err != nil {
		return 0, err
	}
	key, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("memo key %.40q: want a number", s)
	}
	return key, nil
}

func putLine(m *machine) error {
	key, err := m.keyLine()
	if err != nil {
		return err
	}
	return m.remember(key)
}

func (m *machine) recall(key uint64) error {
	v, ok := m.memo[key]
	if !ok {
		return fmt.Errorf("memo entry %d was never made", key)
	}
	m.push(v)
	return nil
}

func get(n int) func(*machine) error {
	return func(m *machine) error {
		key, err := m.number(n)
		if err != nil {
			return err
		}
		return m.recall(key)
	}
}

func getLine(m *machine) error {
	key, err := m.keyLine()
	if err != nil {
		return err
	}
	return m.recall(key)
}

func persistent(m *machine) error {
	id, err := m.pop()
	if err != nil {
		return err
	}
	if m.load == nil {
		return fmt.Errorf("a storage where there can be none")
	}
	v, err := m.load(id)
	m.push(v)
	return err
}
