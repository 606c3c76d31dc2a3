package kernels

import "math"

// Rand makes operands for tests and benchmarks.
type Rand struct{ key Key }

// NewRand begins a sequence of operands.
func NewRand(seed uint64) *Rand { return &Rand{key: Key{Seed: seed}} }

func (r *Rand) next() Key { r.key.Item++; return r.key }

// Normal is a float32 operand of standard normal numbers.
func (r *Rand) Normal(shape ...int) View {
	v := alloc(shape)
	r.next().Normal(v.F32())
	return v
}

// Weight is an operand of standard normal numbers, in 16 bits if bit b of flags is set (BF16) or the bit above it (F16).
func (r *Rand) Weight(flags, b int, shape ...int) View {
	v, d := r.Normal(shape...), F32
	switch flags & (3 * b) {
	case b:
		d = BF16
	case 2 * b:
		d = F16
	default:
		return v
	}
	half := make([]uint16, v.Len())
	Narrow(half, v.F32(), d)
	v = Of(half, shape...)
	v.DType = d
	return v
}

// Uniform is a float32 operand of numbers in lo..hi.
func (r *Rand) Uniform(lo, hi float32, shape ...int) View {
	v := alloc(shape)
	f := v.F32()
	r.next().Uniform(f)
	for i := range f {
		f[i] = lo + (hi-lo)*f[i]
	}
	return v
}

// Unit is [n, d] with rows of length 1.
func (r *Rand) Unit(n, d int) View {
	v := r.Normal(n, d)
	f := v.F32()
	for i := 0; i < n; i++ {
		s := 0.0
		for _, x := range f[i*d : i*d+d] {
			s += float64(x) * float64(x)
		}
		for j := i * d; j < i*d+d; j++ {
			f[j] = float32(float64(f[j]) / math.Sqrt(s))
		}
	}
	return v
}

// Ints is an int32 operand of numbers in 0..n-1.
func (r *Rand) Ints(n int, shape ...int) View {
	v := NewView(I32, nil, shape...)
	d := make([]int32, v.Len())
	k := r.next()
	for i := range d {
		d[i] = int32(k.Intn(uint32(i), n))
	}
	return Of(d, shape...)
}

func alloc(shape []int) View {
	v := NewView(F32, nil, shape...)
	return Of(make([]float32, v.Len()), shape...)
}

// Zeros is a float32 operand of zeros.
func Zeros(shape ...int) View { return alloc(shape) }

// Poison is a float32 output full of NaN: whoever forgets an element is seen.
func Poison(shape ...int) View {
	v := alloc(shape)
	for i := range v.F32() {
		v.F32()[i] = float32(math.NaN())
	}
	return v
}

// PoisonInts is an int32 output full of a number that no op writes.
func PoisonInts(shape ...int) View {
	v := NewView(I32, nil, shape...)
	d := make([]int32, v.Len())
	for i := range d {
		d[i] = math.MinInt32
	}
	return Of(d, shape...)
}

func views(v ...*View) []*View { return v }

func sumBytes(in, out []*View) (n float64) {
	for _, l := range [][]*View{in, out} {
		for _, v := range l {
			if !v.Absent() {
				n += float64(v.Bytes())
			}
		}
	}
	return n
}
