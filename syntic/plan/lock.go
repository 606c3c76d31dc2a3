package plan

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// lockName is the file in an output folder that a run holds a lock on; its text is the run's process id.
const lockName = ".syntic.lock"

// Lock makes dir, lets this process alone work in it, and returns what gives it back. The lock ends with the process,
// however that ends. If another process has it, the error is a *FolderError that names the process.
func Lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		var explained *FolderError
		if err = folderError(dir, err); !errors.As(err, &explained) {
			err = &FolderError{dir, err, "choose another folder"}
		}
		return nil, err
	}
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, folderError(dir, err)
	}
	if taken, err := lockFile(f); err != nil {
		defer f.Close()
		if !taken {
			return nil, folderError(dir, fmt.Errorf("%s: %w", path, err))
		}
		owner := "another process"
		if pid, err := os.ReadFile(path); err == nil && len(pid) > 0 {
			owner = "process " + strings.TrimSpace(string(pid))
		}
		return nil, &FolderError{dir, errors.New("in use by " + owner), "wait until it ends, or choose another folder"}
	}
	err = errors.Join(f.Truncate(0), func() error { _, err := fmt.Fprintln(f, os.Getpid()); return err }())
	if err != nil {
		f.Close()
		return nil, folderError(dir, err)
	}
	return func() { f.Close() }, nil
}

// clean removes temporary files that a killed run left in the folders of stages. Only the holder of the lock may.
func clean(dir string) error {
	folders, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if _, err := os.Stat(filepath.Join(dir, folder.Name(), "plan.json")); !folder.IsDir() || err != nil && !stageFolder(folder.Name()) {
			continue // not ours
		}
		left, err := filepath.Glob(filepath.Join(escape(filepath.Join(dir, folder.Name())), "*.tmp-*"))
		if err != nil {
			return err
		}
		for _, path := range left {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// stageFolder tells whether name has the form of a stage's folder: name, hyphen, twelve hexadecimal digits.
func stageFolder(name string) bool {
	i := len(name) - 13
	return i > 0 && name[i] == '-' && strings.Trim(name[i+1:], "0123456789abcdef") == ""
}

// escape keeps the characters of a path from being read as a pattern.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}
