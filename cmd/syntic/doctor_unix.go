//go:build linux || darwin

package main

import "golang.org/x/sys/unix"

// diskFree is how many bytes this user can still write to the file system of folder.
func diskFree(folder string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}
