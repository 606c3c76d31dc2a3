// Command emulated builds the emulator and lays it into a folder as a linker and a loader look for the driver: libcuda.so, libcuda.so.1.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"syntic/kernels/cuda/emu"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: emulated FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "emulated:", err)
		os.Exit(1)
	}
}

func run(folder string) error {
	lib, err := emu.Build()
	if err != nil {
		return err
	}
	for _, name := range []string{"libcuda.so", "libcuda.so.1"} {
		if err := os.Symlink(lib, filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	return nil
}
