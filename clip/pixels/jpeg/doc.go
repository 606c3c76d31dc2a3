// Package jpeg decodes JPEG files (ITU-T T.81) to the very bytes that libjpeg-turbo gives with its default settings on x86-64: accurate
// integer inverse DCT, fancy upsampling, its colour constants, and its tolerance of damaged data. Baseline, extended and progressive Huffman
// coding with 8 bits a sample, 1 to 4 components, any sampling factors, restart intervals.
//
//	decode.go       Decode: markers to planes to pixels; Image
//	segments.go     the segments before and between scans: frame, tables, JFIF, Adobe, Exif
//	huffman.go      code tables and the bit reader
//	scan.go         a scan's walk over its blocks; restart markers, lost and found
//	sequential.go   blocks of baseline and extended scans
//	progressive.go  blocks of progressive scans
//	idct.go         dequantised coefficients to samples
//	upsample.go     subsampled planes to rows of the image's width
//	colour.go       rows of planes to RGB, grey or CMYK
//
// What is damaged, but not cut off, decodes as libjpeg-turbo decodes it: a code that is none counts as 0, a segment that ends early leaves its
// blocks grey. A file that ends before its image does is an error, as is everything that libjpeg refuses, and arithmetic coding, lossless
// frames and more than 8 bits, which Pillow refuses or hardly anybody writes. Blocks of unfinished progressive files are not smoothed.
package jpeg
