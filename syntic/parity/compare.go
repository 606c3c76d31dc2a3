package parity

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"syntic/tensor/safetensors"
)

// Difference is how far a tensor is from another of the same name.
type Difference struct {
	Name      string  `json:"name"`
	Shape     []int   `json:"shape"`
	MaxAbs    float64 `json:"max_abs"`              // largest difference of two elements
	MaxRel    float64 `json:"max_rel"`              // that over the largest value of the wanted tensor; infinite differences count as the largest float64
	Cosine    float64 `json:"cosine"`               // of the angle between the two, all elements in a row
	NotFinite int     `json:"not_finite,omitempty"` // elements that are NaN on either side or infinite on one; left out of the others
	Problem   string  `json:"problem,omitempty"`    // shapes that differ: nothing was compared
	Beyond    bool    `json:"beyond"`               // whether MaxRel is above the tolerance, or something is wrong
}

// Comparison is what [Compare] finds.
type Comparison struct {
	Tensors []Difference `json:"tensors"` // in the order in which they were computed where a file tells it, else by name
	OnlyGot []string     `json:"only_a"`
	OnlyIn  []string     `json:"only_b"`
	First   string       `json:"first"` // the first tensor beyond the tolerance, or ""
}

// Compare holds the tensors of got against those of want, by name. Floats are compared as float32, other types as whole numbers.
// tolerance is that of MaxRel.
func Compare(got, want *safetensors.File, tolerance float64) (*Comparison, error) {
	c := &Comparison{Tensors: []Difference{}, OnlyGot: []string{}, OnlyIn: []string{}}
	for _, name := range want.Names() {
		if _, ok := got.Info(name); !ok {
			c.OnlyIn = append(c.OnlyIn, name)
		}
	}
	slices.SortFunc(c.OnlyIn, byNumbers)
	for _, name := range inOrder(got, want) {
		if _, ok := want.Info(name); !ok {
			c.OnlyGot = append(c.OnlyGot, name)
			continue
		}
		d, err := difference(got, want, name)
		if err != nil {
			return nil, err
		}
		d.Beyond = d.Problem != "" || d.NotFinite > 0 || d.MaxRel > tolerance
		if d.Beyond && c.First == "" {
			c.First = name
		}
		c.Tensors = append(c.Tensors, d)
	}
	return c, nil
}

func difference(got, want *safetensors.File, name string) (Difference, error) {
	g, _ := got.Info(name)
	w, _ := want.Info(name)
	d := Difference{Name: name, Shape: w.Shape, Cosine: 1}
	if !slices.Equal(g.Shape, w.Shape) {
		d.Problem = fmt.Sprintf("shape %v, want %v", g.Shape, w.Shape)
		return d, nil
	}
	a, err := values(got, name)
	if err != nil {
		return d, err
	}
	b, err := values(want, name)
	if err != nil {
		return d, err
	}
	d.measure(a, b)
	return d, nil
}

// values is a tensor's elements; whole numbers up to 2^53 are exact.
func values(f *safetensors.File, name string) ([]float64, error) {
	info, _ := f.Info(name)
	switch info.DType {
	case safetensors.F64, safetensors.F32, safetensors.F16, safetensors.BF16:
		x, err := f.Float32s(name)
		return widened(x), err
	}
	x, err := f.Int64s(name)
	return widened(x), err
}

func widened[T float32 | int64](x []T) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func (d *Difference) measure(a, b []float64) {
	var top, aa, bb, ab float64
	for i, y := range b {
		x := a[i]
		e := math.Abs(x - y)
		switch {
		case x == y && math.IsInf(x, 0):
			continue
		case math.IsNaN(e) || math.IsInf(e, 0):
			d.NotFinite++
			continue
		}
		d.MaxAbs, top = max(d.MaxAbs, e), max(top, math.Abs(y))
		aa, bb, ab = aa+x*x, bb+y*y, ab+x*y
	}
	switch {
	case d.MaxAbs == 0:
	case top == 0:
		d.MaxRel = math.MaxFloat64
	default:
		d.MaxRel = d.MaxAbs / top
	}
	switch {
	case d.MaxAbs == 0:
		d.Cosine = 1
	case aa == 0 || bb == 0:
		d.Cosine = 0
	default:
		d.Cosine = min(1, ab/math.Sqrt(aa)/math.Sqrt(bb))
	}
}

// orderKey is the metadata under which Write keeps the order of the tensors.
const orderKey = "order"

// Write stores the results of Forward, and in the file's metadata their order, for Compare.
func Write(path string, out []safetensors.Tensor) error {
	names := make([]string, len(out))
	for i, t := range out {
		names[i] = t.Name
	}
	order, err := json.Marshal(names)
	if err != nil {
		return err
	}
	return safetensors.Write(path, out, map[string]string{orderKey: string(order), "format": "pt"})
}

// inOrder is the names of got in the order that either file's metadata tells; the others follow by name.
func inOrder(got, want *safetensors.File) []string {
	place := map[string]int{}
	for _, f := range []*safetensors.File{got, want} {
		var names []string
		if text := f.Metadata()[orderKey]; len(place) == 0 && json.Unmarshal([]byte(text), &names) == nil {
			for i, name := range names {
				place[name] = i - len(names) // below 0, the place of all others
			}
		}
	}
	list := slices.Clone(got.Names())
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(place[a]-place[b], byNumbers(a, b)) })
	return list
}

// byNumbers orders names with numbers in them as people do: layer.2 before layer.10.
func byNumbers(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	return slices.CompareFunc(as, bs, func(x, y string) int {
		if isNumber(x) && isNumber(y) {
			return cmp.Or(len(x)-len(y), strings.Compare(x, y))
		}
		return strings.Compare(x, y)
	})
}

func isNumber(s string) bool {
	return s != "" && s[0] != '0' && strings.Trim(s, "0123456789") == "" || s == "0"
}
