// Package image holds the compiled kernels: for each file of ../src a cubin for sm_80 and sm_90a and PTX for newer chips, and a .sum that tells of
// which sources they were made. gen compiles them (go generate ./kernels/cuda); the same sources give the same bytes.
package image
