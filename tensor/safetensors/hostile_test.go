package safetensors

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// file puts a length before a header and data bytes after it.
func file(head string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(head)))
	return append(append(b, head...), make([]byte, data)...)
}

func TestHostileFiles(t *testing.T) {
	entry := func(dtype, shape, offs string) string {
		return `{"t":{"dtype":"` + dtype + `","shape":` + shape + `,"data_offsets":` + offs + `}}`
	}
	two := func(a, b string) string {
		return `{"a":{"dtype":"U8","shape":[4],"data_offsets":` + a + `},"b":{"dtype":"U8","shape":[4],"data_offsets":` + b + `}}`
	}
	for _, c := range []struct {
		name, want string
		bytes      []byte
	}{
		{"empty", "0 bytes", nil},
		{"short", "7 bytes", make([]byte, 7)},
		{"header over the limit", "header of 100000001 bytes", append(binary.LittleEndian.AppendUint64(nil, 100_000_001), '{')},
		{"header length negative", "header of 18446744073709551615 bytes", append(binary.LittleEndian.AppendUint64(nil, 1<<64-1), '{')},
		{"header cut", "truncated", file(`{}`, 0)[:9]},
		{"no header", "does not begin", file(``, 0)},
		{"leading space", "does not begin", file(` {}`, 0)},
		{"array", "does not begin", file(`[]`, 0)},
		{"not UTF-8", "offset 10: header is not valid UTF-8", file("{\"\xff\":1}", 0)},
		{"bad JSON", "offset 12: header is not valid JSON", file(`{"a"=1}`, 0)},
		{"open JSON", "not valid JSON", file(`{"a":{`, 0)},
		{"after the object", "after its closing bracket", file(`{}{}`, 0)},
		{"entry not an object", `tensor "a": offset 15: entry: found 1, want "{"`, file(`{"a": 1}`, 0)},
		{"deep nesting", "entry: found [", file(`{"a":`+strings.Repeat("[", 20000), 0)},
		{"unknown dtype", `tensor "t": offset 21: unknown dtype F7`, file(entry("F7", "[1]", "[0,4]"), 4)},
		{"dtype a number", "unknown dtype 3", file(`{"t":{"dtype":3}}`, 0)},
		{"key missing", "found 2 of them", file(`{"t":{"dtype":"U8","shape":[1]}}`, 1)},
		{"key unknown", `unknown key "stride"`, file(`{"t":{"dtype":"U8","stride":[1]}}`, 1)},
		{"key twice", `key "dtype" twice`, file(`{"t":{"dtype":"U8","dtype":"F32"}}`, 1)},
		{"tensor twice", `tensor "t": listed twice`, file(entry("U8", "[1]", "[0,1]")[:len(entry("U8", "[1]", "[0,1]"))-1]+","+entry("U8", "[1]", "[0,1]")[1:], 1)},
		{"tensor twice by escape", `tensor "t": listed twice`, file(`{"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u0074":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`, 0)},
		{"metadata twice", "listed twice", file(`{"__metadata__":{},"__metadata__":{}}`, 0)},
		{"metadata key twice", "want one string", file(`{"__metadata__":{"a":"1","a":"2"}}`, 0)},
		{"metadata value a number", "want one string", file(`{"__metadata__":{"a":1}}`, 0)},
		{"negative size", "found -1", file(entry("U8", "[-1]", "[0,1]"), 1)},
		{"fractional size", "found 1.5", file(entry("U8", "[1.5]", "[0,1]"), 1)},
		{"size a string", "found 1", file(entry("U8", `["1"]`, "[0,1]"), 1)},
		{"huge size", "found 99999999999999999999", file(entry("U8", "[99999999999999999999]", "[0,1]"), 1)},
		{"product overflows", "overflows", file(entry("U8", "[4294967296,4294967296]", "[0,0]"), 0)},
		{"product overflows beside 0", "overflows", file(entry("U8", "[4294967296,4294967296,0]", "[0,0]"), 0)},
		{"product overflows by element size", "overflows", file(entry("F64", "[4611686018427387904]", "[0,0]"), 0)},
		{"too many dimensions", "more than 64", file(entry("U8", "["+strings.Repeat("1,", 64)+"1]", "[0,1]"), 1)},
		{"one offset", "has 1 numbers", file(entry("U8", "[1]", "[0]"), 1)},
		{"three offsets", "more than 2", file(entry("U8", "[1]", "[0,1,1]"), 1)},
		{"end before begin", "want begin", file(entry("U8", "[1]", "[1,0]"), 1)},
		{"offset near the limit", "want begin", file(entry("U8", "[0]", "[9223372036854775807,9223372036854775807]"), 0)},
		{"wrong byte count", "F32[2] needs 8 bytes, data_offsets [0, 4] hold 4", file(entry("F32", "[2]", "[0,4]"), 8)},
		{"data cut", `tensor "t": offset 61: 4 bytes end at 65, but the file ends at 64`, file(entry("U8", "[4]", "[0,4]"), 3)},
		{"out of range", "hole", file(entry("U8", "[4]", "[1000,1004]"), 4)},
		{"overlap", `tensor "b": offset 115: overlaps the tensor before it, which ends at 117`, file(two("[0,4]", "[2,6]"), 8)},
		{"same place", "overlaps", file(two("[0,4]", "[0,4]"), 4)},
		{"hole", "hole of 2 bytes", file(two("[0,4]", "[6,10]"), 10)},
		{"bytes after the end", "3 bytes after the last tensor", file(entry("U8", "[4]", "[0,4]"), 7)},
		{"bytes but no tensor", "5 bytes after", file(`{}`, 5)},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := OpenBytes(c.bytes)
			require.ErrorContains(t, err, c.want)
			path := filepath.Join(t.TempDir(), "hostile.safetensors")
			require.NoError(t, os.WriteFile(path, c.bytes, 0o644))
			_, err = Open(path)
			require.Error(t, err)
			assert.ErrorContains(t, err, path)
		})
	}
	for _, name := range []string{"list.pt", "types_legacy.pt"} {
		_, err := Open("../pickle/testdata/" + name)
		assert.ErrorContains(t, err, name+": a file of torch.save, and not of safetensors: syntic convert")
	}
	_, err := Open(filepath.Join(t.TempDir(), "absent"))
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = Open(t.TempDir())
	assert.ErrorContains(t, err, "not a regular file")
}

func TestOddButValid(t *testing.T) {
	f, err := OpenBytes(file(`{"z":{"shape":[0],"data_offsets":[2,2],"dtype":"F32"}, "a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},
		"b":{"dtype":"I16","shape":[],"data_offsets":[2,4]}}   `, 4))
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "z", "b"}, f.Names())
	f, err = OpenBytes(file(`{}`, 0))
	require.NoError(t, err)
	assert.Empty(t, f.Names())
}

func FuzzOpenBytes(f *testing.F) {
	f.Add(file(`{"__metadata__":{"a":"b"},"t":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}`, 8))
	f.Add(file(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[4,8]}}`, 8))
	f.Fuzz(func(t *testing.T, data []byte) {
		st, err := OpenBytes(data)
		if err != nil {
			return
		}
		for _, n := range st.Names() {
			info, ok := st.Info(n)
			require.True(t, ok)
			b, err := st.Bytes(n)
			require.NoError(t, err)
			require.EqualValues(t, info.Bytes, len(b))
			x, err := st.Float32s(n)
			require.NoError(t, err)
			require.Len(t, x, len(b)/info.DType.Size())
			_, _ = st.Int64s(n)
		}
	})
}
