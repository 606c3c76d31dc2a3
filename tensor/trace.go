package tensor

// WithTrace shows fn what models compute on the way: each module calls [Scope.Trace] with itself and its result. fn must not keep x,
// whose memory is used again; [Tensor.Float32s] copies it.
func WithTrace(fn func(module any, part string, x *Tensor)) Option {
	return func(s *Scope) { s.trace = fn }
}

// Tracing tells whether somebody wants to see intermediate results: a module whose ops are fused computes those in between only then.
func (s *Scope) Tracing() bool { return s.trace != nil }

// Trace shows x, the result of a module (a pointer to its struct), to whom the scope was made for; part names a step within the module and
// is empty for the whole. Without [WithTrace] it does nothing.
func (s *Scope) Trace(module any, part string, x *Tensor) {
	if s.trace != nil {
		s.trace(module, part, x)
	}
}
