package nn

import (
	"fmt"
	"hash/fnv"
	"math"

	"syntic/tensor"
)

// InitStd is the standard deviation of parameters with init:"normal" (GPT-2's and CLIP's choice).
const InitStd = 0.02

// Init gives every parameter its initial value: by the tag init of its field "zeros", "ones", "normal" (standard deviation [InitStd]) or
// "fan_in" (uniform within ±1/√fan-in, PyTorch's default for linear and convolution layers). The numbers depend on the seed and the
// parameter's name alone. It panics on an unknown tag.
func Init(module any, seed uint64) {
	for _, p := range Parameters(module) {
		h := fnv.New64a()
		h.Write([]byte(p.Name))
		key := tensor.Key{Seed: seed, Item: h.Sum64()}
		x := make([]float32, p.Len())
		switch p.Init {
		case "zeros":
		case "ones":
			for i := range x {
				x[i] = 1
			}
		case "normal":
			key.Normal(x)
			scale(x, InitStd)
		case "fan_in", "":
			key.Uniform(x)
			bound := 1 / math.Sqrt(float64(max(1, p.Len()/p.Dim(0))))
			for i := range x {
				x[i] = float32((2*float64(x[i]) - 1) * bound)
			}
		default:
			panic(fmt.Sprintf("nn: parameter %s: init %q: want zeros, ones, normal or fan_in", p.Name, p.Init))
		}
		p.SetData(x)
	}
}

func scale(x []float32, a float32) {
	for i := range x {
		x[i] *= a
	}
}
