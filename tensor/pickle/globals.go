package pickle

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"syntic/tensor/safetensors"
)

// call is what a name of the table does with arguments; nil: it cannot be called.
type call func(m *machine, args tuple) (value, error)

// allowed is every name that a pickle may hold: twenty, and none is imported or run. Storages are types, not calls.
var allowed = map[global]call{
	"collections.OrderedDict":         orderedDict,
	"torch._utils._rebuild_tensor_v2": rebuildTensor,
	"torch._utils._rebuild_parameter": rebuildParameter,
	"torch.Size":                      size,
	"torch.DoubleStorage":             nil,
	"torch.FloatStorage":              nil,
	"torch.HalfStorage":               nil,
	"torch.BFloat16Storage":           nil,
	"torch.LongStorage":               nil,
	"torch.IntStorage":                nil,
	"torch.ShortStorage":              nil,
	"torch.CharStorage":               nil,
	"torch.ByteStorage":               nil,
	"torch.BoolStorage":               nil,
	"numpy.core.multiarray.scalar":    numpyScalar,
	"numpy._core.multiarray.scalar":   numpyScalar, // numpy 2
	"numpy.dtype":                     numpyDType,
	"_codecs.encode":                  encode, // how protocol 2 writes the bytes of a numpy scalar
	"argparse.Namespace":              nil,    // NEWOBJ makes a bag of it
	"pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint": nil,
}

// storageTypes are the element types of storages.
var storageTypes = map[global]safetensors.DType{
	"torch.DoubleStorage": safetensors.F64, "torch.FloatStorage": safetensors.F32, "torch.HalfStorage": safetensors.F16,
	"torch.BFloat16Storage": safetensors.BF16, "torch.LongStorage": safetensors.I64, "torch.IntStorage": safetensors.I32,
	"torch.ShortStorage": safetensors.I16, "torch.CharStorage": safetensors.I8, "torch.ByteStorage": safetensors.U8,
	"torch.BoolStorage": safetensors.BOOL,
}

const namespace = global("argparse.Namespace")

// scriptTyped are TorchScript's ways to say the type of a list or dict; they stand for their first argument, and occur beside its own classes only.
var scriptTyped = map[global]int{ // how many arguments
	"torch.jit._pickle.build_intlist": 1, "torch.jit._pickle.build_tensorlist": 1, "torch.jit._pickle.build_doublelist": 1,
	"torch.jit._pickle.build_boollist": 1, "torch.jit._pickle.restore_type_tag": 2,
}

// find pushes a name, if it is in the table.
func (m *machine) find(module, name string) error {
	full := module + "." + name
	if len(full) > maxName {
		return fmt.Errorf("a name of %d bytes: want at most %d", len(full), maxName)
	}
	g := global(full)
	if _, ok := allowed[g]; !ok && !(m.script && (strings.HasPrefix(full, "__torch__.") || scriptTyped[g] > 0)) {
		return fmt.Errorf("the pickle wants %q, which is not among the %d names that checkpoints may hold: refused; nothing was run", full, len(allowed))
	}
	m.push(g)
	return nil
}

func globalLines(m *machine) error {
	module, err := m.line(maxName)
	if err != nil {
		return err
	}
	name, err := m.line(maxName)
	if err != nil {
		return err
	}
	return m.find(module, name)
}

func stackGlobal(m *machine) error {
	n, err := m.pop()
	if err != nil {
		return err
	}
	o, err := m.pop()
	if err != nil {
		return err
	}
	name, ok1 := n.(string)
	module, ok2 := o.(string)
	if !ok1 || !ok2 {
		return fmt.Errorf("module and name are %s and %s: want strings", kindOf(o), kindOf(n))
	}
	return m.find(module, name)
}

// called pops a name and its arguments.
func (m *machine) called() (global, tuple, error) {
	a, err := m.pop()
	if err != nil {
		return "", nil, err
	}
	f, err := m.pop()
	if err != nil {
		return "", nil, err
	}
	g, ok := f.(global)
	if !ok {
		return "", nil, fmt.Errorf("cannot call %s", kindOf(f))
	}
	args, ok := a.(tuple)
	if !ok {
		return "", nil, fmt.Errorf("%s called with %s: want a tuple of arguments", string(g), kindOf(a))
	}
	return g, args, nil
}

func reduce(m *machine) error {
	g, args, err := m.called()
	if err != nil {
		return err
	}
	if n := scriptTyped[g]; m.script && n > 0 {
		if len(args) != n {
			return wrongArgs(g, args)
		}
		m.push(args[0])
		return nil
	}
	do := allowed[g]
	if do == nil {
		return fmt.Errorf("%s is a name that may be held but not called: refused", string(g))
	}
	v, err := do(m, args)
	if err != nil {
		return err
	}
	m.push(v)
	return nil
}

func wrongArgs(g global, args tuple) error {
	return fmt.Errorf("%s called with %d arguments, or not of the kinds that torch.save writes", string(g), len(args))
}

// newObject makes an object without calling anything: a bag for the classes whose attributes are only data.
func newObject(m *machine) error {
	g, args, err := m.called()
	if err != nil {
		return err
	}
	switch {
	case len(args) == 0 && (g == namespace || m.script && strings.HasPrefix(string(g), "__torch__.")):
		m.push(&bag{class: g})
	case len(args) == 0 && g == "collections.OrderedDict":
		m.push(&dict{})
	default:
		return fmt.Errorf("an object of %s: refused", string(g))
	}
	return nil
}

// build gives an object its state: attributes of a bag, the byte order of a numpy type. An OrderedDict's attributes (_metadata of a state_dict)
// are no entries and are left out.
func build(m *machine) error {
	state, err := m.pop()
	if err != nil {
		return err
	}
	to, err := m.top()
	if err != nil {
		return err
	}
	attributes, isDict := state.(*dict)
	switch o := to.(type) {
	case *bag:
		if isDict {
			for i, k := range attributes.keys {
				o.set(k, attributes.values[i])
			}
			return nil
		}
	case *dict:
		if isDict {
			return nil
		}
	case *numpyType:
		if t, ok := state.(tuple); ok && len(t) >= 2 {
			if order, ok := t[1].(string); ok && strings.Contains("<>|=", order) {
				o.big = order == ">"
				return nil
			}
		}
	}
	return fmt.Errorf("%s as state of %s: refused", kindOf(state), kindOf(to))
}

func orderedDict(m *machine, args tuple) (value, error) {
	d := &dict{}
	if len(args) == 0 {
		return d, nil
	}
	pairs, ok := args[0].(*list)
	if !ok || len(args) != 1 {
		return nil, wrongArgs("collections.OrderedDict", args)
	}
	for _, p := range pairs.items {
		var pair []value
		switch p := p.(type) {
		case tuple:
			pair = p
		case *list:
			pair = p.items
		}
		if len(pair) != 2 {
			return nil, wrongArgs("collections.OrderedDict", args)
		}
		if err := d.fill(pair); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func rebuildParameter(m *machine, args tuple) (value, error) {
	if len(args) != 3 {
		return nil, wrongArgs("torch._utils._rebuild_parameter", args)
	}
	t, ok := args[0].(*Tensor)
	if !ok {
		return nil, wrongArgs("torch._utils._rebuild_parameter", args)
	}
	return t, nil
}

func size(m *machine, args tuple) (value, error) {
	if len(args) == 1 {
		switch s := args[0].(type) {
		case tuple:
			return s, nil
		case *list:
			return tuple(s.items), nil
		}
	}
	return nil, wrongArgs("torch.Size", args)
}

func encode(m *machine, args tuple) (value, error) {
	if len(args) == 2 {
		s, ok := args[0].(string)
		if codec, is := args[1].(string); ok && is && codec == "latin1" {
			b := make([]byte, 0, len(s))
			for _, r := range s {
				if r > 0xff {
					return nil, fmt.Errorf("_codecs.encode: %q is not of latin1", r)
				}
				b = append(b, byte(r))
			}
			return b, nil
		}
	}
	return nil, wrongArgs("_codecs.encode", args)
}

func numpyDType(m *machine, args tuple) (value, error) {
	if len(args) == 3 {
		if code, ok := args[0].(string); ok {
			switch code {
			case "f8", "f4", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1":
				return &numpyType{code: code}, nil
			}
			return nil, fmt.Errorf("numpy.dtype %.20q: want a number's", code)
		}
	}
	return nil, wrongArgs("numpy.dtype", args)
}

func numpyScalar(m *machine, args tuple) (value, error) {
	if len(args) == 2 {
		t, ok := args[0].(*numpyType)
		b, is := args[1].([]byte)
		if ok && is && len(b) == int(t.code[1]-'0') {
			var w [8]byte
			for i := range b {
				if w[i] = b[i]; t.big {
					w[i] = b[len(b)-1-i]
				}
			}
			switch v := binary.LittleEndian.Uint64(w[:]); t.code {
			case "f8":
				return math.Float64frombits(v), nil
			case "f4":
				return float64(math.Float32frombits(uint32(v))), nil
			case "i4":
				return int64(int32(v)), nil
			case "i2":
				return int64(int16(v)), nil
			case "i1":
				return int64(int8(v)), nil
			case "b1":
				return v != 0, nil
			default:
				return int64(v), nil
			}
		}
	}
	return nil, wrongArgs("numpy's scalar", args)
}
