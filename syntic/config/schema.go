package config

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Key is one key of a recipe.
type Key struct {
	Path  string // refine.steps
	Doc   string
	Why   string // where the default comes from: a paper, or "ours" and the reason
	Type  string // integer, number, text, true or false, list of texts
	Value any    // int, int64, float64, string, bool or []string
	tag   reflect.StructTag
	field reflect.Value
}

// Keys lists every key of r with its present value, in the order of the structs.
func (r *Recipe) Keys() []Key { return walk(reflect.ValueOf(r).Elem(), "") }

func walk(v reflect.Value, prefix string) []Key {
	var keys []Key
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := f.Tag.Get("yaml")
		if name == "" {
			continue
		}
		if f.Type.Kind() == reflect.Struct {
			keys = append(keys, walk(v.Field(i), prefix+name+".")...)
			continue
		}
		keys = append(keys, Key{prefix + name, f.Tag.Get("doc"), reasons[prefix+name], typeName(f.Type), v.Field(i).Interface(), f.Tag, v.Field(i)})
	}
	return keys
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int, reflect.Int64:
		return "integer"
	case reflect.Float64:
		return "number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "list of texts"
	}
	return "text"
}

// put reads a plain scalar into the key's field.
func (k Key) put(text string) error {
	switch k.field.Kind() {
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 64)
		if err != nil {
			return k.wrong(text)
		}
		k.field.SetInt(n)
	case reflect.Float64:
		x, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return k.wrong(text)
		}
		k.field.SetFloat(x)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return k.wrong(text)
		}
		k.field.SetBool(text == "true")
	case reflect.String:
		k.field.SetString(text)
	default:
		return k.wrong(text)
	}
	return nil
}

func (k Key) wrong(text string) error { return fmt.Errorf("%s: %q: want %s", k.Path, text, k.Wanted()) }

// Wanted says in words what the key takes: "an integer from 1 to 1000".
func (k Key) Wanted() string {
	if choices := k.tag.Get("oneof"); choices != "" {
		return strings.ReplaceAll(choices, "|", ", ")
	}
	s := map[string]string{"integer": "an integer", "number": "a number", "text": "a text", "true or false": "true or false", "list of texts": "a list of texts"}[k.Type]
	low, high := k.tag.Get("min"), k.tag.Get("max")
	switch {
	case strings.HasPrefix(low, ">"):
		s += " above " + low[1:]
	case low != "":
		s += " from " + low
	}
	switch {
	case strings.HasPrefix(high, "<"):
		s += " and below " + high[1:]
	case high != "":
		s += " to " + high
	}
	return s
}

// inRange checks the tags min, max and oneof.
func (k Key) inRange() bool {
	if choices := k.tag.Get("oneof"); choices != "" {
		return slices.Contains(strings.Split(choices, "|"), k.field.String())
	}
	var x float64
	switch k.field.Kind() {
	case reflect.Int, reflect.Int64:
		x = float64(k.field.Int())
	case reflect.Float64:
		x = k.field.Float()
	default:
		return true
	}
	return inside(x, k.tag.Get("min"), ">", 1) && inside(x, k.tag.Get("max"), "<", -1)
}

func inside(x float64, bound, strict string, sign float64) bool {
	if bound == "" {
		return true
	}
	limit, err := strconv.ParseFloat(strings.TrimPrefix(bound, strict), 64)
	if err != nil {
		panic("config: bad tag " + bound)
	}
	d := (x - limit) * sign
	return d > 0 || d == 0 && !strings.HasPrefix(bound, strict)
}

// Section returns the values of the keys that equal one of paths or lie below it, by full path: what a stage depends on.
// An unknown path is a programming error and panics.
func (r *Recipe) Section(paths ...string) map[string]any {
	out := map[string]any{}
	keys := r.Keys()
	for _, path := range paths {
		before := len(out)
		for _, k := range keys {
			if k.Path == path || strings.HasPrefix(k.Path, path+".") {
				out[k.Path] = k.Value
			}
		}
		if len(out) == before {
			panic("config: no key " + path)
		}
	}
	return out
}

// Origin tells where the value of a key came from: "default", "preset coco", "my.yaml:4", "--set", "row decap".
func (r *Recipe) Origin(path string) string {
	if from, ok := r.origin[path]; ok {
		return from
	}
	return "default"
}

func (r *Recipe) clone() *Recipe {
	out := *r
	if out.origin = maps.Clone(r.origin); out.origin == nil {
		out.origin = map[string]string{}
	}
	out.Eval.Rows = slices.Clone(r.Eval.Rows)
	out.Eval.Settings = slices.Clone(r.Eval.Settings)
	out.Sweep.Over = slices.Clone(r.Sweep.Over)
	return &out
}

// nearest is the candidate with the least edit distance to word; the first of equals.
func nearest(word string, candidates []string) string {
	best, least := "", math.MaxInt
	for _, c := range candidates {
		if d := distance(word, c); d < least {
			best, least = c, d
		}
	}
	return best
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal, row[j+1] = row[j+1], min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
