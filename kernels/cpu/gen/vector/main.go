// Command vector writes vector_amd64.s: the loops of package cpu's type vector, for AVX-512 and for AVX2. Run by go generate in kernels/cpu.
//
// The map: main.go the list · loop.go registers, loops and tails of both instruction sets · math.go exponential, sigmoid, Φ ·
// act.go activations · rows.go arithmetic, norms, sums and AdamW · philox.go random numbers and dropout.
package main

import . "github.com/mmcloughlin/avo/build"

func main() {
	ConstraintExpr("amd64")
	ConstraintExpr("!purego")
	constants()
	for _, v := range []isa{{"512", 64}, {"256", 32}} {
		activations(v)
		arithmetic(v)
		norms(v)
		sums(v)
		adamw(v)
		philox(v)
		keep(v)
	}
	Generate()
}
