// Package cpu holds the Go and SIMD variants of the ops and the CPU backend. Importing it registers them.
//
// The map: backend.go memory and streams · pool.go fixed-grain parallel loops · isa.go what this CPU has · gen/ the avo programs that
// write <routine>_amd64.s · vector.go loops over contiguous numbers that most ops are made of, vector_math.go their functions · <op>.go the variants of one op · gonum.go the variants that call gonum.
//
// Work is cut into pieces whose sizes depend on the operands alone, never on the number of workers, and every sum has one order:
// results are the same bits for any GOMAXPROCS.
package cpu
