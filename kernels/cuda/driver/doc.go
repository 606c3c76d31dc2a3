// Package driver is a thin binding of the CUDA driver API.
//
// The library libcuda.so.1 is opened when it is first needed, so a binary built with the tag cuda starts on any machine, with and without a
// GPU; building needs a C compiler and no CUDA toolkit. Without the tag, [Open] answers with an error that wraps [ErrNoDriver].
//
// The map: drv.h, drv.c the function table and one C function a call · driver.go opening, devices · context.go primary contexts · memory.go memory and
// copies · stream.go streams and events · module.go images and kernels · launch.go packed arguments · graph.go capture and replay · nvml.h, nvml.c, nvml.go clocks ·
// tensormap.go descriptors of the tensor memory accelerator · errors.go.
//
// Device addresses are unsafe.Pointer: Go code must never read or write through them. Any goroutine may call: each call makes its context
// current on the thread it finds itself on.
package driver
