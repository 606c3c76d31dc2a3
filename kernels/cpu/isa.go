package cpu

import (
	"fmt"
	"os"
	"runtime"
	"sync"

	"github.com/klauspost/cpuid/v2"
)

// isa is a level of vector instructions; each includes those before it.
type isa int

const (
	isaGo     isa = iota // whatever the Go compiler emits
	isaAVX2              // 256-bit AVX2 with FMA
	isaAVX512            // 512-bit AVX-512 F, DQ, BW, VL, with BMI2
)

var isaNames = [...]string{"go", "avx2", "avx512"}

func (i isa) String() string { return isaNames[i] }

// haveISA is the level of this machine. The environment variable SYNTIC_ISA=go, avx2 or avx512 lowers it, to try or to compare.
var haveISA = sync.OnceValue(func() isa {
	have, err := lowerISA(detectISA(), os.Getenv("SYNTIC_ISA"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return have
})

func detectISA() isa {
	switch c := cpuid.CPU; {
	case !c.Supports(cpuid.AVX2, cpuid.FMA3):
		return isaGo
	case !c.Supports(cpuid.AVX512F, cpuid.AVX512DQ, cpuid.AVX512BW, cpuid.AVX512VL, cpuid.BMI2):
		return isaAVX2
	}
	return isaAVX512
}

// lowerISA is the lower of have and the level called name; an empty name asks for nothing.
func lowerISA(have isa, name string) (isa, error) {
	if name == "" {
		return have, nil
	}
	for i, n := range isaNames {
		if n == name {
			return min(have, isa(i)), nil
		}
	}
	return have, fmt.Errorf("SYNTIC_ISA %q: want go, avx2 or avx512; using %v", name, have)
}

// Machine is what this CPU is and what the variants make of it.
type Machine struct {
	Name     string   `json:"name"`     // the vendor's name, or the architecture's
	Found    string   `json:"found"`    // the highest level of vector instructions that CPU and binary both have: go, avx2 or avx512
	Used     string   `json:"used"`     // the level in use: Found, unless SYNTIC_ISA lowers it
	Features []string `json:"features"` // instruction sets that matter to numerical code, of those the CPU has
	Physical int      `json:"physical"` // cores of the machine; 0 if unknown
	Logical  int      `json:"logical"`  // hardware threads of the machine; 0 if unknown
	L1       int      `json:"l1"`       // bytes of data cache; 0 if unknown
	L2       int      `json:"l2"`
	L3       int      `json:"l3"`
}

// Describe tells of this machine.
func Describe() Machine {
	c := &cpuid.CPU
	m := Machine{Name: c.BrandName, Found: foundISA().String(), Used: haveISA().String(), Physical: c.PhysicalCores, Logical: c.LogicalCores,
		L1: max(0, c.Cache.L1D), L2: max(0, c.Cache.L2), L3: max(0, c.Cache.L3), Features: []string{}}
	if m.Name == "" {
		m.Name = runtime.GOARCH
	}
	for _, f := range []cpuid.FeatureID{cpuid.AVX, cpuid.F16C, cpuid.FMA3, cpuid.AVX2, cpuid.BMI2, cpuid.AVX512F, cpuid.AVX512DQ, cpuid.AVX512BW, cpuid.AVX512VL,
		cpuid.AVX512VNNI, cpuid.AVX512BF16, cpuid.AVX512FP16, cpuid.AMXTILE, cpuid.AMXBF16, cpuid.ASIMD, cpuid.SVE} {
		if c.Supports(f) {
			m.Features = append(m.Features, f.String())
		}
	}
	return m
}

// foundISA is the level of this machine that this binary has code for.
func foundISA() isa { return min(detectISA(), vectors[len(vectors)-1].level) }

// needs is the Available function of a variant.
func needs(level isa) func() bool { return func() bool { return haveISA() >= level } }
