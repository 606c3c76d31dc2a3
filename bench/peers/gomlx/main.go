// Command gomlx answers the requests of `syntic bench peers` with products by gomlx/compute's Go backend. It is a module of its own, so that the engine
// does not depend on it; GOEXPERIMENT=simd gives it its vector kernels.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
)

type request struct {
	Do, Case       string
	Calls, Repeats int
}

type reply struct {
	Error   string    `json:"error,omitempty"`
	Unknown bool      `json:"unknown,omitempty"`
	Version string    `json:"version,omitempty"`
	Note    string    `json:"note,omitempty"`
	Seconds []float64 `json:"seconds,omitempty"`
}

func main() {
	var call func() error
	answers := json.NewEncoder(os.Stdout)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var q request
		var r reply
		err := json.Unmarshal(lines.Bytes(), &q)
		switch {
		case err != nil:
		case q.Do == "load":
			r.Version, r.Note = version(), "Go backend, GOEXPERIMENT="+os.Getenv("GOEXPERIMENT")
			if call, err = load(q.Case); call == nil && err == nil {
				r.Unknown, err = true, fmt.Errorf("%s: gomlx is measured on products", q.Case)
			}
		case q.Do == "run" && call != nil:
			r.Seconds, err = sample(call, q.Calls, q.Repeats)
		case q.Do == "free":
			call = nil
		default:
			err = fmt.Errorf("do %q: want load, run or free, load first", q.Do)
		}
		if err != nil {
			r = reply{Error: err.Error(), Unknown: r.Unknown}
		}
		if answers.Encode(r) != nil {
			return
		}
	}
}

func sample(call func() error, calls, repeats int) (seconds []float64, err error) {
	for range repeats {
		start := time.Now()
		for range calls {
			if err := call(); err != nil {
				return nil, err
			}
		}
		seconds = append(seconds, time.Since(start).Seconds()/float64(calls))
	}
	return seconds, nil
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == "github.com/gomlx/compute" {
				return d.Version
			}
		}
	}
	return ""
}

// load gives a function that multiplies x [m, k] by wᵀ [n, k], summing in float32; nil if the case is no product.
func load(name string) (func() error, error) {
	var m, n, k int
	var class string
	if _, err := fmt.Sscanf(name, "gemm/%dx%dx%d/%s", &m, &n, &k, &class); err != nil {
		return nil, nil
	}
	backend, err := gobackend.New("")
	if err != nil {
		return nil, err
	}
	kind, config := dtypes.Float32, compute.DotGeneralConfig{}
	if class == "bf16" {
		kind, config = dtypes.BFloat16, compute.DotGeneralConfig{AccumulatorDType: dtypes.Float32, OutputDType: dtypes.Float32}
	}
	program := backend.Builder("product")
	f := program.Main()
	var operands []compute.Value
	var inputs []compute.Buffer
	for i, rows := range []int{m, n} {
		shape := shapes.Make(kind, rows, k)
		p, err := f.Parameter(fmt.Sprintf("x%d", i), shape, nil)
		if err != nil {
			return nil, err
		}
		b, err := backend.BufferFromFlatData(0, numbers(rows*k, kind), shape)
		if err != nil {
			return nil, err
		}
		operands, inputs = append(operands, p), append(inputs, b)
	}
	product, err := f.DotGeneral(operands[0], []int{1}, nil, operands[1], []int{1}, nil, config)
	if err != nil {
		return nil, err
	}
	if err := f.Return([]compute.Value{product}, nil); err != nil {
		return nil, err
	}
	run, err := program.Compile()
	if err != nil {
		return nil, err
	}
	return func() error {
		out, err := run.Execute(inputs, nil, 0)
		if err != nil {
			return err
		}
		return out[0].Finalize()
	}, nil
}

func numbers(n int, kind dtypes.DType) any {
	r := rand.New(rand.NewPCG(1, 2))
	x, half := make([]float32, n), make([]bfloat16.BFloat16, n)
	for i := range x {
		x[i] = 2*r.Float32() - 1
		half[i] = bfloat16.FromFloat32(x[i])
	}
	if kind == dtypes.BFloat16 {
		return half
	}
	return x
}
