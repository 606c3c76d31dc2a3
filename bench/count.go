package bench

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"syntic/kernels"
)

// Tally is what the ops of a call need, as Op.Cost counts it, and the time they took.
type Tally struct {
	FLOPs  float64   `json:"flops"`
	Half   float64   `json:"half"`  // of them, by variants that round their operands to bfloat16
	Bytes  float64   `json:"bytes"` // if every op reads its operands from memory and writes its results there
	Calls  int       `json:"calls"` // of ops
	ByKind []OpTally `json:"ops"`   // by falling time
}

// OpTally is the part of one variant of an op.
type OpTally struct {
	Op      string  `json:"op"`
	Variant string  `json:"variant"`
	Calls   int     `json:"calls"`
	FLOPs   float64 `json:"flops"`
	Bytes   float64 `json:"bytes"`
	Seconds float64 `json:"seconds"`
}

var counting sync.Mutex

// Count runs fn and counts the ops that run meanwhile, in the whole process.
func Count(fn func() error) (t Tally, err error) {
	counting.Lock()
	defer counting.Unlock()
	rounds := map[string]kernels.DType{}
	for _, op := range kernels.Ops() {
		for _, v := range op.VariantList() {
			rounds[op.String()+"="+v.Name] = v.Operands
		}
	}
	var mu sync.Mutex
	kinds := map[string]*OpTally{}
	kernels.SetProfiler(func(op, variant string, c kernels.Cost, run func() error) error {
		start := time.Now()
		err := run()
		took := time.Since(start).Seconds()
		mu.Lock()
		defer mu.Unlock()
		k := kinds[op+"="+variant]
		if k == nil {
			k = &OpTally{Op: op, Variant: variant}
			kinds[op+"="+variant] = k
		}
		k.Calls, k.FLOPs, k.Bytes, k.Seconds = k.Calls+1, k.FLOPs+c.FLOPs, k.Bytes+c.Bytes, k.Seconds+took
		t.Calls, t.FLOPs, t.Bytes = t.Calls+1, t.FLOPs+c.FLOPs, t.Bytes+c.Bytes
		if rounds[op+"="+variant] == kernels.BF16 {
			t.Half += c.FLOPs
		}
		return err
	})
	defer kernels.SetProfiler(nil)
	err = fn()
	for _, k := range slices.SortedFunc(maps.Values(kinds), func(a, b *OpTally) int { return cmp.Compare(b.Seconds, a.Seconds) }) {
		t.ByKind = append(t.ByKind, *k)
	}
	return t, err
}
