package nn

import (
	"reflect"
	"strconv"
)

// Paths tells for each module within module, by the pointer to its struct, what the checkpoint calls it: "down_blocks.0.resnets.1". The
// module itself is "". A module that is used twice has its first name. It panics as [Parameters] does.
func Paths(module any) map[any]string {
	paths := map[any]string{}
	walkPaths(reflect.ValueOf(module), "", paths)
	return paths
}

func walkPaths(v reflect.Value, name string, paths map[any]string) {
	switch {
	case v.Type() == tensorType:
	case v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface:
		if !v.IsNil() {
			walkPaths(v.Elem(), name, paths)
		}
	case v.Kind() == reflect.Slice || v.Kind() == reflect.Array:
		for i := range v.Len() {
			walkPaths(v.Index(i), join(name, strconv.Itoa(i)), paths)
		}
	case v.Kind() == reflect.Struct:
		if v.CanAddr() {
			at := v.Addr().Interface()
			if _, known := paths[at]; known {
				return
			}
			paths[at] = name
		}
		for i := range v.NumField() {
			if tag, ok := v.Type().Field(i).Tag.Lookup("name"); ok && tag != "-" {
				walkPaths(v.Field(i), join(name, tag), paths)
			}
		}
	}
}
