package kernels

import "unsafe"

// MoveTo copies the operands of a case to memory of a device, of exactly their size, where its variants then find them. back gives the memory back
// and, with values, copies the operands home first; it must be called.
func (c *Case) MoveTo(b Backend, s *Stream) (back func(values bool) error, err error) {
	type moved struct {
		view *View
		host unsafe.Pointer
	}
	var all []moved
	there := map[unsafe.Pointer]unsafe.Pointer{} // operands may share memory
	back = func(values bool) (err error) {
		for _, m := range all {
			if values && err == nil {
				err = b.CopyOut(s, m.host, m.view.Ptr(), m.view.Bytes())
			}
			*m.view = NewView(m.view.DType, m.host, m.view.Shape()...)
		}
		for _, p := range there {
			b.Free(s.Device, p)
		}
		return err
	}
	seen := map[*View]bool{}
	for _, v := range append(append([]*View(nil), c.In...), c.Out...) {
		if seen[v] {
			continue
		}
		seen[v] = true
		p := there[v.Ptr()]
		if p == nil {
			if p, err = b.Alloc(s.Device, v.Bytes()); err == nil {
				there[v.Ptr()] = p
				err = b.CopyIn(s, p, v.Ptr(), v.Bytes())
			}
			if err != nil {
				back(false)
				return nil, err
			}
		}
		all = append(all, moved{v, v.Ptr()})
		*v = NewView(v.DType, p, v.Shape()...)
	}
	return back, nil
}
