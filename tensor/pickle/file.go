package pickle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// File is an open checkpoint of torch.save: the tree it holds, and where its tensors' numbers lie. Not for several goroutines at once.
type File struct {
	path   string
	f      *os.File
	size   int64
	root   value
	script bool
}

// Open reads the tree of a checkpoint, and of its tensors only where they lie. It runs nothing that the file holds: what it would take more than
// the package's table of names to read is refused. The error names the file, the offset in its pickle, and what was refused.
func Open(path string) (*File, error) {
	fd, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("pickle: %w", err)
	}
	f := &File{path: path, f: fd}
	if err := f.read(); err != nil {
		return nil, errors.Join(fmt.Errorf("pickle: %s: %w", path, err), fd.Close())
	}
	return f, nil
}

// Close closes the file; its tensors cannot be read any more.
func (f *File) Close() error { return f.f.Close() }

// Path is the file's.
func (f *File) Path() string { return f.path }

func (f *File) read() error {
	st, err := f.f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	f.size = st.Size()
	head := make([]byte, len(legacyMagic))
	n, err := io.ReadFull(f.f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	switch head = head[:n]; {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return f.readZip()
	case len(head) > 1 && head[0] == 0x80:
		return f.readLegacy()
	case len(head) == 0:
		return errors.New("the file is empty")
	}
	return errors.New("not a file of torch.save: it begins neither as a zip archive nor as a pickle of protocol 2 or later")
}
