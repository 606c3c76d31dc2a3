package kernels

// Call is one call of an op whose arguments are filled in by name, by reflection: for callers that know no op when they are written.
type Call struct {
	Args  any // a pointer to the op's struct of arguments
	Views func() (in, out []*View)
	Check func() error
	Run   func(s *Stream, variant string) error // "" takes the default choice
}

// NewCall makes a call with zero arguments, or for sizes as in Dims with those of a test case. It panics as NewCaseOf does.
func (o *Op[A]) NewCall(dims []int) *Call {
	var a A
	if dims != nil {
		a = o.Make(NewRand(1), dims)
	}
	return &Call{
		Args: &a, Views: func() (in, out []*View) { return o.Views(&a) }, Check: func() error { return o.Check(&a) },
		Run: func(s *Stream, variant string) error { return o.runVariant(s, &a, variant) },
	}
}
