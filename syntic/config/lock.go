package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// LockName is the file that Lock is written to in a run's directory.
const LockName = "recipe.lock.yaml"

// Lock is the recipe as YAML with every key, what it means, and where its value came from. Read back, it gives the same
// recipe; the same recipe gives the same bytes.
func (r *Recipe) Lock() []byte {
	var b strings.Builder
	b.WriteString("# Every value of this run and, behind it, where it came from.\n")
	writeSection(&b, reflect.ValueOf(r).Elem(), r, "", "")
	return []byte(b.String())
}

func writeSection(b *strings.Builder, v reflect.Value, r *Recipe, prefix, indent string) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := f.Tag.Get("yaml")
		if name == "" {
			continue
		}
		if f.Type.Kind() == reflect.Struct {
			fmt.Fprintf(b, "\n%s%s: # %s\n", indent, name, f.Tag.Get("doc"))
			writeSection(b, v.Field(i), r, prefix+name+".", indent+"  ")
			continue
		}
		fmt.Fprintf(b, "%s# %s\n", indent, f.Tag.Get("doc"))
		fmt.Fprintf(b, "%s%s: %s # %s\n", indent, name, scalar(v.Field(i)), r.Origin(prefix+name))
	}
}

func scalar(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case reflect.String:
		return strconv.Quote(v.String())
	case reflect.Slice:
		words := make([]string, v.Len())
		for i := range words {
			words[i] = scalar(v.Index(i))
		}
		return "[" + strings.Join(words, ", ") + "]"
	}
	return fmt.Sprint(v.Interface())
}
