package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// resident is the memory that a process has resident now and at most since the last resetPeak, in bytes; 0 if the system does not tell.
func resident(pid int) (now, peak int64) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	for line := range bytes.Lines(data) {
		name, rest, _ := bytes.Cut(line, []byte(":"))
		words := bytes.Fields(rest)
		if len(words) != 2 {
			continue
		}
		kib, _ := strconv.ParseInt(string(words[0]), 10, 64)
		switch string(name) {
		case "VmRSS":
			now = kib << 10
		case "VmHWM":
			peak = kib << 10
		}
	}
	return now, peak
}

// resetPeak makes the memory resident now the peak of a process. It tells whether the system did.
func resetPeak(pid int) bool {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0) == nil
}

// governor is the policy by which the system sets the clock of the processors, "" if unknown.
func governor() string {
	text, err := os.ReadFile("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(text))
}

// release names the version of the system.
func release() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(text))
}
