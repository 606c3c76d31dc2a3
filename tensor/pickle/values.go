package pickle

import (
	"fmt"
	"math/big"
)

// value is what the machine's stack holds: nil (None), bool, int64, *big.Int, float64, string, []byte, *list, tuple, *dict, global, *bag,
// *storage, *Tensor, *numpyType or mark.
type value any

// mark is the bottom of a group on the stack.
type mark struct{}

// list is a Python list or set.
type list struct{ items []value }

// tuple is a Python tuple or torch.Size.
type tuple []value

// dict keeps the order of its keys. Keys other than strings are kept, but found only by walking.
type dict struct {
	keys, values []value
	at           map[string]int // of string keys
}

// set is dict[key] = v.
func (d *dict) set(key, v value) {
	if s, ok := key.(string); ok {
		if i, ok := d.at[s]; ok {
			d.values[i] = v
			return
		}
		if d.at == nil {
			d.at = map[string]int{}
		}
		d.at[s] = len(d.keys)
	}
	d.keys, d.values = append(d.keys, key), append(d.values, v)
}

// get is the value of a string key.
func (d *dict) get(key string) (value, bool) {
	i, ok := d.at[key]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

// global is a name of the table, or a class of a TorchScript archive's own.
type global string

// bag is an object of a class that is not imported: its attributes, once BUILD gives them.
type bag struct {
	class global
	dict
}

// numpyType is a numpy.dtype: kind and size such as "f8", and whether it is big-endian.
type numpyType struct {
	code string
	big  bool
}

// kindOf names a value for messages.
func kindOf(v value) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "a bool"
	case int64, *big.Int:
		return fmt.Sprintf("the integer %d", v)
	case float64:
		return "a float"
	case string:
		return fmt.Sprintf("the string %.40q", v)
	case []byte:
		return "bytes"
	case *list:
		return "a list"
	case tuple:
		return fmt.Sprintf("a tuple of %d", len(v))
	case *dict:
		return "a dict"
	case global:
		return fmt.Sprintf("the name %s", string(v))
	case *bag:
		return fmt.Sprintf("an object of %s", string(v.class))
	case *storage:
		return "a storage"
	case *Tensor:
		return "a tensor"
	case *numpyType:
		return "a numpy.dtype"
	case mark:
		return "a mark"
	}
	return fmt.Sprintf("%T", v)
}
