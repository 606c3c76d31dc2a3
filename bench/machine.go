package bench

import (
	"runtime"

	"syntic/kernels"
	"syntic/kernels/cpu"
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
	CUDA    bool      `json:"cuda"` // whether this binary has CUDA kernels
	GPUs    []GPU     `json:"gpus"` // those that the CUDA kernels can use
}

// GPU is one device.
type GPU struct {
	Name   string `json:"name"`
	Memory int64  `json:"memory"` // bytes
}

// Describe tells of this machine.
func Describe() Machine {
	m := Machine{CPU: cpu.Describe(), Threads: runtime.GOMAXPROCS(0), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, GPUs: []GPU{}}
	if cuda := kernels.BackendOf(kernels.CUDA); cuda != nil {
		m.CUDA = true
		for _, d := range cuda.Devices() {
			m.GPUs = append(m.GPUs, GPU{d.Name, d.Memory})
		}
	}
	return m
}
