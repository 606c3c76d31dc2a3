package tensor

import "syntic/kernels"

// ConvOptions are the optional settings of a convolution. Pad is top, left, bottom, right; a Stride of 0 is 1.
type ConvOptions struct {
	Stride int
	Pad    [4]int
	Act    Act
}

// Conv2D is the convolution of x [B, H, W, I] with w [O, KH, KW, I] and bias b [O] or nil, padded by pad zeros on all sides: [B, OH, OW, O],
// OH = (H + 2·pad − KH)/stride + 1. Gradients flow to x, w and b. It panics with an *Error if the shapes disagree or the window does not fit.
func (s *Scope) Conv2D(x, w, b *Tensor, stride, pad int) *Tensor {
	return s.Conv2DFull(x, w, b, nil, ConvOptions{Stride: stride, Pad: [4]int{pad, pad, pad, pad}})
}

// Conv2DFull is act(x ∗ w + b + residual) with any padding; b [O] and residual [B, OH, OW, O] may be nil.
// Gradients flow to x, w, b and residual. It panics with an *Error as Conv2D does.
func (s *Scope) Conv2DFull(x, w, b, residual *Tensor, o ConvOptions) *Tensor {
	if s.tracks(x, w, b, residual) && o.Act != ActNone { // the gradient needs the value before act
		act := o.Act
		o.Act = ActNone
		return s.Act(s.Conv2DFull(x, w, b, residual, o), act)
	}
	o.Stride = max(o.Stride, 1)
	if x.Rank() != 4 || w.Rank() != 4 || x.Dim(3) != w.Dim(3) {
		fail("convolution of x %v, weight %v: want x [B, H, W, I], weight [O, KH, KW, I]", x, w)
	}
	h, v := x.Dim(1)+o.Pad[0]+o.Pad[2]-w.Dim(1), x.Dim(2)+o.Pad[1]+o.Pad[3]-w.Dim(2)
	if h < 0 || v < 0 {
		fail("convolution of x %v, weight %v, pad %v: the window is larger than the padded image", x, w, o.Pad)
	}
	out := s.Empty(x.Dim(0), h/o.Stride+1, v/o.Stride+1, w.Dim(0))
	run(s, kernels.Conv2D, kernels.Conv2DArgs{X: x.View(), W: w.weight(kernels.Conv2D.Rounds()), Bias: b.View(), Residual: residual.View(), Out: out.v, Stride: o.Stride, Pad: o.Pad, Act: o.Act})
	if s.tracks(x, w, b, residual) {
		record(s, out, convStep{x, w, b, residual, o.Stride, o.Pad})
	}
	return out
}

type convStep struct {
	x, w, b, residual *Tensor
	stride            int
	pad               [4]int
}

func (o *convStep) back(g *Gradients, dout *Tensor) {
	s, x, w, b := g.s, o.x, o.w, o.b
	if x.wants() {
		dx := s.Empty(x.Shape()...)
		run(s, kernels.Conv2DGradX, kernels.Conv2DGradXArgs{DOut: dout.View(), W: w.weight(kernels.Conv2DGradX.Rounds()), DX: dx.v, Stride: o.stride, Pad: o.pad})
		g.Add(x, dx)
	}
	switch {
	case w.wants():
		args := kernels.Conv2DGradWArgs{X: x.View(), DOut: dout.View(), Stride: o.stride, Pad: o.pad}
		dw := s.Empty(w.Shape()...)
		args.DW = dw.v
		var db *Tensor
		if b.wants() {
			db = s.Empty(b.Shape()...)
			args.DBias = db.v
		}
		run(s, kernels.Conv2DGradW, args)
		g.Add(w, dw)
		if db != nil {
			g.Add(b, db)
		}
	case b.wants():
		db, c := s.Empty(b.Shape()...), b.Len()
		run(s, kernels.Reduce, kernels.ReduceArgs{X: dout.as(1, dout.Len()/c, c), Out: db.as(1, 1, c), Scale: 1})
		g.Add(b, db)
	}
	if o.residual.wants() {
		g.Add(o.residual, dout)
	}
}
