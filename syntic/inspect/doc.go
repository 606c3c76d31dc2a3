// Package inspect tells what a model's folder or file is, and whether it can be loaded: its architecture, whose names its tensors have, dtypes,
// memory, and the names that are missing, unexpected or misshapen.
//
//	inspect.go     Inspect: a path as a Report of Parts
//	names.go       Recognise: an architecture and its naming, from names of tensors alone
//	parts.go       loading each kind of part, to see whether it fits
package inspect
