//go:build !windows

package cli

import (
	"os"

	"golang.org/x/sys/unix"
)

// hasSize tells whether f is a terminal with rows and columns.
func hasSize(f *os.File) bool {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	return err == nil && size.Row > 0 && size.Col > 0
}
