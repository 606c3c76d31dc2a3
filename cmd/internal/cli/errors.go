package cli

import (
	"context"
	"errors"
	"strings"
)

// Exit codes of every verb.
const (
	ExitOK          = 0
	ExitFailed      = 1   // anything that is not one of the others
	ExitUsage       = 2   // unknown flag or verb, wrong number of arguments
	ExitBadInput    = 3   // a file, recipe or folder the user gave cannot be used
	ExitInterrupted = 130 // SIGINT or SIGTERM, as a shell reports it (128 + 2)
)

// kind is an error that carries its exit code; its text is the text of the error it wraps.
type kind struct {
	error
	code int
}

func (k *kind) Unwrap() error { return k.error }

// BadInput marks err as the fault of something the user gave: the command ends with exit code 3. It returns nil for nil.
// Packages below cmd mark their own by a method BadInput() bool that returns true; no wrapping is needed for those.
func BadInput(err error) error { return mark(err, ExitBadInput) }

// Usage marks err as a wrong use of the command line, exit code 2. It returns nil for nil.
func Usage(err error) error { return mark(err, ExitUsage) }

func mark(err error, code int) error {
	if err == nil {
		return nil
	}
	return &kind{err, code}
}

// Code is the exit code for err. The outermost mark decides; a library's own BadInput method counts if there is none.
func Code(err error) int {
	var k *kind
	var bad interface{ BadInput() bool }
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &k):
		return k.code
	case errors.As(err, &bad) && bad.BadInput():
		return ExitBadInput
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	}
	return ExitFailed
}

// oneLine makes a message fit a single line: line breaks become "; ", runs of blanks one blank.
func oneLine(message string) string {
	var parts []string
	for _, line := range strings.Split(message, "\n") {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, "; ")
}
