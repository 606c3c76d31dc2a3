package cpu

import "golang.org/x/sys/unix"

// adviseHuge asks for pages of 2 MiB: products walk through many panels at once, and small pages cost address look-ups.
func adviseHuge(b []byte) { _ = unix.Madvise(b, unix.MADV_HUGEPAGE) } // advice
