package kernels

// Tuner is a backend that has variants of GEMM from elsewhere, which it takes only where a record of measurements on this kind of device says that they were
// faster than its own.
type Tuner interface {
	// WatchGEMM notes the products that are asked for from now on; with false it gives their sizes, as [GEMM] has them in Dims, in no order, and notes no more.
	WatchGEMM(on bool) [][]int
	// TuneGEMM measures a product by its own variants and by the others, with a clock that runs work and says how long that took.
	TuneGEMM(s *Stream, shape TunedShape, clock func(run func() error) (seconds float64, err error)) (Tuned, error)
	// SaveTuned adds to the record of a device and says where it is. It is read when a process first uses the device.
	SaveTuned(device int, list []Tuned) (path string, err error)
}

// TunedShape is a product: the format to which its operands are rounded, F32 for not at all, and its sizes as [GEMM] has them in Dims.
type TunedShape struct {
	Format DType
	Dims   []int
}

// Tuned is what was measured of a product.
type Tuned struct {
	Shape      TunedShape
	Class      string  // of products to which it applies
	Own        string  // the fastest of the backend's own variants
	OwnSeconds float64 // of a call of it
	Variant    string  // the one from elsewhere
	Seconds    float64 // of a call of it in its fastest way
	Ways       int     // that were measured
	Why        string  // why none was, if none was
	Entry      any     // of the backend
}

// Faster tells whether the variant from elsewhere is to be taken.
func (t *Tuned) Faster() bool { return t.Ways > 0 && t.Seconds < t.OwnSeconds }
