// Package image holds the compiled kernels: for each file of ../src a cubin for sm_80 and sm_90a and PTX for newer chips (of *_wgmma.cu, whose instructions
// no other chip has, the sm_90a cubin alone), and a .sum that tells of which sources they were made. Tests read from the cubins that kernels of wgmma
// hold HGMMA, keep within their registers and spill none. gen compiles them (go generate ./kernels/cuda); the same sources give the same bytes.
package image
