// Package cublaslt is a thin binding of NVIDIA's library of matrix products, libcublasLt, which is opened when it is first needed: building needs no toolkit, and
// a machine without the library goes on with the engine's own kernels. Without the build tag cuda the package is empty.
//
// Matrices are row-major here; the library's are column-major, so that it is given the transposed product Outᵀ = Bᵀ·Aᵀ of the same memory.
package cublaslt
