// Package pickle reads the checkpoints of torch.save, and runs nothing of what they hold. A pickle is a program for a small stack machine
// (https://docs.python.org/3/library/pickletools.html); Python's machine lets it call any function by name. The machine here knows data and
// the twenty names of the table in globals.go, whose meaning is built in; any other name, and any opcode that torch.save has no use for, is an
// error that tells the name and its offset.
//
//	file.go          Open: which of torch's two formats a file is; File
//	zip.go           archives since torch 1.6: data.pkl and a stored entry for each storage; TorchScript archives
//	legacy.go        the format before: magic number, protocol, system, object, storages, one after the other
//	machine.go       the stack machine; opcodes.go its opcodes, and the names of those it refuses
//	values.go        what the machine makes: dicts, lists, tuples, tensors
//	globals.go       the allow-list, and what calling each name means
//	tensor.go        Tensor: a view of a storage, read when asked for, made contiguous
//	flatten.go       a tree of dicts as tensors named by their path
//
// # What is data and what would be code
//
// Three names of the table stand for objects that no checkpoint needs but that common ones carry: argparse.Namespace (the arguments of a
// training) becomes a dict, numpy's scalars become numbers, and pytorch_lightning's ModelCheckpoint, a key of the dict of callbacks in files such
// as Stable Diffusion's .ckpt, is a name that can be held but not called. In TorchScript archives, such as openai/CLIP's, classes of the
// archive's own code (__torch__.…) are bags of attributes, whose code is not read, and five names that tell the type of a list are known.
// Everything else that would need a class to be imported is refused, needed or not: whether an unknown name is harmless cannot be told from
// the name.
//
// # Limits
//
// A pickle's size, the number of its values, the depth of its tree and the size of its integers are bounded (machine.go); storages must be
// stored uncompressed and lie in the file; all tensors together may not be much larger than the file, which stops small files that view one number
// a billion times. Recursion in the data is an error. Nothing is allocated on a length that the file does not back.
package pickle
