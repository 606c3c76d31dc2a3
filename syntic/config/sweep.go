package config

import (
	"fmt"
	"slices"
	"strings"
)

// Axis is a key that a sweep varies, and the values it takes.
type Axis struct {
	Key    string
	Values []string
}

// ParseAxis reads "key=v1,v2,…". Values of keys that are lists have commas of their own and stand apart by |.
func ParseAxis(text string) (Axis, error) {
	key, list, found := strings.Cut(text, "=")
	sep := ","
	if strings.Contains(list, "|") {
		sep = "|"
	}
	a := Axis{Key: named(strings.TrimSpace(key))}
	for _, v := range strings.Split(list, sep) {
		if v = strings.TrimSpace(v); v != "" {
			if slices.Contains(a.Values, v) {
				return a, fmt.Errorf("%s: value %s twice", text, v)
			}
			a.Values = append(a.Values, v)
		}
	}
	if !found || key == "" || len(a.Values) == 0 {
		return a, fmt.Errorf("%q: want key=value,value, such as refine.steps=5,10,20", text)
	}
	switch top, _, _ := strings.Cut(a.Key, "."); top {
	case "preset", "seed", "seeds", "sweep":
		return a, fmt.Errorf("%q: %s cannot be varied: want a key of the method or its data", text, a.Key)
	}
	return a, nil
}

// Point is one recipe of a sweep.
type Point struct {
	Sets   []string // the overrides that make it, key=value, one an axis
	Recipe *Recipe
}

// Points are the recipes of all combinations of the axes, the first axis slowest. Each is r with other values of those keys, validated.
func (r *Recipe) Points(axes []Axis) ([]Point, error) {
	points := []Point{{nil, r}}
	for i, a := range axes {
		for _, b := range axes[:i] {
			if a.Key == b.Key {
				return nil, &Error{"sweep", fmt.Sprintf("%s twice: want each key once", a.Key)}
			}
		}
		var next []Point
		for _, p := range points {
			for _, v := range a.Values {
				out := p.Recipe.clone()
				set := a.Key + "=" + v
				if err := out.set(set, "sweep"); err != nil {
					return nil, err
				}
				next = append(next, Point{append(slices.Clone(p.Sets), set), out})
			}
		}
		points = next
	}
	for _, p := range points {
		p.Recipe.Sweep.Over = nil // a point varies nothing
		if err := p.Recipe.Validate(); err != nil {
			return nil, fmt.Errorf("sweep, %s: %w", strings.Join(p.Sets, " "), err)
		}
	}
	return points, nil
}

// Axes are those of the key sweep.over.
func (r *Recipe) Axes() ([]Axis, error) {
	var axes []Axis
	for _, text := range r.Sweep.Over {
		a, err := ParseAxis(text)
		if err != nil {
			return nil, r.fault("sweep.over", "%v", err)
		}
		axes = append(axes, a)
	}
	return axes, nil
}

// With returns a copy of r with overrides "a.b=c", which come from where from says, validated.
func (r *Recipe) With(from string, sets ...string) (*Recipe, error) {
	out := r.clone()
	for _, set := range sets {
		if err := out.set(set, from); err != nil {
			return nil, err
		}
	}
	return out, out.Validate()
}

// Differing lists the keys of which a and b have other values, but for those that never change a result.
func Differing(a, b *Recipe) []string {
	var out []string
	other := b.Keys()
	for i, k := range a.Keys() {
		idle := strings.HasPrefix(k.Path, "shards.") || strings.HasPrefix(k.Path, "sweep.") || slices.Contains([]string{"preset", "synth.batch", "clip.batch"}, k.Path)
		if !idle && fmt.Sprint(k.Value) != fmt.Sprint(other[i].Value) {
			out = append(out, k.Path)
		}
	}
	return out
}

// Find returns a key with its present value. The error names the nearest key.
func (r *Recipe) Find(path string) (Key, error) {
	k, err := r.find(path)
	if err != nil {
		return k, &Error{"recipe", err.Error()}
	}
	return k, nil
}
