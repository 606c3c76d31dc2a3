package cpu

import (
	"fmt"
	"os"
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

// needs is the Available function of a variant.
func needs(level isa) func() bool { return func() bool { return haveISA() >= level } }
