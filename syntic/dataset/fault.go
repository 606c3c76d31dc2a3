package dataset

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// Fault is what is wrong with a file of the user: bad input.
type Fault struct {
	Path  string
	Place string // "line 7", "images[3]", or empty
	What  string // in lower case, with what would be right
	Err   error  // of the file system, or nil
}

func (f *Fault) Error() string {
	s := f.Path
	if f.Place != "" {
		s += ": " + f.Place
	}
	if f.What != "" {
		s += ": " + f.What
	}
	if f.Err != nil {
		s += ": " + f.Err.Error()
	}
	return s
}

// Unwrap gives the error of the file system.
func (f *Fault) Unwrap() error { return f.Err }

// BadInput tells the command line that the user's file is at fault.
func (f *Fault) BadInput() bool { return true }

func fault(path, place, format string, args ...any) error {
	return &Fault{Path: path, Place: place, What: fmt.Sprintf(format, args...)}
}

// line says in which line of data a byte lies.
func line(data []byte, offset int64) string {
	before := data[:min(max(offset, 0), int64(len(data)))]
	return fmt.Sprintf("line %d (byte %d)", 1+bytes.Count(before, []byte("\n")), offset)
}

// checkUTF8 finds the first byte that is not UTF-8: JSON's reader would silently put a sign in its place.
func checkUTF8(path string, data []byte) error {
	if utf8.Valid(data) {
		return nil
	}
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return fault(path, line(data, int64(i)), "byte 0x%02x is not UTF-8: save the file as UTF-8", data[i])
		}
		i += n
	}
	return nil
}
