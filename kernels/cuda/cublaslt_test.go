//go:build cuda

package cuda

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/kernels"
	"syntic/kernels/cuda/cublaslt"
	"syntic/kernels/cuda/emu"
	"syntic/kernels/kerneltest"
)

// fakeLt makes this process find the library of tests, and a record in a folder of the test, which is not there yet.
func fakeLt(t *testing.T) (path string) {
	lib, err := emu.BuildCublasLt()
	require.NoError(t, err)
	t.Setenv(cublaslt.LibraryEnv, lib)
	path = filepath.Join(t.TempDir(), "folder", "record.jsonl")
	t.Setenv(RecordEnv, path)
	require.NoError(t, cublaslt.Open())
	return path
}

// ltDims are sizes as kernels.GEMM has them: each layout, batch, addition and format of B, rows that are not a multiple of 16 bytes.
var ltDims = [][]int{{1, 1, 1, 1, 0, 0, 0}, {1, 5, 7, 3, 0, 1, 1}, {1, 17, 33, 65, 1, 0, 2}, {2, 13, 50, 129, 0, 1, 9}, {3, 31, 29, 40, 0, 0, 4}, {2, 24, 40, 37, 1, 1, 16}, {1, 9, 16, 700, 1, 0, 4},
	{1, 3, 41, 70, 0, 1, 3}, {1, 5, 7, 3, 0, 1, 33}, {3, 31, 29, 41, 0, 0, 36}, {2, 24, 40, 37, 1, 1, 80}, {1, 25, 3, 50, 0, 1, 65}, {2, 30, 24, 64, 0, 1, 32}, {2, 9, 24, 40, 0, 0, 48}}

// TestCublasLt is parity of products by the library: every layout, format and addition, in the ways with and without work space.
func TestCublasLt(t *testing.T) {
	fakeLt(t)
	g := kernels.GEMM
	op := kernels.Op[kernels.GEMMArgs]{Name: g.Name, Dims: ltDims, Make: g.Make, Views: g.Views, Cost: g.Cost, Check: g.Check, Ref: g.Ref}
	for _, format := range []kernels.DType{kernels.F32, kernels.BF16, kernels.F16, kernels.TF32} {
		op.Add(kernels.Variant[kernels.GEMMArgs]{Name: "cublaslt_" + format.String(), Device: kernels.CUDA, Operands: format,
			Usable: func(a *kernels.GEMMArgs) bool { return lt.takes(a, format) },
			Run:    func(s *kernels.Stream, a *kernels.GEMMArgs) error { return gemmLt(s, a, format) }})
	}
	d, err := open(0)
	require.NoError(t, err)
	h, err := lt.handle(d)
	require.NoError(t, err)
	x := ltShape{batch: 1, m: 8, n: 8, k: 8}
	p := x.product()
	ways, needs, err := h.Ways(&p, workBytes, mostWays)
	require.NoError(t, err)
	require.Equal(t, []int{0, 1024, 0}, needs)
	none, _, err := h.Ways(&p, 0, 1)
	require.NoError(t, err)
	require.Len(t, none, 1)
	defer lt.try(nil)
	for i := range 2 {
		lt.try(&ltPlan{ways[i], needs[i]})
		kerneltest.Parity(t, &op)
		op.Dims = ltDims[2:5]
	}
	p.K = 7
	p.LDA, p.TransB, p.LDB = 7, true, 7
	_, err = h.Check(&p, &ways[2])
	assert.EqualError(t, err, "cublasLtMatmulAlgoCheck: CUBLAS_STATUS_NOT_SUPPORTED (15)")
}

// TestTuneGEMM: what is measured is written, read again, and decides what runs: the library where it was faster, in the way that was fastest, and no product
// of another class.
func TestTuneGEMM(t *testing.T) {
	path := fakeLt(t)
	s, err := backend{}.NewStream(0)
	require.NoError(t, err)
	times := func(list ...float64) func(func() error) (float64, error) { // the first is our variants', then those of the ways
		i := -1
		return func(run func() error) (float64, error) {
			require.NoError(t, run())
			i++
			return list[min(i, len(list)-1)], nil
		}
	}
	fast := kernels.TunedShape{Dims: []int{1, 33, 24, 16, 0, 1, 1}}
	slow := kernels.TunedShape{Dims: []int{1, 33, 24, 32, 0, 1, 1}}
	half := kernels.TunedShape{Format: kernels.BF16, Dims: []int{1, 33, 24, 16, 0, 1, 1}}
	var all []kernels.Tuned
	for _, m := range []struct {
		shape  kernels.TunedShape
		clock  func(func() error) (float64, error)
		faster bool
	}{{fast, times(3, 2.5, 1, 2), true}, {slow, times(3, 4, 4, 4), false}, {half, times(3, 3, 1, 2, 2), true}} {
		r, err := backend{}.TuneGEMM(s, m.shape, m.clock)
		require.NoError(t, err)
		assert.Equal(t, m.faster, r.Faster(), r.Class)
		assert.Equal(t, 3, r.Ways)
		all = append(all, r)
	}
	assert.Equal(t, "f32 1×64×24×16 nt, B f32, bias", all[0].Class)
	assert.Equal(t, 1.0, all[0].Seconds)
	none, err := backend{}.TuneGEMM(s, kernels.TunedShape{Dims: []int{1, 8, 8, 8, 0, 0, 6}}, times(1))
	require.NoError(t, err)
	assert.Equal(t, "no product for it", none.Why)
	assert.False(t, none.Faster())

	saved, err := backend{}.SaveTuned(0, append(all, none))
	require.NoError(t, err)
	assert.Equal(t, path, saved)
	said, err := lt.load()
	require.NoError(t, err)
	assert.Equal(t, "cuBLASLt 130001 for 2 of 3 recorded products", said)
	defer func() { lt.record, lt.plans = nil, nil; lt.try(nil) }()
	assert.Equal(t, byte(2), lt.record.find(all[0].Entry.(*ltEntry).shape).way[0], "the fastest way")
	chosen := func(dims ...int) string { return kernels.GEMM.NewCaseOf(dims, 1).Chosen(kernels.CUDA) }
	assert.Equal(t, "cublaslt", chosen(1, 33, 24, 16, 0, 1, 1))
	assert.Equal(t, "cublaslt", chosen(1, 64, 24, 16, 0, 1, 9), "the same class, with an activation")
	assert.Equal(t, "tiled_f32", chosen(1, 65, 24, 16, 0, 1, 1))
	assert.Equal(t, "tiled_f32", chosen(1, 33, 24, 16, 0, 1, 0))
	assert.Equal(t, "tiled_f32", chosen(1, 33, 24, 32, 0, 1, 1), "where ours was faster")
	op := *kernels.GEMM
	op.Dims = [][]int{{1, 33, 24, 16, 0, 1, 9}}
	kerneltest.Parity(t, &op)

	// measured anew: replaced
	again, err := backend{}.TuneGEMM(s, fast, times(1, 2))
	require.NoError(t, err)
	_, err = backend{}.SaveTuned(0, []kernels.Tuned{again})
	require.NoError(t, err)
	r, err := readRecord(path)
	require.NoError(t, err)
	require.Len(t, r.all, 3)
	assert.Greater(t, r.all[0].Micros, r.all[0].OwnMicros)
}

// TestWatchGEMM: products that were asked for are told as sizes that can be measured.
func TestWatchGEMM(t *testing.T) {
	fakeLt(t)
	backend{}.WatchGEMM(true)
	dims := []int{2, 16, 24, 16, 0, 1, 16 | 32 | 1}
	kernels.GEMM.NewCaseOf(dims, 1).Usable("cublaslt_bf16")
	kernels.GEMM.NewCaseOf(dims, 1).Usable("cublaslt_bf16")
	list := backend{}.WatchGEMM(false)
	require.Equal(t, [][]int{dims}, list)
	kernels.GEMM.NewCaseOf(dims, 1).Usable("cublaslt_bf16")
	require.Empty(t, backend{}.WatchGEMM(false))
}

// TestCublasLtInGraphs: a recorded product is computed at each replay.
func TestCublasLtInGraphs(t *testing.T) {
	fakeLt(t)
	d, err := open(0)
	require.NoError(t, err)
	h, err := lt.handle(d)
	require.NoError(t, err)
	x := ltShape{batch: 1, m: 8, n: 8, k: 8}
	p := x.product()
	ways, needs, err := h.Ways(&p, workBytes, mostWays)
	require.NoError(t, err)
	lt.try(&ltPlan{ways[1], needs[1]})
	defer lt.try(nil)
	b := backend{}
	r, err := b.NewRecording(0, "product")
	require.NoError(t, err)
	defer r.Close()
	want, got := kernels.GEMM.NewCaseOf([]int{1, 8, 8, 8, 0, 1, 4}, 1), kernels.GEMM.NewCaseOf([]int{1, 8, 8, 8, 0, 1, 4}, 1)
	for range 3 { // adds each time
		want.Ref()
	}
	back, err := got.MoveTo(b, r.Stream())
	require.NoError(t, err)
	run := func() error { return got.Run(r.Stream(), "cublaslt") }
	require.NoError(t, run())
	require.NoError(t, r.Record(run))
	s, err := b.NewStream(0)
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, r.Replay(s))
	}
	require.NoError(t, b.Sync(s))
	require.NoError(t, back(true))
	assert.InDeltaSlice(t, want.Out[0].F32(), got.Out[0].F32(), 1e-4)
}

const childEnv = "SYNTIC_TEST_CHILD"

// child is what the processes of TestChoice do: it says what runs.
func child() int {
	fmt.Println("detail:", backend{}.Devices()[0].Detail)
	s, err := backend{}.NewStream(0)
	if err == nil {
		c := kernels.GEMM.NewCaseOf([]int{1, 33, 24, 16, 0, 1, 1}, 1)
		if _, err = c.MoveTo(backend{}, s); err == nil {
			kernels.SetProfiler(func(_, variant string, _ kernels.Cost, run func() error) error {
				fmt.Println("ran:", variant)
				return run()
			})
			err = c.Run(s, "")
		}
	}
	fmt.Println("error:", err)
	return 0
}

// TestChoice: which variant runs by default in a process with and without the library, a record, and a right one.
func TestChoice(t *testing.T) {
	path := fakeLt(t)
	lib := os.Getenv(cublaslt.LibraryEnv)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	head := `{"device":"emulated GPU","library":130001}`
	entry := func(own, theirs float64) string {
		e := entryOf(ltShape{batch: 1, m: 64, n: 24, k: 16, transB: true, bias: true}, "tiled_f32", own/1e6, theirs/1e6, cublaslt.Way{0: 1, 8: 0x65, 9: 0x6b, 10: 0x61, 11: 0x66})
		return fmt.Sprintf(`{"format":"f32","weight":"f32","batch":1,"m":64,"n":24,"k":16,"trans":"nt","bias":true,"own":"tiled_f32","own_us":%g,"us":%g,"way":"%s"}`, own, theirs, e.Way)
	}
	bad := func(old, new string) string { return strings.Replace(entry(2, 1), old, new, 1) }
	half := strings.Replace(entry(2, 1), `"format":"f32"`, `"format":"bf16"`, 1)
	for _, c := range []struct{ name, lib, record, want string }{
		{"*=mma_bf16", lib, head + "\n" + half, "ran: cublaslt_bf16\nerror: <nil>"},
		{"gemm=mma_bf16", lib, head + "\n" + half, "ran: mma_bf16\nerror: <nil>"},
		{"*=wgmma_bf16", lib, head + "\n" + half, "ran: cublaslt_bf16\nerror: <nil>"},
		{"*=mma_bf16", lib, head + "\n" + entry(2, 1), "ran: mma_bf16\nerror: <nil>"},
		{"gemm=cublaslt_bf16", lib, head + "\n" + entry(2, 1), `variant "cublaslt_bf16", asked for by name, cannot run`},
		{"absent", "/nowhere/libcublasLt.so", head + "\n" + entry(2, 1), "ran: tiled_f32\nerror: <nil>"},
		{"absent, and said so", "/nowhere/libcublasLt.so", head + "\n" + entry(2, 1), "cuBLASLt not used: no cuBLASLt: /nowhere/libcublasLt.so: cannot open"},
		{"no record", lib, "", "ran: tiled_f32\nerror: <nil>"},
		{"faster", lib, head + "\n" + entry(2, 1), "ran: cublaslt\nerror: <nil>"},
		{"slower", lib, head + "\n" + entry(1, 2), "ran: tiled_f32\nerror: <nil>"},
		{"another device", lib, strings.Replace(head, "emulated", "other", 1) + "\n" + entry(2, 1), "its record is of other GPU, device 0 is emulated GPU"},
		{"another version", lib, strings.Replace(head, "1}", "2}", 1) + "\n" + entry(2, 1), "its record was made with version 130002, here is 130001"},
		{"a way that is none", lib, head + "\n" + bad(`"way":"01`, `"way":"05`), "ran: tiled_f32\nerror: <nil>"},
		{"no head", lib, entry(2, 1), `record.jsonl:1: not a line of this record: json: unknown field "format"`},
		{"no JSON", lib, head + "\n\n" + entry(2, 1), "record.jsonl:2: not a line of this record: EOF"},
		{"no time", lib, head + "\n" + entry(2, 1) + "\n" + bad(`"us":1`, `"us":-1`), "record.jsonl:3: own_us 2, us -1: want positive times; correct it, or remove the file and measure anew (syntic bench tune)"},
		{"twice", lib, head + "\n" + entry(2, 1) + "\n" + entry(2, 1), "record.jsonl:3: this class of products is there already"},
		{"no way", lib, head + "\n" + bad(`"way":"01`, `"way":"`), `want 128 hexadecimal digits`},
		{"no class", lib, head + "\n" + bad(`"m":64`, `"m":63`), "record.jsonl:2: batch 1, m 63, n 24, k 16: want positive numbers, the first two powers of two"},
		{"no format", lib, head + "\n" + bad(`"format":"f32"`, `"format":"f64"`), `record.jsonl:2: format "f64": want f32, bf16, f16 or tf32`},
	} {
		t.Run(c.name, func(t *testing.T) {
			os.Remove(path)
			if c.record != "" {
				require.NoError(t, os.WriteFile(path, []byte(c.record), 0o644))
			}
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), childEnv+"=1", cublaslt.LibraryEnv+"="+c.lib)
			if strings.Contains(c.name, "=") {
				cmd.Env = append(cmd.Env, "SYNTIC_KERNEL="+c.name)
			}
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			assert.Contains(t, string(out), c.want)
		})
	}
}
