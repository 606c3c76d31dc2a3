package kernels

import "math"

// DType is the number format of a View.
type DType uint8

// The formats that ops may meet. Sums are always accumulated in float32 or wider.
const (
	F32 DType = iota
	BF16
	F16
	I32
	U8
	I8
	TF32 // float32 of which products see 10 bits behind the point; no View has it
)

// Size is the number of bytes of one element.
func (d DType) Size() int {
	switch d {
	case F32, I32, TF32:
		return 4
	case BF16, F16:
		return 2
	}
	return 1
}

func (d DType) String() string {
	return [...]string{"f32", "bf16", "f16", "i32", "u8", "i8", "tf32"}[d]
}

// BF16ToF32 widens a bfloat16; exact.
func BF16ToF32(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// F32ToBF16 rounds to the nearest bfloat16, ties to even; NaN stays NaN.
func F32ToBF16(f float32) uint16 {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// F16ToF32 widens an IEEE binary16; exact.
func F16ToF32(h uint16) float32 {
	sign, exp, man := uint32(h>>15)<<31, uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch exp {
	case 0:
		f := float32(man) * (1.0 / (1 << 24)) // subnormal: man · 2^-24
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | man<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | man<<13)
}

// Widen writes BF16 or F16 numbers as float32; exact. It panics if d is another format.
func Widen(dst []float32, src []uint16, d DType) {
	switch d {
	case BF16:
		for i, h := range src[:len(dst)] {
			dst[i] = BF16ToF32(h)
		}
	case F16:
		for i, h := range src[:len(dst)] {
			dst[i] = F16ToF32(h)
		}
	default:
		panic("kernels: " + d.String() + " is no float format of 16 bits")
	}
}

// Narrow rounds float32 numbers to BF16 or F16. It panics if d is another format.
func Narrow(dst []uint16, src []float32, d DType) {
	switch d {
	case BF16:
		for i, x := range src {
			dst[i] = F32ToBF16(x)
		}
	case F16:
		for i, x := range src {
			dst[i] = F32ToF16(x)
		}
	default:
		panic("kernels: " + d.String() + " is no float format of 16 bits")
	}
}

// Round rounds float32 numbers in place to BF16, F16 or TF32 (to nearest; ties to even, for TF32 away from zero). It panics if d is another format.
func Round(x []float32, d DType) {
	if d == TF32 {
		for i, f := range x {
			x[i] = math.Float32frombits((math.Float32bits(f) + 1<<12) &^ (1<<13 - 1))
		}
		return
	}
	half := make([]uint16, len(x))
	Narrow(half, x, d)
	Widen(x, half, d)
}

// F32ToF16 rounds to the nearest IEEE binary16, ties to even; too large becomes infinity.
func F32ToF16(f float32) uint16 {
	b := math.Float32bits(f)
	sign, a := uint16(b>>16&0x8000), b&0x7fffffff
	switch {
	case a > 0x7f800000:
		return sign | 0x7e00
	case a >= 0x477ff000: // 65520 and above round to infinity
		return sign | 0x7c00
	case a < 0x38800000: // below 2^-14: subnormal, rounded by adding a number whose ulp is 2^-24
		return sign | uint16(math.Float32bits(math.Float32frombits(a)+0.5)-0x3f000000)
	}
	return sign | uint16((a+0xfff+a>>13&1)>>13-112<<10)
}
