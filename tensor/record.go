package tensor

// gradient is a recorded op: what it needs to give its operands their gradients.
type gradient interface {
	// back gets the gradient of the op's result, which it must not change, and calls Add for operands.
	back(g *Gradients, dout *Tensor)
}

// record keeps op for the gradient of its result out, in memory of the tape that is used again after a Reset: a closure would be a new one each time.
func record[T any, P interface {
	*T
	gradient
}](s *Scope, out *Tensor, op T) {
	of, _ := s.tape.ops[(*T)(nil)].(*arena[T])
	if of == nil {
		of = &arena[T]{}
		if s.tape.ops == nil {
			s.tape.ops = map[any]resetter{}
		}
		s.tape.ops[(*T)(nil)] = of
	}
	p := of.next()
	*p = op
	out.needs = true
	s.tape.steps = append(s.tape.steps, step{out, P(p)})
}

// resetter is an arena of any type.
type resetter interface{ reset() }

// list keeps operands of an op that has any number of them, as record keeps the op.
func (t *tape) list(xs []*Tensor) []*Tensor {
	at := len(t.lists)
	t.lists = append(t.lists, xs...)
	return t.lists[at:len(t.lists):len(t.lists)]
}
