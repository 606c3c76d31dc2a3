// Package image holds the compiled kernels: for each file of ../src one archive, STEM.images, with a cubin for each chip and PTX for newer ones (of *_wgmma.cu,
// whose instructions no other chip has, the sm_90a cubin alone). Tests read from the cubins that kernels of wgmma hold HGMMA, keep within their registers
// and spill none, and that every chip's cubin holds the same kernels. gen compiles them (go generate ./kernels/cuda); the same sources give the same bytes.
//
// # The chips
//
//	8.0        sm_80     A100
//	8.6, 8.9   sm_86     RTX 30 and 40, L4, L40: nvcc 13.0 makes of every source the same machine code for sm_89, so that one is left out (gen compares,
//	                     and would keep it where it differed); the code for sm_80 is another (registers, order) in nearly all kernels, so it is no substitute
//	9.0        sm_90a    H100, H200
//	10.x       sm_100    B200, B300
//	12.x       sm_120    RTX 50
//	others     PTX of compute_80, compiled by the driver: systems on a chip, and what comes
//
// # The archive
//
// Its head is text: the hash of the sources, the kernels, and of each image its size and hash; head -n 9 shows it. Each image is packed by itself, so that a
// process unpacks the one of its chip and no other. Whether an archive is fresh is asked of the hashes of sources and unpacked images: another version of
// the compressor makes nothing stale, and gen leaves an archive alone that holds the same images.
package image
