package nn

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"syntic/tensor"
)

// Named is a parameter with its name in the checkpoint, its layout there ("", "oihw", "io") and its kind of initial value.
type Named struct {
	Name, Layout, Init string
	*tensor.Tensor
}

// Parameters lists the parameters of a module in order of declaration. A parameter that is used twice is listed once, under its first name.
// It panics if the module is not built as the package says.
func Parameters(module any) []Named {
	w := walker{seen: map[*tensor.Tensor]bool{}}
	w.walk(reflect.ValueOf(module), "", "", "")
	return w.list
}

type walker struct {
	list []Named
	seen map[*tensor.Tensor]bool
}

var tensorType = reflect.TypeFor[*tensor.Tensor]()

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "." + b
}

func (w *walker) walk(v reflect.Value, name, layout, init string) {
	if v.Type() == tensorType {
		if t := v.Interface().(*tensor.Tensor); t != nil && !w.seen[t] {
			w.seen[t] = true
			w.list = append(w.list, Named{name, layout, init, t})
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			w.walk(v.Elem(), name, layout, init)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			w.walk(v.Index(i), join(name, strconv.Itoa(i)), layout, init)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			tag, ok := f.Tag.Lookup("name")
			if !ok || tag == "-" {
				continue
			}
			if !f.IsExported() {
				panic(fmt.Sprintf("nn: field %s of %v is named %q but not exported", f.Name, v.Type(), tag))
			}
			n, layout, _ := strings.Cut(tag, ",")
			w.walk(v.Field(i), join(name, n), layout, f.Tag.Get("init"))
		}
	default:
		panic(fmt.Sprintf("nn: %q is a %v: want a tensor, a struct, or a slice of them", name, v.Type()))
	}
}

// Freeze stops gradients from flowing to a module's parameters.
func Freeze(module any) { SetTrainable(module, true, func(string) bool { return false }) }

// SetTrainable tells for each parameter by name whether gradients flow to it; all others get deflt when choose is nil.
func SetTrainable(module any, deflt bool, choose func(name string) bool) {
	for _, p := range Parameters(module) {
		on := deflt
		if choose != nil {
			on = choose(p.Name)
		}
		p.Tensor.SetTrainable(on)
	}
}

// Count is the number of numbers in a module's parameters.
func Count(module any) (n int) {
	for _, p := range Parameters(module) {
		n += p.Len()
	}
	return n
}

// Release frees a module's parameters.
func Release(module any) {
	for _, p := range Parameters(module) {
		p.Tensor.Release()
	}
}
