package tensor

import "syntic/kernels"

// tape is the list of recorded ops, in order.
type tape struct {
	steps  []step
	paused bool
}

type step struct {
	out  *Tensor
	back func(b *Gradients, dout *Tensor)
}

// Gradients are the result of Backward; they live in its scope.
type Gradients struct {
	s *Scope
	m map[*Tensor]*Tensor
}

// Of is the gradient of a parameter or a tensor that was watched; nil if the loss does not depend on it.
func (g *Gradients) Of(t *Tensor) *Tensor { return g.m[t] }

// tracks tells whether an op on these operands is to be recorded. Absent operands are nil.
func (s *Scope) tracks(ins ...*Tensor) bool {
	if s.tape == nil || s.tape.paused {
		return false
	}
	for _, t := range ins {
		if t != nil && t.needs {
			return true
		}
	}
	return false
}

// record keeps the gradient of an op: back gets the gradient of out, which it must not change, and calls Add for operands.
func (s *Scope) record(out *Tensor, back func(b *Gradients, dout *Tensor)) {
	out.needs = true
	s.tape.steps = append(s.tape.steps, step{out, back})
}

// wants tells whether a gradient of t is of use.
func (t *Tensor) wants() bool { return t != nil && t.needs }

// Add adds d to the gradient of t. The tensor d, made in b's scope, belongs to the gradients afterwards unless it is someone's dout.
func (b *Gradients) Add(t, d *Tensor) {
	if !t.wants() {
		return
	}
	old := b.m[t]
	if old == nil {
		b.m[t] = d
		return
	}
	sum := b.s.Empty(t.Shape()...)
	n := t.Len()
	run(b.s, kernels.Binary, kernels.BinaryArgs{Kind: kernels.Add, A: old.as(1, 1, n), B: d.as(1, 1, n), Out: sum.as(1, 1, n), Alpha: 1, Beta: 1})
	b.m[t] = sum
}

// NoGrad runs fn without recording.
func (s *Scope) NoGrad(fn func()) {
	if s.tape == nil {
		fn()
		return
	}
	old := s.tape.paused
	s.tape.paused = true
	defer func() { s.tape.paused = old }()
	fn()
}

// Detach is the same memory, through which no gradient flows.
func (s *Scope) Detach(t *Tensor) *Tensor { return &Tensor{v: t.View(), buf: t.buf, dev: t.dev} }

// Watch is the same memory as a leaf whose gradient Backward gives: for inputs that are not parameters.
func (s *Scope) Watch(t *Tensor) *Tensor {
	return &Tensor{v: t.View(), buf: t.buf, dev: t.dev, needs: true}
}

// Backward gives the gradients of loss, a tensor of one element, and forgets the tape. It panics with an *Error if the scope does not record or
// loss does not depend on anything that needs a gradient.
func (s *Scope) Backward(loss *Tensor) *Gradients {
	if s.tape == nil {
		fail("backward: the scope was made without WithTape")
	}
	if loss.Len() != 1 || !loss.needs {
		fail("backward of %v: want one element that depends on a parameter", loss)
	}
	steps := s.tape.steps
	s.tape.steps, s.tape.paused = nil, true
	defer func() { s.tape.paused = false }()
	b := &Gradients{s: s, m: map[*Tensor]*Tensor{loss: s.Full(1, loss.Shape()...)}}
	for i := len(steps) - 1; i >= 0; i-- {
		st := steps[i]
		if d := b.m[st.out]; d != nil {
			st.back(b, d)
			delete(b.m, st.out)
		}
		steps[i] = step{}
	}
	return b
}
