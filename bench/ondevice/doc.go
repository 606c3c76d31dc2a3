// Package ondevice holds the test that whole models compute on a CUDA device what they compute on the CPU: tiny ones, on the emulator where there is no
// GPU (go test -tags cuda ./bench/ondevice). The same binary runs on a GPU.
package ondevice
