// Package safetensors reads and writes checkpoints in the safetensors format (https://github.com/huggingface/safetensors):
// eight bytes with the length N of a JSON header (little endian), the header, then the tensors' bytes, row-major and little endian,
// without gaps.
//
//	file.go          File: Open (mapped, nothing copied), OpenBytes, Names, Info, Bytes, Float32s, Int64s, Metadata, Close
//	shards.go        checkpoints in several files behind an index; OpenFolder finds a folder's checkpoint
//	derive.go        a File of renamed, split or transposed tensors of another
//	header.go        the header and everything that can be wrong with it
//	dtype.go         DType and sizes
//	write.go         Tensor, Write: the layout of the original library, published by an atomic rename
//	map_unix.go      the memory map; map_other.go reads the whole file where there is none
//
// A file is never trusted: whatever is wrong with it is an error that names the file, the tensor and the byte offset.
package safetensors
