package main

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
	"strings"
)

// memory is what a new process may hope for and what there is in all, in bytes, within the limits of the container; zeros if unknown.
func memory() (free, total int64) {
	info, _ := os.ReadFile("/proc/meminfo")
	free, total = meminfo(info)
	group, _ := os.ReadFile("/sys/fs/cgroup/memory.max") // "max" is no limit
	stat, _ := os.ReadFile("/sys/fs/cgroup/memory.stat")
	limit, _ := strconv.ParseInt(strings.TrimSpace(string(group)), 10, 64)
	if limit > 0 && limit < total {
		return min(free, max(0, limit-field(stat, "anon"))), limit // files in the cache give way
	}
	return free, total
}

// meminfo reads MemAvailable and MemTotal, given in KiB, of Linux' /proc/meminfo.
func meminfo(text []byte) (free, total int64) {
	return field(text, "MemAvailable:") << 10, field(text, "MemTotal:") << 10
}

// field is the number that follows name on a line of its own; 0 if there is none.
func field(text []byte, name string) int64 {
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		if f := strings.Fields(s.Text()); len(f) >= 2 && f[0] == name {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n
		}
	}
	return 0
}
