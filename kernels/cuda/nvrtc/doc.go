// Package nvrtc compiles CUDA source at run time by NVIDIA's library libnvrtc, which is opened when it is first needed: building needs no toolkit, and a
// machine without the library hears of it only if it asks. Without the build tag cuda the package is empty.
package nvrtc
