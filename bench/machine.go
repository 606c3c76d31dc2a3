package bench

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"syntic/kernels"
	"syntic/kernels/cpu"
	"syntic/tensor"
)

// Processor is the CPU as the kernels see it.
type Processor = cpu.Machine

// Machine is where something was measured.
type Machine struct {
	CPU     Processor `json:"cpu"`
	Threads int       `json:"threads"` // that Go code may use at once
	Go      string    `json:"go"`
	OS      string    `json:"os"`
	Arch    string    `json:"arch"`
	CUDA    bool      `json:"cuda"`             // whether this binary has CUDA kernels
	GPUs    []GPU     `json:"gpus"`             // those that the CUDA kernels can use
	NoGPU   string    `json:"no_gpu,omitempty"` // why a binary with CUDA kernels can use none

	Commit   string `json:"commit"`             // of the source; "" where the build did not note it, as in go run
	Modified bool   `json:"modified,omitempty"` // the source was not as committed
	Release  string `json:"release,omitempty"`  // of the system
	Governor string `json:"governor,omitempty"` // policy of the clock; "" if the system does not tell, as most virtual machines
}

// GPU is one device.
type GPU struct {
	Name   string `json:"name"`
	Memory int64  `json:"memory"`           // bytes
	Detail string `json:"detail,omitempty"` // driver, compute capability, images
}

// commit is the source's, where go build does not note it: -ldflags "-X syntic/bench.commit=$(git rev-parse HEAD)".
var commit string

// Describe tells of this machine.
func Describe() Machine {
	m := Machine{CPU: cpu.Describe(), Threads: runtime.GOMAXPROCS(0), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, GPUs: []GPU{},
		Release: release(), Governor: governor(), Commit: commit}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				m.Commit = s.Value
			case "vcs.modified":
				m.Modified = s.Value == "true"
			}
		}
	}
	if cuda := kernels.BackendOf(kernels.CUDA); cuda != nil {
		m.CUDA = true
		for _, d := range cuda.Devices() {
			m.GPUs = append(m.GPUs, GPU{d.Name, d.Memory, d.Detail})
		}
		if err := tensor.NoGPU(); err != nil {
			m.NoGPU = err.Error()
		}
	}
	return m
}

// Unlike says what makes times on two machines incomparable, "" if nothing does. The source, the Go version and the system may differ: they are what
// measurements compare.
func (m Machine) Unlike(o Machine) string {
	for _, d := range []struct {
		what string
		a, b any
	}{
		{"processors", m.CPU.Name, o.CPU.Name}, {"architectures", m.Arch, o.Arch}, {"instruction sets in use", m.CPU.Used, o.CPU.Used},
		{"numbers of cores", m.CPU.Logical, o.CPU.Logical}, {"numbers of threads", m.Threads, o.Threads}, {"clock governors", m.Governor, o.Governor},
	} {
		if d.a != d.b {
			return fmt.Sprintf("%s %v and %v", d.what, d.a, d.b)
		}
	}
	return ""
}
