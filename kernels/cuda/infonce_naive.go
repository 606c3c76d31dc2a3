//go:build cuda

package cuda

import (
	"unsafe"

	"syntic/kernels"
)

func init() {
	add(kernels.InfoNCE, kernels.Variant[kernels.InfoNCEArgs]{Name: "naive_f32", Rank: 10, Usable: nceUsable, Run: infoNCENaive})
}

func infoNCENaive(s *kernels.Stream, a *kernels.InfoNCEArgs) error {
	t := &nce{InfoNCEArgs: a, s: s, n: a.X.Dim(0), m: a.Y.Dim(0), d: a.X.Dim(1)}
	t.hit, t.rowTop, t.rowSum, t.rowOwn, t.slots = t.take(4*t.n), t.take(4*t.n), t.take(4*t.n), t.take(4*t.n), t.take(8*t.n)
	t.colTop, t.colSum, t.colOwn, t.times = -1, -1, -1, -1
	if t.WY != 0 {
		t.colTop, t.colSum, t.colOwn, t.times = t.take(4*t.m), t.take(4*t.m), t.take(4*t.m), t.take(4*t.m)
	}
	if err := t.alloc(s); err != nil {
		return err
	}
	defer t.space.free()
	if err := t.prepare(); err != nil {
		return err
	}
	x, y, none := []any{a.X, int32(a.X.DType)}, []any{a.Y, int32(a.Y.DType)}, unsafe.Pointer(nil)
	if err := launch(s, "infonce_naive_stats", blocks(t.n), append(append(x[:2:2], y...), int64(t.m), int32(t.d), a.Scale, t.at(t.hit, 0), a.Target,
		t.at(t.rowTop, 0), t.at(t.rowSum, 0), a.Rank)...); err != nil {
		return err
	}
	if t.WY != 0 {
		if err := launch(s, "infonce_naive_stats", blocks(t.m), append(append(y[:2:2], x...), int64(t.n), int32(t.d), a.Scale, none, none,
			t.at(t.colTop, 0), t.at(t.colSum, 0), none)...); err != nil {
			return err
		}
	}
	wx, wy := a.WX/float32(t.n), a.WY/float32(t.n)
	if err := t.loss(wx, wy); err != nil || a.DX.Absent() {
		return err
	}
	if err := t.own(wx, wy); err != nil {
		return err
	}
	if err := launch(s, "infonce_naive_grad", blocks(t.n), append(append(x[:2:2], y...), int64(t.m), int32(t.d), a.Scale, a.Target, false,
		t.at(t.rowTop, 0), t.at(t.rowOwn, 0), t.at(t.colTop, 0), t.at(t.colOwn, 0), wx+wy, a.DX, t.at(t.slots, 0))...); err != nil {
		return err
	}
	if err := launch(s, "infonce_naive_grad", blocks(t.m), append(append(y[:2:2], x...), int64(t.n), int32(t.d), a.Scale, a.Target, true,
		t.at(t.colTop, 0), t.at(t.colOwn, 0), t.at(t.rowTop, 0), t.at(t.rowOwn, 0), wx+wy, a.DY, none)...); err != nil {
		return err
	}
	if a.DScale.Absent() {
		return nil
	}
	return launch(s, "infonce_dscale", blocks(1), t.at(t.slots, 0), int32(t.n), a.DScale)
}
