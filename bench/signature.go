package bench

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"syntic/kernels"
)

// Signature is what one op reads and writes, by the names of its fields, which package kernels explains.
type Signature struct {
	Op      string   `json:"op"`
	Inputs  []Field  `json:"inputs"`
	Outputs []Field  `json:"outputs"`
	Options []Option `json:"options"`
}

// Field is an operand.
type Field struct {
	Name     string `json:"name"`
	Optional bool   `json:"optional"`
	InPlace  bool   `json:"in_place"`        // an output whose old values are an input
	MayRead  bool   `json:"may_read"`        // the same, with some options
	Shape    string `json:"shape,omitempty"` // of an output: how it follows from the inputs; "" must be given
}

// Option is a number or a choice.
type Option struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Default string `json:"default"`
}

// Signatures tells of the ops of the given names, or of all.
func Signatures(names ...string) ([]Signature, error) {
	found, err := ops(names)
	if err != nil {
		return nil, err
	}
	var list []Signature
	for _, op := range found {
		list = append(list, signature(op))
	}
	return list, nil
}

var signatures sync.Map // by op

// signature reads an op's fields off its arguments; those that some test case leaves out are optional. It is made once: the cases take a while.
func signature(op kernels.AnyOp) Signature {
	if sig, ok := signatures.Load(op); ok {
		return sig.(Signature)
	}
	sig := newSignature(op)
	signatures.Store(op, sig)
	return sig
}

func newSignature(op kernels.AnyOp) Signature {
	sig := Signature{Op: op.String(), Inputs: []Field{}, Outputs: []Field{}, Options: []Option{}}
	zero := op.NewCall(nil)
	absent := map[string]bool{}
	place := map[string][2]int{} // in how many cases a field is read, and written
	for i := range op.NumCases() {
		c := op.NewCall(op.CaseDims(i))
		names := viewNames(c.Args)
		in, out := c.Views()
		for k, list := range [][]*kernels.View{in, out} {
			for _, v := range list {
				p := place[names[v]]
				p[k]++
				place[names[v]] = p
				absent[names[v]] = absent[names[v]] || v.Absent()
			}
		}
	}
	args := reflect.ValueOf(zero.Args).Elem()
	for i := range args.NumField() {
		f := args.Type().Field(i)
		if f.Type == viewType {
			switch p := place[f.Name]; {
			case p[1] > 0:
				sig.Outputs = append(sig.Outputs, Field{Name: f.Name, Optional: absent[f.Name], InPlace: p[0] == p[1], MayRead: p[0] > 0 && p[0] < p[1],
					Shape: outputShapes[sig.Op][f.Name]})
			case p[0] > 0:
				sig.Inputs = append(sig.Inputs, Field{Name: f.Name, Optional: absent[f.Name]})
			}
			continue
		}
		eachOption(f.Name, args.Field(i), func(name string, v reflect.Value) {
			setDefault(sig.Op, name, v)
			o := Option{name, optionKind(v), shown(v)}
			if name == "Scale" && place["Q"][0] > 0 {
				o.Default = "1/√D"
			}
			sig.Options = append(sig.Options, o)
		})
	}
	return sig
}

var viewType = reflect.TypeFor[kernels.View]()

// viewNames are the names of the operands in a struct of arguments.
func viewNames(args any) map[*kernels.View]string {
	names := map[*kernels.View]string{}
	v := reflect.ValueOf(args).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Type == viewType {
			names[v.Field(i).Addr().Interface().(*kernels.View)] = v.Type().Field(i).Name
		}
	}
	return names
}

// eachOption visits a field, or the fields of a struct such as a random key, as "Key.Seed".
func eachOption(name string, v reflect.Value, visit func(name string, v reflect.Value)) {
	if v.Kind() != reflect.Struct {
		visit(name, v)
		return
	}
	for i := range v.NumField() {
		eachOption(name+"."+v.Type().Field(i).Name, v.Field(i), visit)
	}
}

// optionKind says what an option takes.
func optionKind(v reflect.Value) string {
	if names := choices(v.Type()); names != nil {
		return strings.Join(names, "|")
	}
	switch v.Kind() {
	case reflect.Bool:
		return "true|false"
	case reflect.Float32:
		return "number"
	case reflect.Array:
		return fmt.Sprintf("%d whole numbers, as 0,1,…", v.Len())
	}
	return "whole number"
}

// choices are the names of an enumeration, in order; nil for other types.
func choices(t reflect.Type) (names []string) {
	if t.Kind() != reflect.Uint8 || !t.Implements(reflect.TypeFor[fmt.Stringer]()) {
		return nil
	}
	defer func() { recover() }() // String of a number that stands for nothing
	for i := range 256 {
		v := reflect.New(t).Elem()
		v.SetUint(uint64(i))
		names = append(names, v.Interface().(fmt.Stringer).String())
	}
	return names
}

// shown is an option's value as parse takes it.
func shown(v reflect.Value) string {
	if v.Kind() == reflect.Array {
		return strings.ReplaceAll(strings.Trim(fmt.Sprint(v.Interface()), "[]"), " ", ",")
	}
	return fmt.Sprint(v.Interface())
}

// defaults are the options that are not 0 by default: what makes the plain op.
var defaults = map[string]map[string]float64{
	"adamw":               {"LR": 1e-3, "Beta1": 0.9, "Beta2": 0.999, "Eps": 1e-8, "GradScale": 1, "Step": 1},
	"affine":              {"A": 1},
	"binary":              {"Alpha": 1, "Beta": 1},
	"box_loss":            {"WL1": 1, "WGIoU": 1, "Norm": 1},
	"box_match":           {"Layers": 1, "ClassCost": 1, "BoxCost": 5, "GIoUCost": 2, "Nothing": 0.1},
	"conv2d":              {"Stride": 1},
	"conv2d_grad_w":       {"Stride": 1},
	"conv2d_grad_x":       {"Stride": 1},
	"crossentropy":        {"Ignore": -100},
	"gemm":                {"Alpha": 1},
	"group_norm":          {"Groups": 32, "Eps": 1e-5},
	"group_norm_grad":     {"Groups": 32},
	"infonce":             {"WX": 0.5, "WY": 0.5},
	"layer_norm":          {"Eps": 1e-5},
	"linear_crossentropy": {"Ignore": -100},
	"max_pool":            {"Kernel": 3, "Stride": 2, "Pad": 1},
	"max_pool_grad":       {"Kernel": 3, "Stride": 2, "Pad": 1},
	"project_topk":        {"Tau": 0.01},
	"project_topk_grad":   {"Tau": 0.01},
	"reduce":              {"Scale": 1},
	"row_norm":            {"Eps": 1e-12},
	"row_norm_grad":       {"Eps": 1e-12},
}

func setDefault(op, name string, v reflect.Value) {
	x, ok := defaults[op][name]
	switch {
	case !ok:
	case v.CanInt():
		v.SetInt(int64(x))
	default:
		v.SetFloat(x)
	}
}

// output is a signature's output by name.
func (s *Signature) output(name string) (Field, bool) {
	i := slices.IndexFunc(s.Outputs, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return Field{}, false
	}
	return s.Outputs[i], true
}
