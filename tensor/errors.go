package tensor

import (
	"errors"
	"fmt"
)

// Error is what ops panic with when shapes, dtypes or devices are wrong or a device fails. [Catch] turns it into an error.
type Error struct{ Err error }

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Catch is deferred by exported functions of the models: a panic with an *Error becomes *err, any other panic passes on.
func Catch(err *error) {
	switch r := recover().(type) {
	case nil:
	case *Error:
		*err = errors.Join(*err, r.Err)
	default:
		panic(r)
	}
}

func fail(format string, args ...any) {
	panic(&Error{fmt.Errorf(format, args...)})
}

func check(err error) {
	if err != nil {
		panic(&Error{err})
	}
}
