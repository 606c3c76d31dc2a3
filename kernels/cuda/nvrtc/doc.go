// Package nvrtc compiles CUDA source at run time by NVIDIA's library libnvrtc, which is opened when it is first needed: building needs no toolkit, and a
// machine without the library hears of it only if it asks. Without the build tag cuda the package is empty.
//
// That every source of ../src compiles through it is a test of package image, which does it where the library is installed and asks for the right error where
// not: SYNTIC_LIBNVRTC=…/libnvrtc.so.13 go test -tags cuda ./kernels/cuda/image -run AtRunTime. Done with the library of CUDA 13.2 (pip's nvidia-cuda-nvrtc).
package nvrtc
