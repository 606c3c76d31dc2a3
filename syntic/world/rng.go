package world

// rng is a SplitMix64 stream (Steele, Lea and Flood 2014): one word of state, so a stream is cheap to derive for every use.
type rng uint64

// newRNG derives an independent stream from its keys; their order matters.
func newRNG(keys ...uint64) rng {
	h := uint64(0x9e3779b97f4a7c15)
	for _, k := range keys {
		h = mix64(h ^ mix64(k+0x9e3779b97f4a7c15))
	}
	return rng(h)
}

// mix64 is SplitMix64's finalizer, a bijection of 64-bit words.
func mix64(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *rng) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	return mix64(uint64(*r))
}

// intn returns a number in 0..n-1; the bias is below n/2^32.
func (r *rng) intn(n int) int { return int((r.next() >> 32) * uint64(n) >> 32) }

// float returns a number in [0, 1).
func (r *rng) float() float64 { return float64(r.next()>>11) / (1 << 53) }

// between returns a number in [lo, hi).
func (r *rng) between(lo, hi float64) float64 { return lo + (hi-lo)*r.float() }

// chance is true with probability p.
func (r *rng) chance(p float64) bool { return r.float() < p }

// pick chooses one of list, each equally likely.
func pick[T any](r *rng, list []T) T { return list[r.intn(len(list))] }

// Stream keys: one for each use of a scene's seed, so that adding draws to one use never shifts another.
const (
	useSample = iota + 1
	useSplit
	useRender
	useNoise
	useCaption
	useWeb
	useDegrade
)
