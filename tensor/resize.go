package tensor

import "syntic/kernels"

// ResizeKind is an interpolation.
type ResizeKind = kernels.ResizeKind

// The interpolations, as PyTorch's interpolate with align_corners=false and without antialiasing.
const (
	Nearest  = kernels.Nearest
	Bilinear = kernels.Bilinear
	Bicubic  = kernels.Bicubic
)

// Resize interpolates images x [B, H, W, C] to [B, h, w, C]. It panics with an *Error if x is not an image or h or w is not positive.
func (s *Scope) Resize(x *Tensor, h, w int, kind ResizeKind) *Tensor {
	if x.Rank() != 4 || h < 1 || w < 1 {
		fail("resize %v to %d×%d: want x [B, H, W, C] and positive sizes", x, h, w)
	}
	out := s.Empty(x.Dim(0), h, w, x.Dim(3))
	run(s, kernels.Resize, kernels.ResizeArgs{X: x.View(), Out: out.v, Kind: kind})
	if s.tracks(x) {
		record(s, out, resizeStep{x, kind})
	}
	return out
}

type resizeStep struct {
	x    *Tensor
	kind ResizeKind
}

func (o *resizeStep) back(g *Gradients, dout *Tensor) {
	dx := g.s.Empty(o.x.Shape()...)
	run(g.s, kernels.ResizeGrad, kernels.ResizeGradArgs{DOut: dout.View(), DX: dx.v, Kind: o.kind})
	g.Add(o.x, dx)
}

// MaxPool takes the largest value of kernel×kernel windows of x [B, H, W, C], channel by channel; pad places on each side never win.
// It panics with an *Error if x is not an image or the window does not fit.
func (s *Scope) MaxPool(x *Tensor, kernel, stride, pad int) *Tensor {
	if x.Rank() != 4 || kernel < 1 || stride < 1 || pad < 0 || x.Dim(1)+2*pad < kernel || x.Dim(2)+2*pad < kernel {
		fail("max pool of %v, kernel %d, stride %d, pad %d: want x [B, H, W, C] that holds a window", x, kernel, stride, pad)
	}
	out := s.Empty(x.Dim(0), (x.Dim(1)+2*pad-kernel)/stride+1, (x.Dim(2)+2*pad-kernel)/stride+1, x.Dim(3))
	a := kernels.MaxPoolArgs{X: x.View(), Out: out.v, Kernel: kernel, Stride: stride, Pad: pad}
	if !s.tracks(x) {
		run(s, kernels.MaxPool, a)
		return out
	}
	index := s.EmptyInts(out.Shape()...)
	a.Index = index.v
	run(s, kernels.MaxPool, a)
	record(s, out, maxPoolStep{x, index, kernel, stride, pad})
	return out
}

type maxPoolStep struct {
	x, index            *Tensor
	kernel, stride, pad int
}

func (o *maxPoolStep) back(g *Gradients, dout *Tensor) {
	dx := g.s.Empty(o.x.Shape()...)
	run(g.s, kernels.MaxPoolGrad, kernels.MaxPoolGradArgs{Index: o.index.v, DOut: dout.View(), DX: dx.v, Kernel: o.kernel, Stride: o.stride, Pad: o.pad})
	g.Add(o.x, dx)
}
