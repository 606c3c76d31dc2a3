package kernels

import (
	"fmt"
	"math"
)

// NearbyBounds is the number of float32 that Nearby tells of a row.
const NearbyBounds = 3

// Nearby makes of a bank, float32 [M, D], what TopKArgs.Near and Bounds take: the same rows in fewer bits, [M, D], rounded to bfloat16 for BF16; for U8 to
// whole numbers of −127..127 plus 128, times a scale of the row's own, which is its largest number over 127. bounds [NearbyBounds, M] tells of each row
// the scale (1 of bfloat16), a number that is no less than its Euclidean length, and one no less than the length of what rounding changed. Both are
// computed in float64 and rounded up. Rows that are not finite have infinite bounds. It is an error if the format is another or M or D is 0.
func Nearby(mem *View, format DType) (near, bounds View, err error) {
	var m, d int
	if mem.DType != F32 || !mem.Bind(&m, &d) || format != BF16 && format != U8 {
		return View{}, View{}, fmt.Errorf("nearby of %v as %v: want f32 [M, D] as bf16 or u8", mem, format)
	}
	b := make([]float32, NearbyBounds*m)
	if format == BF16 {
		half := make([]uint16, m*d)
		near = Of(half, m, d)
	} else {
		near = Of(make([]uint8, m*d), m, d)
	}
	for j := range m {
		b[j], b[m+j], b[2*m+j] = nearbyRow(&near, mem.F32()[j*d:(j+1)*d], j)
	}
	return near, Of(b, NearbyBounds, m), nil
}

// nearbyRow makes row j of near of x.
func nearbyRow(near *View, x []float32, j int) (rowScale, long, changed float32) {
	d, length, change, scale := len(x), 0.0, 0.0, float32(1)
	if near.DType == BF16 {
		to := near.U16()[j*d:][:d]
		for i, v := range x {
			if to[i] = F32ToBF16(v); to[i]&0x7f80 == 0 {
				to[i] = 0 // products of bfloat16 take numbers too small for their exponent for zeros
			}
			e := float64(v) - float64(BF16ToF32(to[i]))
			length, change = length+float64(v)*float64(v), change+e*e
		}
	} else {
		top := 0.0
		for _, v := range x {
			top = max(top, math.Abs(float64(v)))
		}
		scale = float32(top / 127)
		to := near.U8()[j*d:][:d]
		for i, v := range x {
			n := 0.0
			if scale > 0 && !math.IsInf(float64(scale), 0) {
				n = max(-127, min(127, math.RoundToEven(float64(v)/float64(scale))))
			}
			to[i] = uint8(int(n) + 128)
			e := float64(v) - n*float64(scale)
			length, change = length+float64(v)*float64(v), change+e*e
		}
	}
	return scale, roundedUp(math.Sqrt(length)), roundedUp(math.Sqrt(change))
}

// roundedUp is a float32 no less than x was before the roundings of its float64; infinity for what is no number.
func roundedUp(x float64) float32 {
	if !(x < math.MaxFloat32/2) {
		return float32(math.Inf(1))
	}
	return math.Nextafter32(float32(x*(1+1e-9)), float32(math.Inf(1)))
}
