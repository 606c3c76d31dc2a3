package bench

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/kernels"
	"syntic/tensor/safetensors"
)

// stored is an operand as a tensor of a file.
func stored(name string, v *kernels.View) safetensors.Tensor {
	t := safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: slices.Clone(v.Shape())}
	if v.DType == kernels.I32 {
		t.DType = safetensors.I64
		for _, x := range v.I32() {
			t.Ints = append(t.Ints, int64(x))
		}
		return t
	}
	if d, half := map[kernels.DType]safetensors.DType{kernels.F16: safetensors.F16, kernels.BF16: safetensors.BF16}[v.DType]; half {
		t.DType = d
		for _, x := range v.U16() {
			t.Bytes = binary.LittleEndian.AppendUint16(t.Bytes, x)
		}
		return t
	}
	t.Floats = slices.Clone(v.F32())
	return t
}

// written is a file of tensors in memory.
func written(t *testing.T, ts []safetensors.Tensor) *safetensors.File {
	t.Helper()
	header, data := map[string]any{}, []byte{}
	for _, x := range ts {
		at := len(data)
		data = append(data, x.Bytes...)
		for _, v := range x.Floats {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		}
		for _, v := range x.Ints {
			data = binary.LittleEndian.AppendUint64(data, uint64(v))
		}
		header[x.Name] = map[string]any{"dtype": x.DType, "shape": x.Shape, "data_offsets": []int{at, len(data)}}
	}
	text, err := json.Marshal(header)
	require.NoError(t, err)
	f, err := safetensors.OpenBytes(append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...), data...))
	require.NoError(t, err)
	return f
}

// options are a call's options as text.
func options(c *kernels.Call) map[string]string {
	set := map[string]string{}
	args := reflect.ValueOf(c.Args).Elem()
	for i := range args.NumField() {
		if f := args.Type().Field(i); f.Type != viewType {
			eachOption(f.Name, args.Field(i), func(name string, v reflect.Value) { set[name] = shown(v) })
		}
	}
	return set
}

// TestCallOpIsTheReference writes the operands of test cases to a file and reads them back by name: the outputs must be, bit for bit, those of
// the case itself, and their shapes follow from the rules.
func TestCallOpIsTheReference(t *testing.T) {
	for _, op := range kernels.Ops() {
		sig := signature(op)
		for i := range min(op.NumCases(), 5) {
			t.Run(fmt.Sprint(op, op.CaseDims(i)), func(t *testing.T) {
				call := op.NewCall(op.CaseDims(i))
				if op.NewCase(i, 1).Cost.FLOPs > 1e6 {
					t.Skip("slow in the reference")
				}
				names := viewNames(call.Args)
				in, out := call.Views()
				var ts []safetensors.Tensor
				for _, v := range in {
					if !v.Absent() {
						ts = append(ts, stored(names[v], v))
					}
				}
				o := CallOptions{Variant: "reference", Set: options(call), Shapes: map[string][]int{}}
				for _, v := range out {
					f, ok := sig.output(names[v])
					require.True(t, ok)
					switch {
					case v.Absent() || slices.Contains(in, v):
					case f.Shape == "":
						o.Shapes[f.Name] = v.Shape()
					case f.Optional:
						o.With = append(o.With, f.Name)
					}
				}
				got, err := CallOp(op.String(), written(t, ts), o)
				require.NoError(t, err)
				s, err := kernels.BackendOf(kernels.CPU).NewStream(0)
				require.NoError(t, err)
				require.NoError(t, call.Run(s, "reference"))
				var want []safetensors.Tensor
				for _, v := range out {
					if !v.Absent() {
						want = append(want, stored(names[v], v))
					}
				}
				byName := func(a, b safetensors.Tensor) int {
					return len(a.Name)*1000 + int(a.Name[0]) - len(b.Name)*1000 - int(b.Name[0])
				}
				slices.SortFunc(got, byName)
				slices.SortFunc(want, byName)
				require.Equal(t, want, got)
			})
		}
	}
}

func TestCallOpErrors(t *testing.T) {
	floats := func(name string, shape ...int) safetensors.Tensor {
		n := 1
		for _, d := range shape {
			n *= d
		}
		return safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: shape, Floats: make([]float32, n)}
	}
	ids := safetensors.Tensor{Name: "IDs", DType: safetensors.I64, Shape: []int{2}, Ints: []int64{0, 3}}
	for _, c := range []struct {
		op, want string
		in       []safetensors.Tensor
		o        CallOptions
	}{
		{"sofmax", `no op "sofmax"`, nil, CallOptions{}},
		{"softmax", `the inputs have no tensor "X"`, nil, CallOptions{}},
		{"softmax", `the inputs have a tensor "Y": want X`, []safetensors.Tensor{floats("X", 1, 1), floats("Y", 1)}, CallOptions{}},
		{"softmax", `no option "log", there are Log`, []safetensors.Tensor{floats("X", 1, 1)}, CallOptions{Set: map[string]string{"log": "true"}}},
		{"softmax", `option Log=maybe: want true or false`, []safetensors.Tensor{floats("X", 1, 1)}, CallOptions{Set: map[string]string{"Log": "maybe"}}},
		{"softmax", `softmax: x f32[3], out f32[3]`, []safetensors.Tensor{floats("X", 3)}, CallOptions{}},
		{"softmax", `has no variant "fast", it has`, []safetensors.Tensor{floats("X", 1, 1)}, CallOptions{Variant: "fast"}},
		{"softmax", `no output "Y"`, []safetensors.Tensor{floats("X", 1, 1)}, CallOptions{With: []string{"Y"}}},
		{"softmax", `want at least one element`, []safetensors.Tensor{floats("X", 0, 4)}, CallOptions{}},
		{"softmax", `no device "cuda:7"`, []safetensors.Tensor{floats("X", 1, 1)}, CallOptions{Device: "cuda:7"}},
		{"unary", `want none, gelu,`, []safetensors.Tensor{floats("X", 1)}, CallOptions{Set: map[string]string{"F": "mish"}}},
		{"resize", `no input tells the shape of output Out`, []safetensors.Tensor{floats("X", 1, 2, 2, 1)}, CallOptions{}},
		{"resize", `at most`, []safetensors.Tensor{floats("X", 1, 2, 2, 1)}, CallOptions{Shapes: map[string][]int{"Out": {1 << 20, 1 << 20, 1}}}},
		{"conv2d", `want x [B, H, W, I]`, []safetensors.Tensor{floats("X", 2, 2), floats("W", 1, 1, 1, 1)}, CallOptions{}},
		{"conv2d", `sizes from 1`, []safetensors.Tensor{floats("X", 1, 2, 2, 1), floats("W", 1, 3, 3, 1)}, CallOptions{}},
		{"glu", `X f32[4] has no dimension 1`, []safetensors.Tensor{floats("X", 4)}, CallOptions{}},
		{"lerp", `no tensor "X", which is changed in place`, []safetensors.Tensor{floats("Y", 4)}, CallOptions{}},
		{"embedding", `IDs[1] is 3: want 0 to 2`, []safetensors.Tensor{floats("Table", 3, 2), ids}, CallOptions{}},
		{"permute", `want a permutation`, []safetensors.Tensor{floats("X", 3, 2)}, CallOptions{Set: map[string]string{"Perm": "0,5"}}},
		{"permute", `at most 6 numbers`, []safetensors.Tensor{floats("X", 3, 2)}, CallOptions{Set: map[string]string{"Perm": "0,1,2,3,4,5,6"}}},
	} {
		_, err := CallOp(c.op, written(t, c.in), c.o)
		assert.ErrorContains(t, err, c.want)
	}
}
