//go:build cuda

package driver

// #include <stdlib.h>
// #include "drv.h"
// #include "nvml.h"
import "C"

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"unsafe"
)

// MonitorEnv names a file to open instead of libnvidia-ml.so.1.
const MonitorEnv = "SYNTIC_LIBNVML"

var openMonitor = sync.OnceValue(func() error {
	path := os.Getenv(MonitorEnv)
	if path == "" {
		path = "libnvidia-ml.so.1"
	}
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var msg [512]C.char
	if C.nvml_open(name, &msg[0], C.size_t(len(msg))) != 0 {
		return fmt.Errorf("no NVML: %s", C.GoString(&msg[0]))
	}
	return nil
})

// reasons are why a clock is below its highest, by bit (nvmlClocksThrottleReasons). Idleness, bit 0, is none.
var reasons = []string{1: "application clocks", "power cap", "hardware slowdown", "sync boost", "software thermal", "hardware thermal", "power brake", "display clocks"}

// Conditions says at which clocks a device runs now and what holds them down, or why nobody can tell.
func Conditions(device int) string {
	if err := openMonitor(); err != nil {
		return "clocks unknown: " + err.Error()
	}
	var bus [32]C.char
	if err := failure("cuDeviceGetPCIBusId", C.drv_bus(&bus[0], C.int(len(bus)), C.int(device))); err != nil {
		return "clocks unknown: " + err.Error()
	}
	var s C.nvml_state
	if code := C.nvml_look(&bus[0], &s); code != 0 {
		return fmt.Sprintf("clocks unknown: NVML has no device %s (%d)", C.GoString(&bus[0]), int(code))
	}
	const unknown = ^C.uint(0)
	var say []string
	add := func(x C.uint, format string, more ...any) {
		if x != unknown {
			say = append(say, fmt.Sprintf(format, append([]any{uint(x)}, more...)...))
		}
	}
	add(s.clock, "clock %d of %d MHz", uint(s.most))
	add(s.memory, "memory %d MHz")
	add(s.celsius, "%d °C")
	if s.milliwatts != unknown {
		say = append(say, fmt.Sprintf("%.0f W", float64(s.milliwatts)/1000))
	}
	if s.reasons != ^C.ulonglong(0) {
		var held []string
		for bit, why := range reasons {
			if bit > 0 && s.reasons>>bit&1 == 1 {
				held = append(held, why)
			}
		}
		if len(held) == 0 {
			say = append(say, "not held down")
		} else {
			say = append(say, "held down by "+strings.Join(held, " and "))
		}
	}
	return strings.Join(say, ", ")
}
