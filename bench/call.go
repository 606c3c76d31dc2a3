package bench

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"syntic/kernels"
	"syntic/tensor/safetensors"
)

// CallOptions say how [CallOp] calls an op.
type CallOptions struct {
	Variant string            // "" is the machine's choice
	Device  string            // as tensor.Open takes it: cpu, cuda:0
	Set     map[string]string // options by name
	Shapes  map[string][]int  // of outputs; also asks for optional ones that have no rule
	With    []string          // optional outputs to compute
}

// maxElements bounds an output.
const maxElements = 1 << 31

// CallOp runs one op on the tensors of in, which have the names of its fields, and gives its outputs. Layouts are the op's own: images
// [B, H, W, C], weights of convolutions [O, KH, KW, I]. Tensors of in that are no fields are an error, as are options of no such name.
func CallOp(name string, in *safetensors.File, o CallOptions) (out []safetensors.Tensor, err error) {
	found, err := ops([]string{name})
	if err != nil {
		return nil, err
	}
	c := &caller{op: found[0], sig: signature(found[0]), call: found[0].NewCall(nil), o: o}
	c.args = reflect.ValueOf(c.call.Args).Elem()
	if o.Variant != "" && !slices.ContainsFunc(c.op.VariantList(), func(v kernels.VariantInfo) bool { return v.Name == o.Variant }) {
		var names []string
		for _, v := range c.op.VariantList() {
			names = append(names, v.Name)
		}
		return nil, fmt.Errorf("%s has no variant %q, it has %s", name, o.Variant, strings.Join(names, ", "))
	}
	if err := c.options(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := c.inputs(in); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := c.outputs(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := c.call.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := c.run(); err != nil {
		return nil, err
	}
	return c.results(), nil
}

// caller fills in the arguments of one call.
type caller struct {
	op   kernels.AnyOp
	sig  Signature
	call *kernels.Call
	args reflect.Value // the struct
	o    CallOptions
	want []string // outputs that are there
}

func (c *caller) view(name string) *kernels.View {
	return c.args.FieldByName(name).Addr().Interface().(*kernels.View)
}

// options sets defaults and what was asked for.
func (c *caller) options() error {
	left := maps.Clone(c.o.Set)
	var err error
	var names []string
	for i := range c.args.NumField() {
		f := c.args.Type().Field(i)
		if f.Type == viewType {
			continue
		}
		eachOption(f.Name, c.args.Field(i), func(name string, v reflect.Value) {
			names = append(names, name)
			setDefault(c.sig.Op, name, v)
			if text, ok := left[name]; ok && err == nil {
				delete(left, name)
				if e := parse(v, text); e != nil {
					err = fmt.Errorf("option %s=%s: %w", name, text, e)
				}
			}
		})
	}
	for name := range left {
		return fmt.Errorf("no option %q, there are %s", name, strings.Join(names, ", "))
	}
	return err
}

// parse sets an option from text.
func parse(v reflect.Value, text string) error {
	if names := choices(v.Type()); names != nil {
		i := slices.Index(names, text)
		if i < 0 {
			return fmt.Errorf("want %s", strings.Join(names, ", "))
		}
		v.SetUint(uint64(i))
		return nil
	}
	switch {
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("want true or false")
		}
		v.SetBool(b)
	case v.CanFloat():
		x, err := strconv.ParseFloat(text, 32)
		if err != nil {
			return fmt.Errorf("want a number")
		}
		v.SetFloat(x)
	case v.CanInt():
		n, err := strconv.ParseInt(text, 10, 31)
		if err != nil {
			return fmt.Errorf("want a whole number")
		}
		v.SetInt(n)
	case v.CanUint():
		n, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("want a whole number from 0")
		}
		v.SetUint(n)
	case v.Kind() == reflect.Array:
		parts := strings.Split(text, ",")
		if len(parts) > v.Len() {
			return fmt.Errorf("want at most %d numbers", v.Len())
		}
		for i, part := range parts {
			if err := parse(v.Index(i), part); err != nil {
				return err
			}
		}
	}
	return nil
}

// inputs reads the tensors of the file into host memory, as 4-byte, half or byte elements.
func (c *caller) inputs(in *safetensors.File) error {
	readable := map[string]bool{}
	var names []string
	for _, f := range c.sig.Inputs {
		readable[f.Name] = true
		names = append(names, f.Name)
		if _, ok := in.Info(f.Name); !ok && !f.Optional {
			return fmt.Errorf("the inputs have no tensor %q", f.Name)
		}
	}
	for _, f := range c.sig.Outputs {
		if f.InPlace || f.MayRead {
			readable[f.Name] = true
			names = append(names, f.Name)
		}
	}
	for _, name := range in.Names() {
		if !readable[name] {
			return fmt.Errorf("the inputs have a tensor %q: want %s", name, strings.Join(names, ", "))
		}
		v, err := hostView(in, name)
		if err != nil {
			return err
		}
		*c.view(name) = v
	}
	if q := c.args.FieldByName("Q"); q.IsValid() { // attention's scale has a default that depends on the heads
		if v, scale := c.view("Q"), c.args.FieldByName("Scale"); scale.Float() == 0 && v.Rank() == 4 {
			scale.SetFloat(1 / math.Sqrt(float64(v.Dim(3))))
		}
	}
	return nil
}

// hostView copies a tensor of a file to memory of its own.
func hostView(in *safetensors.File, name string) (kernels.View, error) {
	info, _ := in.Info(name)
	if len(info.Shape) > kernels.MaxRank {
		return kernels.View{}, fmt.Errorf("tensor %q has %d dimensions: want at most %d", name, len(info.Shape), kernels.MaxRank)
	}
	n := 1
	for _, d := range info.Shape {
		n *= d
	}
	if n == 0 {
		return kernels.View{}, fmt.Errorf("tensor %q has shape %v: want at least one element", name, info.Shape)
	}
	switch info.DType {
	case safetensors.F32, safetensors.F64:
		x, err := in.Float32s(name)
		return kernels.Of(x, info.Shape...), err
	case safetensors.F16, safetensors.BF16:
		b, err := in.Bytes(name)
		x := make([]uint16, n)
		for i := range x {
			x[i] = binary.LittleEndian.Uint16(b[2*i:])
		}
		v := kernels.Of(x, info.Shape...)
		if info.DType == safetensors.F16 {
			v.DType = kernels.F16
		}
		return v, err
	case safetensors.U8:
		b, err := in.Bytes(name)
		return kernels.Of(slices.Clone(b), info.Shape...), err
	}
	x, err := in.Int64s(name)
	y := make([]int32, len(x))
	for i, v := range x {
		if v < math.MinInt32 || v > math.MaxInt32 {
			return kernels.View{}, fmt.Errorf("tensor %q: element %d is %d: want a 32-bit number", name, i, v)
		}
		y[i] = int32(v)
	}
	return kernels.Of(y, info.Shape...), err
}

// outputs makes room for what the op writes.
func (c *caller) outputs() error {
	for _, name := range append(slices.Collect(maps.Keys(c.o.Shapes)), c.o.With...) {
		if _, ok := c.sig.output(name); !ok {
			return fmt.Errorf("no output %q", name)
		}
	}
	for _, f := range c.sig.Outputs {
		shape, given := c.o.Shapes[f.Name]
		switch {
		case !c.view(f.Name).Absent(): // in place
			if given {
				return fmt.Errorf("output %s is among the inputs and has its shape from there", f.Name)
			}
		case given:
		case f.Optional && !slices.Contains(c.o.With, f.Name):
			continue
		case f.InPlace:
			return fmt.Errorf("the inputs have no tensor %q, which is changed in place", f.Name)
		case f.Shape == "":
			return fmt.Errorf("no input tells the shape of output %s: want it given", f.Name)
		default:
			var err error
			if shape, err = shapeOf(c.args, f.Shape); err != nil {
				return err
			}
		}
		c.want = append(c.want, f.Name)
		if c.view(f.Name).Absent() {
			if err := c.room(f.Name, shape); err != nil {
				return err
			}
		}
	}
	return c.checkIDs()
}

// room gives an output memory that no kernel would leave as it is.
func (c *caller) room(name string, shape []int) error {
	n := 1
	for _, d := range shape {
		if d < 1 || n > maxElements/d {
			return fmt.Errorf("output %s has shape %v: want sizes from 1 and at most %d elements", name, shape, maxElements)
		}
		n *= d
	}
	if len(shape) > kernels.MaxRank {
		return fmt.Errorf("output %s has shape %v: want at most %d dimensions", name, shape, kernels.MaxRank)
	}
	if wholeNumbers[c.sig.Op+"."+name] {
		*c.view(name) = kernels.PoisonInts(shape...)
	} else {
		*c.view(name) = kernels.Poison(shape...)
	}
	return nil
}

// checkIDs looks at whole numbers that point into another operand.
func (c *caller) checkIDs() error {
	for _, f := range c.sig.Inputs {
		rule, ok := idRanges[c.sig.Op+"."+f.Name]
		v := c.view(f.Name)
		if !ok || v.Absent() {
			continue
		}
		limit, err := shapeOf(c.args, rule)
		if err != nil {
			return err
		}
		if v.DType != kernels.I32 {
			return fmt.Errorf("%s is %v: want whole numbers", f.Name, v)
		}
		ignore := int32(-1)
		if e := c.args.FieldByName("Ignore"); e.IsValid() {
			ignore = int32(e.Int())
		}
		for i, id := range v.I32() {
			if (id < 0 || int(id) >= limit[0]) && (!strings.HasSuffix(c.sig.Op, "crossentropy") || id != ignore) {
				return fmt.Errorf("%s[%d] is %d: want 0 to %d", f.Name, i, id, limit[0]-1)
			}
		}
	}
	return nil
}

// run copies the operands to the device, runs the op and copies what it wrote back.
func (c *caller) run() (err error) {
	kind, device := kernels.CPU, 0
	if family, at, _ := strings.Cut(c.o.Device, ":"); family == "cuda" {
		kind = kernels.CUDA
		if device, err = strconv.Atoi(cmp.Or(at, "0")); err != nil {
			return fmt.Errorf("device %q: want cpu or cuda:N", c.o.Device)
		}
	}
	b := kernels.BackendOf(kind)
	if b == nil || device >= len(b.Devices()) {
		return fmt.Errorf("no device %q here", c.o.Device)
	}
	s, err := b.NewStream(device)
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(c)
	if kind == kernels.CPU {
		return c.call.Run(s, c.o.Variant)
	}
	in, out := c.call.Views()
	host := map[*kernels.View]kernels.View{}
	defer func() {
		for v, h := range host {
			b.Free(device, v.Ptr())
			*v = h
		}
	}()
	for _, v := range append(slices.Clone(in), out...) {
		if _, done := host[v]; done || v.Absent() {
			continue
		}
		var p unsafe.Pointer
		if p, err = b.Alloc(device, v.Bytes()); err != nil {
			return err
		}
		host[v] = *v
		*v = kernels.NewView(v.DType, p, v.Shape()...)
		h := host[v]
		if err := b.CopyIn(s, p, h.Ptr(), h.Bytes()); err != nil {
			return err
		}
	}
	if err := c.call.Run(s, c.o.Variant); err != nil {
		return err
	}
	for _, v := range out {
		if h, ok := host[v]; ok {
			if err := b.CopyOut(s, h.Ptr(), v.Ptr(), h.Bytes()); err != nil {
				return err
			}
		}
	}
	return b.Sync(s)
}

// results are the outputs as tensors of a file.
func (c *caller) results() (out []safetensors.Tensor) {
	for _, name := range c.want {
		v := c.view(name)
		t := safetensors.Tensor{Name: name, Shape: slices.Clone(v.Shape())}
		switch v.DType {
		case kernels.I32:
			t.DType = safetensors.I64
			for _, x := range v.I32() {
				t.Ints = append(t.Ints, int64(x))
			}
		case kernels.F32:
			t.DType, t.Floats = safetensors.F32, slices.Clone(v.F32())
		default:
			t.DType = map[kernels.DType]safetensors.DType{kernels.F16: safetensors.F16, kernels.BF16: safetensors.BF16, kernels.U8: safetensors.U8}[v.DType]
			t.Bytes = slices.Clone(unsafe.Slice((*byte)(v.Ptr()), v.Bytes()))
		}
		out = append(out, t)
	}
	return out
}
