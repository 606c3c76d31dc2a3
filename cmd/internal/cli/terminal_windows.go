package cli

import (
	"os"

	"golang.org/x/sys/windows"
)

// hasSize tells whether f is a console window.
func hasSize(f *os.File) bool {
	var info windows.ConsoleScreenBufferInfo
	return windows.GetConsoleScreenBufferInfo(windows.Handle(f.Fd()), &info) == nil && info.Size.X > 0 && info.Size.Y > 0
}
