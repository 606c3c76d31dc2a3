package nn

import (
	"encoding/binary"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"unsafe"

	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// LoadOptions of Load.
type LoadOptions struct {
	Rename  func(file string) string // the module's name for a name of the file; "" skips it
	Ignore  func(file string) bool   // names of the file that are no parameters
	Partial bool                     // parameters that the file lacks keep their values
	Map     bool                     // on the CPU, use the file's memory, in its dtype: the file must stay open as long as the module lives
}

// Load fills a module from a checkpoint. The error lists every missing, unexpected and misshapen name; then nothing has been changed.
func Load(module any, f *safetensors.File, o LoadOptions) error {
	params := map[string]Named{}
	for _, p := range Parameters(module) {
		params[p.Name] = p
	}
	type pair struct {
		file string
		p    Named
	}
	var pairs []pair
	var unexpected, misshapen, missing []string
	for _, name := range f.Names() {
		if o.Ignore != nil && o.Ignore(name) {
			continue
		}
		key := name
		if o.Rename != nil {
			if key = o.Rename(name); key == "" {
				continue
			}
		}
		p, ok := params[key]
		if !ok {
			unexpected = append(unexpected, f.Origin(name))
			continue
		}
		delete(params, key)
		info, _ := f.Info(name)
		if want := fileShape(p); !slices.Equal(want, info.Shape) {
			misshapen = append(misshapen, fmt.Sprintf("%s: found %v, want %v", in(f, name), info.Shape, want))
		}
		if !info.DType.IsFloat() {
			misshapen = append(misshapen, fmt.Sprintf("%s: found %s, want F32, F16, BF16 or F64", in(f, name), info.DType))
		}
		pairs = append(pairs, pair{name, p})
	}
	if !o.Partial {
		for name, p := range params {
			missing = append(missing, fmt.Sprintf("%s (want %v)", name, fileShape(p)))
		}
		slices.Sort(missing)
	}
	if m := (&Misfit{missing, unexpected, misshapen}); m.any() {
		return m
	}
	for _, q := range pairs {
		if err := fill(q.p, f, q.file, o.Map); err != nil {
			return err
		}
	}
	if _, own := Memory(module); own > largeModel {
		debug.FreeOSMemory() // what turning layouts left behind: the collector would keep it until as much again has been used
	}
	return nil
}

// largeModel is the memory of their own from which a model's parameters are worth a collection, which takes milliseconds.
const largeModel = 256 << 20

// Misfit is the error of tensors that do not fit a model, with all their names; its text has the first few.
type Misfit struct {
	Missing    []string `json:"missing,omitempty"`    // of the model, with the shape wanted
	Unexpected []string `json:"unexpected,omitempty"` // of the file
	Misshapen  []string `json:"misshapen,omitempty"`  // of the file, with the shapes found and wanted, or a dtype of no weights
}

func (m *Misfit) any() bool { return len(m.Missing)+len(m.Unexpected)+len(m.Misshapen) > 0 }

func (m *Misfit) Error() string {
	var wrong []string
	for _, l := range []struct {
		what  string
		names []string
	}{{"missing", m.Missing}, {"unexpected", m.Unexpected}, {"misshapen", m.Misshapen}} {
		if len(l.names) > 0 {
			wrong = append(wrong, fmt.Sprintf("%d %s: %s", len(l.names), l.what, list(l.names)))
		}
	}
	return "tensors do not fit the model: " + strings.Join(wrong, "; ")
}

// Memory is how many bytes of a module's parameters are used where they lie in the file, and how many are in memory of their own.
func Memory(module any) (mapped, own int64) {
	for _, p := range Parameters(module) {
		if n := int64(p.Bytes()); p.Held() && sameLayout(p) {
			mapped += n
		} else {
			own += n
		}
	}
	return mapped, own
}

// in is a tensor's name in the file, and that of the part it stands for, where that is another.
func in(f *safetensors.File, name string) string {
	if o := f.Origin(name); o != name {
		return o + " as " + name
	}
	return name
}

// list names the first few and counts the rest.
func list(names []string) string {
	const most = 8
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// fileShape is the shape of a parameter in the checkpoint.
func fileShape(p Named) []int {
	s := slices.Clone(p.Shape())
	switch p.Layout {
	case "oihw":
		return []int{s[0], s[3], s[1], s[2]}
	case "io":
		return []int{s[1], s[0]}
	}
	return s
}

// fill gives a parameter its values. With share it uses the file's memory, in the file's dtype, where the layouts are the same; 16-bit weights
// of another layout are transposed in 16 bits, so that they take no more memory than in the file.
func fill(p Named, f *safetensors.File, name string, share bool) error {
	info, _ := f.Info(name)
	d, raw := mappable[info.DType]
	if share && raw && p.Device().IsCPU() && p.Len() > 0 && (sameLayout(p) || d != tensor.F32) {
		b, err := f.Bytes(name)
		if err != nil {
			return err
		}
		if !sameLayout(p) {
			b = transposeHalves(p, b)
			f.Forget(name)
		}
		p.MapRaw(d, b)
		p.OnKept(func() { f.Forget(name) }) // products read their own panels of a weight: its pages need not be resident as well
		return nil
	}
	data, err := f.Float32s(name)
	if err != nil {
		return err
	}
	if share {
		p.Map(inMemory(p, data)) // its own, but never written
	} else {
		p.SetData(inMemory(p, data))
	}
	f.Forget(name)
	return nil
}

// mappable are the dtypes that parameters can be used in.
var mappable = map[safetensors.DType]tensor.DType{safetensors.F32: tensor.F32, safetensors.F16: tensor.F16, safetensors.BF16: tensor.BF16}

// sameLayout tells whether a parameter lies in memory as in the file.
func sameLayout(p Named) bool {
	s := p.Shape()
	return p.Layout == "" || p.Layout == "oihw" && (s[1]*s[2] == 1 || s[3] == 1)
}

// inMemory turns the file's layout into the memory's.
func inMemory[T any](p Named, data []T) []T {
	switch s := p.Shape(); p.Layout {
	case "oihw":
		return transpose(data, s[0], s[3], s[1]*s[2])
	case "io":
		return transpose(data, 1, s[1], s[0])
	}
	return data
}

// transposeHalves is inMemory for elements of two bytes.
func transposeHalves(p Named, b []byte) []byte {
	x := make([]uint16, len(b)/2)
	for i := range x {
		x[i] = binary.NativeEndian.Uint16(b[2*i:]) // as a unit: the order of its bytes stays
	}
	x = inMemory(p, x)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(b))
}

// transpose turns [n, a, b] into [n, b, a].
func transpose[T any](x []T, n, a, b int) []T {
	y := make([]T, len(x))
	for i := range n {
		from, to := x[i*a*b:(i+1)*a*b], y[i*a*b:(i+1)*a*b]
		for j := range a {
			for k := range b {
				to[k*a+j] = from[j*b+k]
			}
		}
	}
	return y
}

// Save writes a module's parameters in the checkpoint's layout and names, as dtype F32, F16 or BF16.
func Save(path string, module any, dtype string, metadata map[string]string) error {
	return SaveParameters(path, Parameters(module), dtype, metadata)
}

// SaveParameters writes parameters in the checkpoint's layout and names.
func SaveParameters(path string, params []Named, dtype string, metadata map[string]string) error {
	var ts []safetensors.Tensor
	for _, p := range params {
		ts = append(ts, stored(p.Name, p, p.Tensor, safetensors.DType(dtype)))
	}
	return safetensors.Write(path, ts, metadata)
}

// stored is t, which has p's shape, as it stands in a file.
func stored(name string, p Named, t *tensor.Tensor, d safetensors.DType) safetensors.Tensor {
	data := t.Float32s()
	switch s := p.Shape(); p.Layout {
	case "oihw":
		data = transpose(data, s[0], s[1]*s[2], s[3])
	case "io":
		data = transpose(data, 1, s[0], s[1])
	}
	return safetensors.Tensor{Name: name, DType: d, Shape: fileShape(p), Floats: data}
}
