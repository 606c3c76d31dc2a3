// Package nn makes layers of the ops of package tensor and moves their parameters to and from checkpoints.
//
// The map: module.go [Parameters], how structs become named parameters · paths.go the names of modules · linear.go conv.go norm.go
// embedding.go the layers · checkpoint.go [Load] and [Save] · init.go [Init] · adamw.go [AdamW] and [EMA] · muon.go · lrschedule.go · training.go
// checkpoints of a training · files.go a folder's JSON.
//
// # Architecture
//
// A module is a plain struct. Its fields of type *tensor.Tensor are parameters; structs, pointers to structs and slices of them are
// submodules; the tag `name:"…"` says what the checkpoint calls them, so that a model's type is its checkpoint's table of contents.
// Fields without the tag are no part of the checkpoint. A nil pointer is absent. `name:""` adds nothing to the path.
// After a comma the tag tells the layout in the file: "oihw" for convolutions, which lie as [O, KH, KW, I] in memory, and "io" for
// weights that are stored [in, out] and lie as [out, in].
package nn
