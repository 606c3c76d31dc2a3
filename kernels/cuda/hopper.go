//go:build cuda

package cuda

import (
	"sync"
	"unsafe"

	"syntic/kernels"
	"syntic/kernels/cuda/driver"
)

// What the variants by wgmma share (src/wgmma.cuh): where they run, tensor maps of their operands, the number of their blocks.

// hopper tells whether every device of this process has wgmma: compute capability 9.0, whose kernels run on no other.
var hopper = sync.OnceValue(func() bool {
	if !available() {
		return false
	}
	n, err := driver.Count()
	for i := range n {
		capability, e := driver.Capability(i)
		if err != nil || e != nil || capability != 90 {
			return false
		}
	}
	return err == nil
})

// addHopper registers a variant for sm_90a alone.
func addHopper[A any](op *kernels.Op[A], v kernels.Variant[A]) {
	v.Device, v.Available, v.Note = kernels.CUDA, hopper, "sm_90a: wgmma; emulated only"
	op.Add(v)
}

// Sides of a tile: rows, and the columns of a wide one. Slabs of K, and blocks of the side that is innermost, are 64 wide.
const (
	wgmmaRows = 128
	wgmmaCols = 256
	wgmmaSlab = 64
)

// operand is a matrix of 16-bit numbers, for each of a batch: lines of `inner` numbers, ld apart, a multiple of 8. across: K goes from line to line.
type operand struct {
	p                       unsafe.Pointer
	format                  kernels.DType
	inner, lines, batch, ld int
	across                  bool
}

// aligned tells whether the tensor memory accelerator can read it.
func (o operand) aligned() bool { return uintptr(o.p)%16 == 0 && o.ld%8 == 0 }

// round fills the operand with the numbers of v, rounded; turned: v has its lines along the other side.
func (o operand) round(s *kernels.Stream, v *kernels.View, turned bool) error {
	total := o.batch * o.lines * o.ld
	return launch(s, "round_rows_"+suffixOf(o.format), each(total), *v, int32(v.DType), o.p, int64(total), int32(o.lines), int32(o.inner), int64(o.ld), turned)
}

// step is 1 where each of the batch has its own, 0 where all share one.
func (o operand) step() int32 { return min(1, int32(o.batch)-1) }

// tensorMap describes the operand to kernels whose tiles have `side` numbers along the side that is not K.
func (o operand) tensorMap(side int) (*driver.TensorMap, error) {
	box := []int{wgmmaSlab, side, 1}
	if o.across {
		box[1] = wgmmaSlab
	}
	return driver.NewTensorMap(mapFormat(o.format), o.p, []int{o.inner, o.lines, o.batch}, []int{2 * o.ld, 2 * o.ld * o.lines}, box, driver.Swizzle128)
}

// mapFormat is how tensor maps call a format of 16 bits.
func mapFormat(format kernels.DType) driver.Element {
	if format == kernels.F16 {
		return driver.MapF16
	}
	return driver.MapBF16
}

// wgmmaWide is how many columns tiles of n columns have: half as many where whole ones would be emptier.
func wgmmaWide(n int) int {
	if roundUp(n, wgmmaCols/2) < roundUp(n, wgmmaCols) {
		return wgmmaCols / 2
	}
	return wgmmaCols
}

// persistent is a grid of one block for each multiprocessor, or for each tile if they are fewer.
func persistent(s *kernels.Stream, tiles int) config {
	return blocks(min(tiles, of(s).multiprocessors()))
}

// multiprocessors is how many the device has.
func (d *device) multiprocessors() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sms == 0 {
		if n, err := driver.Multiprocessors.Get(d.ctx.Device); err == nil {
			d.sms = n
		}
		d.sms = max(d.sms, 1)
	}
	return d.sms
}

// product16 is out[m, n] (+)= a · b by wgmma, n numbers a row.
func product16(s *kernels.Stream, a, b operand, out unsafe.Pointer, m, n, k int, more bool) error {
	return gemmWGMMA(s, a, b, &gemmOut{out: out, m: m, n: n, k: k, batch: 1, alpha: 1, accumulate: more})
}

// maximaWGMMA leaves the largest score of each query with each chunk of the bank.
func (t *search) maximaWGMMA(s *kernels.Stream, q0, rows int) error {
	m, d := t.mem.Dim(0), t.mem.Dim(1)
	queries, err := operand{p: t.at(t.qs, 2*q0*t.ld), format: t.format, inner: t.ld, lines: rows, batch: 1, ld: t.ld}.tensorMap(wgmmaRows)
	if err != nil {
		return err
	}
	bank, err := operand{p: t.mem.Ptr(), format: t.format, inner: d, lines: m, batch: 1, ld: d}.tensorMap(wgmmaCols)
	if err != nil {
		return err
	}
	return launch(s, "topk_max_wgmma_"+t.suffix, persistent(s, ceilDiv(rows, wgmmaRows)*ceilDiv(m, wgmmaCols)), queries, bank, *t.exclude, int64(q0), int32(rows), int64(m), int32(d),
		t.at(t.maxima, 0), int64(t.chunks))
}
