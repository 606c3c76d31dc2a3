//go:build cuda

package tensor

import _ "syntic/kernels/cuda" // registers the CUDA backend and its variants
