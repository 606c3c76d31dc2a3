package plan

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// FolderError says that the output folder cannot be used: not writable, full, in use by another run. It is bad input.
type FolderError struct {
	Dir    string
	Err    error
	Advice string
}

func (e *FolderError) Error() string {
	return fmt.Sprintf("output folder %s: %v: %s", e.Dir, e.Err, e.Advice)
}

func (e *FolderError) Unwrap() error { return e.Err }

// BadInput marks the error as the fault of the input.
func (e *FolderError) BadInput() bool { return true }

// Explain makes a *FolderError of what the file system said when something was written to dir: full, not writable, a file in the way. Other
// errors pass unchanged.
func Explain(dir string, err error) error { return folderError(dir, err) }

// folderError explains what the file system said about dir; errors that are not about the folder pass unchanged.
func folderError(dir string, err error) error {
	var input interface{ BadInput() bool } // something else that the user gave, or the folder already
	switch {
	case err == nil || errors.As(err, &input):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return &FolderError{dir, err, "free some space and run again; finished shards are kept"}
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return &FolderError{dir, err, "choose a folder that can be written"}
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return &FolderError{dir, err, "choose another path; a file is in the way"}
	}
	return err
}

// ConflictError says that a shard was made twice with different bytes: the work is not a pure function of plan and index.
type ConflictError struct {
	Path, Kept, Want, Got string // published file, file that keeps the other bytes, their SHA-256
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s: made again with other bytes (sha256 %.12s, now %.12s, kept as %s): the same plan must give the same bytes",
		e.Path, e.Want, e.Got, e.Kept)
}

// DamagedError says that a published file no longer agrees with its record.
type DamagedError struct{ Path, What string }

func (e *DamagedError) Error() string {
	return e.Path + ": damaged: " + e.What + "; run again to remake it"
}
