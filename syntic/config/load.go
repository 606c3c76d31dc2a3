package config

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

//go:embed presets/*.yaml
var presets embed.FS

// maxRecipe bounds the size of a recipe file in bytes.
const maxRecipe = 1 << 20

// Presets lists the names of the embedded recipes: toy first, then by name.
func Presets() []string {
	list, err := presets.ReadDir("presets")
	if err != nil {
		panic("config: " + err.Error()) // embedded
	}
	names := []string{"toy"}
	for _, f := range list {
		if name := strings.TrimSuffix(f.Name(), ".yaml"); name != "toy" {
			names = append(names, name)
		}
	}
	slices.Sort(names[1:]) // by name, not by file: coco before coco-decap
	return names
}

// Preset returns the text of an embedded recipe. Its key preset names the one that it starts from, or itself.
func Preset(name string) ([]byte, error) {
	data, err := presets.ReadFile("presets/" + name + ".yaml")
	if err != nil {
		return nil, noPreset(name)
	}
	return data, nil
}

func noPreset(name string) error {
	return fmt.Errorf("no preset %q: nearest is %q; syntic recipe --list shows all", name, nearest(name, Presets()))
}

// Summary is the first line of an embedded recipe: what it is for.
func Summary(name string) string {
	text, err := Preset(name)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimPrefix(line, "# ")
}

// Load makes a recipe: the defaults, then a preset, then the file, then the overrides "a.b=c" in order; and validates it.
// source is the name of a preset, the path of a YAML file (which names its preset by the key preset), or empty for the
// toy preset. Its errors are *Error or wrap what the file system said.
func Load(source string, sets []string) (*Recipe, error) {
	r := Default()
	r.origin = map[string]string{}
	if err := r.load(source); err != nil {
		return nil, err
	}
	for _, set := range sets {
		if err := r.set(set, "--set"); err != nil {
			return nil, err
		}
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Recipe) load(source string) error {
	if source == "" {
		source = "toy"
	}
	if _, err := Preset(source); err == nil {
		return r.preset(source, 0)
	}
	info, err := os.Stat(source)
	switch {
	case errors.Is(err, fs.ErrNotExist) && filepath.Ext(source) == "":
		_, err = Preset(source)
		return &Error{"recipe " + source, "no such file, and " + err.Error()}
	case err != nil:
		return &Error{"recipe", err.Error()}
	case !info.Mode().IsRegular() || info.Size() > maxRecipe:
		return &Error{source, fmt.Sprintf("not a recipe: want a YAML file of at most %d bytes", maxRecipe)}
	}
	text, err := os.ReadFile(source)
	if err != nil {
		return &Error{"recipe", err.Error()}
	}
	name := filepath.Base(source)
	base, err := probe(name, text)
	if err != nil {
		return err
	}
	if err := r.preset(base, 0); err != nil {
		return err
	}
	return r.apply(name, text)
}

// probe is the preset that a text names: it comes before the text's other keys, wherever the text names it.
func probe(name string, text []byte) (string, error) {
	r := Default()
	r.origin = map[string]string{}
	if err := r.apply(name, text); err != nil {
		return "", err
	}
	if _, err := Preset(r.Preset); err != nil {
		return "", r.fault("preset", "%v", err)
	}
	return r.Preset, nil
}

// preset applies an embedded recipe, after the one that it starts from.
func (r *Recipe) preset(name string, depth int) error {
	text, err := Preset(name)
	if err != nil {
		return err
	}
	base, err := probe("preset "+name, text)
	if err != nil {
		return err
	}
	if base != name {
		if depth > len(Presets()) {
			panic("config: presets that start from each other: " + name)
		}
		if err := r.preset(base, depth+1); err != nil {
			return err
		}
	}
	if err := r.apply("preset "+name, text); err != nil {
		return err
	}
	r.Preset = name
	return nil
}

// set takes an override a.b=c; the elements of a list are separated by commas.
func (r *Recipe) set(override, from string) error {
	path, text, found := strings.Cut(override, "=")
	if !found {
		return &Error{from + " " + override, "want key=value, such as refine.steps=20"}
	}
	key, err := r.find(path)
	if err != nil {
		return &Error{from + " " + override, err.Error()}
	}
	if key.field.Kind() == reflect.Slice {
		var words []string
		for _, word := range strings.Split(strings.Trim(text, "[]"), ",") {
			if word = strings.TrimSpace(word); word != "" {
				words = append(words, word)
			}
		}
		key.field.Set(reflect.ValueOf(words))
	} else if err := key.put(text); err != nil {
		return &Error{from + " " + override, err.Error()}
	}
	if path == "preset" {
		return &Error{from + " " + override, "the preset cannot be overridden: name it in place of the recipe file, or in it"}
	}
	r.origin[key.Path] = from
	return nil
}

// aliases are other names of keys.
var aliases = map[string]string{"data.train": "data.captions"}

func named(path string) string {
	if other, ok := aliases[path]; ok {
		return other
	}
	return path
}

func (r *Recipe) find(path string) (Key, error) {
	path = named(path)
	keys := r.Keys()
	names := make([]string, len(keys))
	for i, k := range keys {
		if names[i] = k.Path; k.Path == path {
			return k, nil
		}
	}
	return Key{}, fmt.Errorf("unknown key %q: nearest is %q", path, nearest(path, names))
}

// apply reads YAML text into r. name stands for the file in errors and origins.
func (r *Recipe) apply(name string, text []byte) error {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		var at yaml.Error
		if errors.As(err, &at) {
			return &Error{position(name, at.GetToken()), at.GetMessage()}
		}
		return &Error{name, err.Error()}
	}
	if len(file.Docs) > 1 {
		return &Error{name, "several documents: want one"}
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil || file.Docs[0].Body.Type() == ast.NullType {
		return nil
	}
	return r.mapping(name, file.Docs[0].Body, "")
}

func (r *Recipe) mapping(name string, node ast.Node, prefix string) error {
	var pairs []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	case *ast.NullNode:
		return nil // a section without keys
	default:
		return &Error{position(name, node.GetToken()), fmt.Sprintf("%s: want keys with values", orRecipe(strings.TrimSuffix(prefix, ".")))}
	}
	keys := r.Keys()
	for _, pair := range pairs {
		at := pair.Key.GetToken()
		path := named(prefix + at.Value)
		if err := r.pair(name, pair.Value, at, path, keys); err != nil {
			return err
		}
	}
	return nil
}

func orRecipe(path string) string {
	if path == "" {
		return "recipe"
	}
	return path
}

// pair reads one key: a section, or a value into its field.
func (r *Recipe) pair(name string, value ast.Node, at *token.Token, path string, keys []Key) error {
	var siblings []string // what may stand here: full paths, and sections at this depth
	depth := strings.Count(path, ".")
	for _, k := range keys {
		if k.Path == path {
			return r.value(name, k, value)
		}
		if strings.HasPrefix(k.Path, path+".") {
			return r.mapping(name, value, path+".")
		}
		if parts := strings.Split(k.Path, "."); len(parts) > depth+1 {
			siblings = append(siblings, strings.Join(parts[:depth+1], "."))
		}
		siblings = append(siblings, k.Path)
	}
	return &Error{position(name, at), fmt.Sprintf("unknown key %q: nearest is %q", path, nearest(path, siblings))}
}

func (r *Recipe) value(name string, k Key, node ast.Node) error {
	where := position(name, node.GetToken())
	if k.field.Kind() == reflect.Slice {
		list, ok := node.(*ast.SequenceNode)
		if !ok {
			return &Error{where, k.Path + ": want a list, such as [a, b]"}
		}
		var words []string
		for _, item := range list.Values {
			text, ok := plain(item)
			if !ok {
				return &Error{position(name, item.GetToken()), k.Path + ": want a list of texts"}
			}
			words = append(words, text)
		}
		k.field.Set(reflect.ValueOf(words))
	} else {
		text, ok := plain(node)
		_, quoted := node.(*ast.StringNode)
		quoted = quoted && node.GetToken().Type != token.StringType
		if !ok || quoted && k.Type != "text" {
			return &Error{where, fmt.Sprintf("%s: want %s", k.Path, k.Wanted())}
		}
		if err := k.put(text); err != nil {
			return &Error{where, err.Error()}
		}
	}
	r.origin[k.Path] = where
	if strings.HasPrefix(name, "preset ") {
		r.origin[k.Path] = name
	}
	return nil
}

// plain is the text of a scalar; sections, lists, aliases and tags have none. An empty value is the empty text.
func plain(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return node.GetToken().Value, true
	case *ast.NullNode:
		return "", true
	}
	return "", false
}

func position(name string, at *token.Token) string {
	if at == nil || at.Position == nil {
		return name
	}
	return fmt.Sprintf("%s:%d:%d", name, at.Position.Line, at.Position.Column)
}
