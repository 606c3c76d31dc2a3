package cpu

import "syntic/kernels"

func init() {
	addGo(kernels.BoxMatch, "float64, an image at a time", func(a *kernels.BoxMatchArgs) { boxMatchPieces.ranges(a.Pictures(), 1, *a) })
}

var boxMatchPieces = newSpread(func(a *kernels.BoxMatchArgs, lo, hi int) {
	for i := lo; i < hi; i++ {
		a.Match(i)
	}
})
