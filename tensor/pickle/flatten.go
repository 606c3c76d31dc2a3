package pickle

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Named is a tensor with its path in the file's tree, joined by dots.
type Named struct {
	Name string
	*Tensor
}

// stateKeys are where trainings put the weights beside other things, in the order they are looked for.
var stateKeys = []string{"state_dict", "model_state_dict", "model", "module", "net", "ema"}

// All as key takes everything that the file holds.
const All = "."

// Selection is what Select found.
type Selection struct {
	Key     string  // the path below which the tensors lie, "" for the whole file
	Tensors []Named // in the order of the file
	Dropped int     // values that are no tensors
	Shared  int     // tensors that share their storage with one before them
}

// Select flattens the tree to tensors by dotted path. key, a dotted path such as "state_dict", says what to take; [All] takes everything. Without
// a key it is everything, unless the weights lie below one of the keys that trainings use (state_dict, model_state_dict, model, module, net, ema).
// Names are relative to the key. It is an error if there is no such key, no tensor below it, two tensors come to have the same name, the tree
// holds itself, or all tensors together are larger than four times the file.
func (f *File) Select(key string) (*Selection, error) {
	s, err := f.choose(key)
	if err != nil {
		return nil, fmt.Errorf("pickle: %s: %w", f.path, err)
	}
	return s, nil
}

func (f *File) choose(key string) (*Selection, error) {
	if key == "" {
		if entries, ok := children(f.root); ok && !f.script && !slices.ContainsFunc(entries, func(e child) bool { _, is := e.v.(*Tensor); return is }) {
			for _, k := range stateKeys {
				if v, ok := below(f.root, k); ok {
					if s, err := f.flatten(k, v); err == nil {
						return s, nil
					}
				}
			}
		}
		key = All
	}
	if key == All {
		return f.flatten("", f.root)
	}
	v, rest := f.root, key
	for rest != "" { // keys may hold dots themselves: the shortest part that is a key goes first
		next, tail, ok := step(v, rest)
		if !ok {
			return nil, fmt.Errorf("no key %q: at %q there are %s", key, strings.TrimSuffix(key, rest), keysOf(v))
		}
		v, rest = next, tail
	}
	return f.flatten(key, v)
}

func step(v value, path string) (next value, rest string, ok bool) {
	for i := 0; i <= len(path); i++ {
		if i == len(path) || path[i] == '.' {
			if n, ok := below(v, path[:i]); ok {
				return n, strings.TrimPrefix(path[i:], "."), true
			}
		}
	}
	return nil, "", false
}

func below(v value, key string) (value, bool) {
	entries, _ := children(v)
	for _, e := range entries {
		if e.key == key {
			return e.v, true
		}
	}
	return nil, false
}

// keysOf lists the first keys for a message.
func keysOf(v value) string {
	entries, ok := children(v)
	if !ok || len(entries) == 0 {
		return "none"
	}
	var names []string
	for _, e := range entries[:min(len(entries), 12)] {
		names = append(names, fmt.Sprintf("%.40s", e.key))
	}
	if more := len(entries) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

type child struct {
	key string
	v   value
}

// children are the entries of what holds others; keys that are no text or number have no name and are left out.
func children(v value) ([]child, bool) {
	var d *dict
	var items []value
	switch v := v.(type) {
	case *dict:
		d = v
	case *bag:
		d = &v.dict
	case *list:
		items = v.items
	case tuple:
		items = v
	default:
		return nil, false
	}
	var all []child
	for i, v := range items {
		all = append(all, child{strconv.Itoa(i), v})
	}
	if d != nil {
		for i, k := range d.keys {
			switch k := k.(type) {
			case string:
				all = append(all, child{k, d.values[i]})
			case int64:
				all = append(all, child{strconv.FormatInt(k, 10), d.values[i]})
			}
		}
	}
	return all, true
}

// flattener walks a tree; path guards against trees that hold themselves, visits against those that hold a part a billion times.
type flattener struct {
	s      *Selection
	names  map[string]bool
	stores map[*blob]bool
	path   []value
	visits int
	bytes  int64
	most   int64
}

func (f *File) flatten(key string, v value) (*Selection, error) {
	w := flattener{s: &Selection{Key: key}, names: map[string]bool{}, stores: map[*blob]bool{}, most: 4*f.size + 64<<20}
	if err := w.walk("", v); err != nil {
		return nil, err
	}
	if len(w.s.Tensors) == 0 {
		if key == "" {
			return nil, errors.New("no tensors in the file")
		}
		return nil, fmt.Errorf("no tensors below %q", key)
	}
	return w.s, nil
}

func (w *flattener) walk(name string, v value) error {
	if w.visits++; w.visits > maxVisits {
		return fmt.Errorf("more than %d values on the way to the tensors", maxVisits)
	}
	if t, ok := v.(*Tensor); ok {
		return w.take(name, t)
	}
	entries, ok := children(v)
	if !ok {
		w.s.Dropped++
		return nil
	}
	if _, isTuple := v.(tuple); !isTuple && slices.Contains(w.path, v) { // tuples cannot be compared, and hold themselves only through others
		return fmt.Errorf("%.100q holds itself", name)
	}
	if len(w.path) >= maxDepth {
		return fmt.Errorf("%.100q lies deeper than %d levels", name, maxDepth)
	}
	w.path = append(w.path, pathValue(v))
	defer func() { w.path = w.path[:len(w.path)-1] }()
	for _, e := range entries {
		next := e.key
		if name != "" {
			next = name + "." + e.key
		}
		if err := w.walk(next, e.v); err != nil {
			return err
		}
	}
	return nil
}

// pathValue is v where it can be compared.
func pathValue(v value) value {
	if _, ok := v.(tuple); ok {
		return nil
	}
	return v
}

func (w *flattener) take(name string, t *Tensor) error {
	if name == "" {
		name = "tensor" // the file holds nothing else
	}
	if len(name) > 4*maxName {
		return fmt.Errorf("a name of %d bytes, %.40q…", len(name), name)
	}
	if len(w.s.Tensors) >= maxTensors {
		return fmt.Errorf("more than %d tensors", maxTensors)
	}
	if w.names[name] {
		return fmt.Errorf("two tensors are named %q", name)
	}
	n, err := t.size()
	if err != nil {
		return fmt.Errorf("tensor %q: %w", name, err)
	}
	if w.bytes += n; w.bytes > w.most {
		return fmt.Errorf("the tensors up to %q need more than %d bytes, four times the file: views that repeat numbers are refused", name, w.most)
	}
	if w.stores[t.store.blob] {
		w.s.Shared++
	}
	w.names[name], w.stores[t.store.blob] = true, true
	w.s.Tensors = append(w.s.Tensors, Named{name, t})
	return nil
}
