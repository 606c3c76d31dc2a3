package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// writable tells, before the work begins, whether a file can be written at path: that it is no folder, and that its folder is there and a
// file can be made in it. Nothing is left behind.
func writable(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder: want the name of a file", path)
	}
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot write %s: there is no folder %s: make it first", path, dir)
	}
	return writableFolder(dir)
}

// writableFolder tells whether a file can be made in a folder, or in the nearest one above that exists.
func writableFolder(dir string) error {
	at := existing(dir)
	if info, err := os.Stat(at); err == nil && !info.IsDir() {
		return fmt.Errorf("cannot write in %s: %s is a file: want a folder", dir, at)
	}
	f, err := os.CreateTemp(at, ".syntic-*")
	if err == nil {
		f.Close()
		err = os.Remove(f.Name())
	}
	if err != nil {
		return fmt.Errorf("cannot write in %s: %w: choose a folder of yours", dir, reason(err))
	}
	return nil
}

// reason is what the file system said, without the name of a temporary file.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// existing is path, or the nearest of its parents that exists.
func existing(path string) string {
	for path = filepath.Clean(path); ; path = filepath.Dir(path) {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return path
		}
	}
}
