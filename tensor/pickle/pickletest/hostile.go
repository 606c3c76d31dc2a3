// Package pickletest makes files that a reader of torch.save's checkpoints must refuse: each abuses an opcode, a name, a length or an archive.
// zip.go holds those about archives and storages, hostile.go those about the pickle itself.
package pickletest

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// Case is a hostile file: what it is called and what the one line of the refusal must say.
type Case struct {
	Name, Want string
	File       []byte
}

// The parts of pickles, by the names of Python's pickletools.
const (
	proto  = "\x80\x02"
	stop   = "."
	system = "cos\nsystem\n"
	odict  = "ccollections\nOrderedDict\n"
	rebuil = "ctorch._utils\n_rebuild_tensor_v2\n"
	floats = "ctorch\nFloatStorage\n"
)

func str(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

func le(n uint64, size int) string { return string(binary.LittleEndian.AppendUint64(nil, n)[:size]) }

// num is a 64-bit integer.
func num(n int64) string { return "\x8a\x08" + le(uint64(n), 8) }

// persistent is the storage "0" of n floats.
func persistent(n int64) string {
	return "(" + str("storage") + floats + str("0") + str("cpu") + num(n) + "tQ"
}

// tensor is a view of storage "0" of n floats.
func tensor(n, offset int64, size, stride []int64) string {
	b := rebuil + "(" + persistent(n) + num(offset) + "("
	for _, v := range size {
		b += num(v)
	}
	b += "t("
	for _, v := range stride {
		b += num(v)
	}
	return b + "t\x89" + odict + ")RtR"
}

// dict puts a value below a key.
func dict(key, v string) string { return "}" + str(key) + v + "s" }

// Zip wraps a pickle as torch does, with one storage of four floats.
func Zip(pickle string) []byte {
	return archive(entry{"a/data.pkl", pickle}, entry{"a/data/0", strings.Repeat("\x00", 16)})
}

type entry struct{ name, text string }

func archive(entries ...entry) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		f, err := w.CreateHeader(&zip.FileHeader{Name: e.name, Method: zip.Store})
		if err == nil {
			_, err = f.Write([]byte(e.text))
		}
		if err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// Legacy wraps a pickle as torch did before 1.6; what follows it is keys and storages.
func Legacy(pickle, rest string) []byte {
	return []byte(legacyHead + proto + "}" + str("little_endian") + "\x88s" + str("protocol_version") + "M\xe9\x03s." + pickle + rest)
}

const legacyHead = "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03."

// Hostile is all cases; their names are different.
func Hostile() []Case {
	var all []Case
	add := func(name, want, pickle string) { all = append(all, Case{name, want, Zip(pickle)}) }
	calls(add)
	opcodes(add)
	lengths(add)
	types(add)
	tensors(add)
	trees(add)
	return append(all, files()...)
}

type adder = func(name, want, pickle string)

// calls want functions or classes.
func calls(add adder) {
	arg := str("touch /tmp/owned")
	for i, g := range []string{
		"os system", "posix system", "nt system", "subprocess Popen", "subprocess check_output", "builtins eval", "builtins exec", "__builtin__ eval", "builtins compile",
		"builtins getattr", "builtins __import__", "builtins open", "builtins map", "builtins set", "importlib import_module", "runpy _run_code", "sys modules", "socket create_connection",
		"webbrowser open", "shutil rmtree", "pty spawn", "operator attrgetter", "functools partial", "types CodeType", "types FunctionType", "marshal loads", "pickle loads", "codecs encode",
		"torch load", "torch.storage _load_from_bytes", "torch.hub load", "torch.jit load", "torch._utils _rebuild_tensor_v3", "torch._utils _rebuild_sparse_tensor", "torch.serialization load",
		"torch.storage UntypedStorage", "torch ComplexFloatStorage", "numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy load", "copyreg _reconstructor", "collections OrderedDict.__init__",
		"collections.OrderedDict fromkeys", "argparse ArgumentParser", "pytorch_lightning.callbacks ModelCheckpoint", "omegaconf.dictconfig DictConfig", "__torch__.evil Model", "torch.jit._pickle build_intlist",
	} {
		module, name, _ := strings.Cut(g, " ")
		full := fmt.Sprintf("%q", module+"."+name)
		switch i % 4 { // four ways to want something
		case 0:
			add("GLOBAL and REDUCE "+g, full, proto+"c"+module+"\n"+name+"\n("+arg+"tR.")
		case 1:
			add("STACK_GLOBAL "+g, full, "\x80\x04"+str(module)+str(name)+"\x93\x85R.")
		case 2:
			add("NEWOBJ "+g, full, proto+"c"+module+"\n"+name+"\n)\x81}b.")
		case 3:
			add("state of a dict "+g, full, proto+dict("weight", "c"+module+"\n"+name+"\n)R")+".")
		}
	}
	add("os.system behind a memo", `"os.system"`, proto+system+"q\x00"+"0h\x00("+arg+"tR.")
	add("os.system in a state dict", `"os.system"`, proto+odict+")R("+str("w")+tensor(4, 0, []int64{4}, []int64{1})+str("x")+system+"("+arg+"tRu.")
	add("os.system as backward hook", `"os.system"`, proto+rebuil+"("+persistent(4)+"K\x00K\x04\x85K\x01\x85\x89"+system+"("+arg+"tRtR.")
	add("os.system as key", `"os.system"`, proto+"}"+system+"K\x01s.")
	add("os.system as persistent id", `"os.system"`, proto+"("+system+arg+"tQ.")
	add("os.system after STOP of a dict", `"os.system"`, proto+"}0"+system+"("+arg+"tR.")
	add("name with a dot", `"collections.OrderedDict.fromkeys.__globals__"`, "\x80\x04"+str("collections")+str("OrderedDict.fromkeys.__globals__")+"\x93.")
	add("name with blanks", `"collections .OrderedDict"`, proto+"ccollections \nOrderedDict\n.")
	add("name in other letters", `"ос.system"`, proto+"cос\nsystem\n.")
	add("storage type called", "torch.FloatStorage is a name that may be held but not called", proto+floats+"(K\x04tR.")
	add("ModelCheckpoint called", "may be held but not called", proto+"cpytorch_lightning.callbacks.model_checkpoint\nModelCheckpoint\n)R.")
	add("ModelCheckpoint made", "refused", proto+"cpytorch_lightning.callbacks.model_checkpoint\nModelCheckpoint\n)\x81.")
	add("ModelCheckpoint built", "as state of", proto+"cpytorch_lightning.callbacks.model_checkpoint\nModelCheckpoint\n}b.")
	add("Namespace called", "may be held but not called", proto+"cargparse\nNamespace\n)R.")
	add("Namespace with arguments", "an object of argparse.Namespace: refused", proto+"cargparse\nNamespace\nK\x01\x85\x81.")
	add("state with __setstate__", "a tuple of 2 as state of a dict", proto+odict+")R"+"}"+"}\x86b.")
	add("state of a tensor", "as state of a tensor", proto+tensor(4, 0, []int64{4}, []int64{1})+"}b.")
	add("_codecs.encode to another codec", "_codecs.encode called", proto+"c_codecs\nencode\n("+str("x")+str("unicode_escape")+"tR.")
	add("_codecs.encode of a wide character", "is not of latin1", proto+"c_codecs\nencode\n("+str("ж")+str("latin1")+"tR.")
	add("OrderedDict of a function", `"builtins.iter"`, proto+odict+"(cbuiltins\niter\ntR.")
	add("calling a string", "cannot call the string", proto+str("os.system")+")R.")
	add("calling with a list", "want a tuple of arguments", proto+odict+"]R.")
}

// opcodes that are not there, or not allowed.
func opcodes(add adder) {
	for name, p := range map[string]string{
		"INST": "(ios\nsystem\n", "OBJ": "(" + odict + "o", "NEWOBJ_EX": "\x92", "PERSID": "P0\n", "EXT1": "\x82\x01", "EXT2": "\x83\x01\x00", "EXT4": "\x84\x01\x00\x00\x00",
		"BYTEARRAY8": "\x96" + le(1<<62, 8), "NEXT_BUFFER": "\x97", "READONLY_BUFFER": "\x98", "STRING": "S'x'\n", "UNICODE": "Vx\n",
	} {
		add("opcode "+name, name+": is an opcode that checkpoints do not need: refused", proto+p+".")
	}
	add("no opcode", "byte 0xff is no opcode", proto+"\xff.")
	add("zero bytes", "byte 0x00 is no opcode", "\x00\x00\x00\x00")
	add("protocol 0", "PROTO: protocol 0: want 2 to 5", "\x80\x00N.")
	add("protocol 255", "PROTO: protocol 255", "\x80\xffN.")
	add("STOP of nothing", "STOP: 0 values are left", proto+".")
	add("STOP of two", "STOP: 2 values are left", proto+"NN.")
	add("STOP below a mark", "STOP: 1 values are left", proto+"(N.")
	add("POP of nothing", "POP: the stack is empty", proto+"0.")
	add("DUP of nothing", "DUP: the stack is empty", proto+"2.")
	add("DUP through a mark", "DUP: the stack is empty", proto+"N(2.")
	add("POP_MARK of nothing", "POP_MARK: there is no mark", proto+"1.")
	add("TUPLE without mark", "TUPLE: there is no mark", proto+"Nt.")
	add("TUPLE3 of two", "TUPLE3: the stack is empty", proto+"NN\x87.")
	add("APPEND to a dict", "APPEND: cannot add to a dict", proto+"}Na.")
	add("APPENDS to nothing", "APPENDS: the stack is empty", proto+"(Ne.")
	add("SETITEM of a list", "SETITEM: cannot set items of a list", proto+"]NNs.")
	add("SETITEMS of three", "SETITEMS: 3 keys and values: want pairs", proto+"}(NNNu.")
	add("DICT of one", "DICT: 1 keys and values", proto+"(Nd.")
	add("list as key", "a list as key of a dict", proto+"}]Ns.")
	add("tensor as key", "a tensor as key of a dict", proto+"}"+tensor(4, 0, []int64{4}, []int64{1})+"Ns.")
	add("memo never made", "BINGET: memo entry 7 was never made", proto+"h\x07.")
	add("memo of nothing", "BINPUT: the stack is empty", proto+"q\x00.")
	add("memo key of letters", "GET: memo key \"os\"", proto+"gos\n.")
	add("BUILD of nothing", "BUILD: the stack is empty", proto+"}b.")
	add("REDUCE of nothing", "REDUCE: the stack is empty", proto+")R.")
	add("STACK_GLOBAL of numbers", "STACK_GLOBAL: module and name are", proto+"K\x01K\x02\x93.")
	add("BINPERSID of a string", "as persistent id", proto+str("0")+"Q.")
	add("module in place of a storage", "begins with the string \"module\"", proto+"("+str("module")+"NNNtQ.")
}

// lengths that the file does not back.
func lengths(add adder) {
	const cut = "the pickle is cut off"
	add("empty pickle", cut, "")
	add("only PROTO", cut, proto)
	add("half of PROTO", cut, "\x80")
	add("no STOP", cut, proto+"}")
	add("BININT cut", cut, proto+"J\x01")
	add("BINFLOAT cut", cut, proto+"G\x01")
	add("BINUNICODE of 4 GB", cut, proto+"X\xff\xff\xff\xff.")
	add("BINUNICODE8 of 2^64-1", cut, proto+"\x8d"+le(1<<64-1, 8)+".")
	add("BINBYTES8 of 2^63", cut, proto+"\x8e"+le(1<<63, 8)+".")
	add("BINBYTES of 4 GB", cut, proto+"B\xff\xff\xff\xff.")
	add("FRAME of 2^64-1", cut, "\x80\x04\x95"+le(1<<64-1, 8)+"N.")
	add("LONG4 of 2 GB", cut, proto+"\x8b\xff\xff\xff\x7f.")
	add("LONG1 of 255 bytes", "an integer of 255 bytes: want at most 16", proto+"\x8a\xff"+strings.Repeat("\xff", 255)+".")
	add("LONG of a thousand digits", "a line of more than 64 bytes", proto+"L"+strings.Repeat("9", 1000)+"L\n.")
	add("INT of letters", "is no integer of 64 bits", proto+"Iabc\n.")
	add("FLOAT of letters", "is no number", proto+"Fabc\n.")
	add("GLOBAL without end", cut, proto+"cos")
	add("GLOBAL of a kilobyte", "a line of more than 512 bytes", proto+"c"+strings.Repeat("a", 1000)+"\nb\n.")
	add("GLOBAL of two long halves", "a name of 801 bytes", proto+"c"+strings.Repeat("a", 400)+"\n"+strings.Repeat("b", 400)+"\n.")
	add("string that is no UTF-8", "not valid UTF-8", proto+str("\xff\xfe")+".")
	add("millions of lists", "more than 1048576 values", proto+strings.Repeat("]", 1<<20+8)+".")
	add("millions of memo entries", "more than 524288 memo entries", proto+"N"+strings.Repeat("\x94", 1<<19+8)+".")
	add("millions of marks", "more than 1048576 values", proto+strings.Repeat("(", 1<<20+8)+".")
}

// types are arguments of the wrong kinds.
func types(add adder) {
	add("tensor of a string", "_rebuild_tensor_v2 called with 6 arguments, or not of the kinds", proto+rebuil+"("+str("x")+"K\x00))\x89NtR.")
	add("tensor of two arguments", "_rebuild_tensor_v2 called with 2 arguments", proto+rebuil+"(NNtR.")
	add("parameter of a number", "_rebuild_parameter called", proto+"ctorch._utils\n_rebuild_parameter\n(K\x01\x88NtR.")
	add("Size of a number", "torch.Size called", proto+"ctorch\nSize\nK\x01\x85R.")
	add("OrderedDict of a number", "OrderedDict called", proto+odict+"K\x01\x85R.")
	add("OrderedDict of triples", "OrderedDict called", proto+odict+"](NNNta\x85R.")
	add("numpy type of objects", `numpy.dtype "O8": want a number's`, proto+"cnumpy\ndtype\n("+str("O8")+"K\x00K\x01tR.")
	add("numpy scalar without bytes", "numpy's scalar called", proto+"cnumpy.core.multiarray\nscalar\n(NNtR.")
	add("numpy scalar of wrong size", "numpy's scalar called", proto+"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n("+str("f8")+"K\x00K\x01tR"+"C\x02abtR.")
	add("storage of complex numbers", `"torch.ComplexDoubleStorage"`, proto+"("+str("storage")+"ctorch\nComplexDoubleStorage\n"+str("0")+str("cpu")+"K\x02tQ.")
	add("storage of type OrderedDict", "of type collections.OrderedDict: refused", proto+"("+str("storage")+odict+str("0")+str("cpu")+"K\x02tQ.")
	add("storage of a negative size", "of -1 elements", proto+"("+str("storage")+floats+str("0")+str("cpu")+num(-1)+"tQ.")
	add("storage of 2^62 elements", "of 4611686018427387904 elements", proto+"("+str("storage")+floats+str("0")+str("cpu")+num(1<<62)+"tQ.")
	add("storage without entry", `the archive has no entry "a/data/7"`, proto+"("+str("storage")+floats+str("7")+str("cpu")+"K\x04tQ.")
	add("storage above its folder", `no entry "a/data/../data.pkl"`, proto+"("+str("storage")+floats+str("../data.pkl")+str("cpu")+"K\x04tQ.")
	add("storage longer than its entry", "5 elements of F32 are 20 bytes, a/data/0 holds 16: cut off or damaged", proto+persistent(5)+".")
	add("storage of six parts", "a persistent id of 6 parts", proto+"("+str("storage")+floats+str("0")+str("cpu")+"K\x04NtQ.")
}

// tensors that reach beyond their storage.
func tensors(add adder) {
	for _, c := range []struct {
		name, want   string
		offset       int64
		size, stride []int64
	}{
		{"tensor too long", "whose last element is the 5. of a storage of 4", 0, []int64{5}, []int64{1}},
		{"tensor from too far", "from element 5 of a storage of 4", 5, []int64{1}, []int64{1}},
		{"tensor from below", "from element -1", -1, []int64{1}, []int64{1}},
		{"negative size", "want integers of 0 or more", 0, []int64{-1}, []int64{1}},
		{"negative stride", "want integers of 0 or more", 3, []int64{4}, []int64{-1}},
		{"stride beyond", "whose last element is the 10. of", 0, []int64{4}, []int64{3}},
		{"size times stride overflows", "beyond its storage", 0, []int64{1 << 40}, []int64{1 << 40}},
		{"size of 2^63-1", "want integers of 0 or more", 0, []int64{1<<63 - 1}, []int64{1}},
		{"many sizes overflow", "overflows", 0, []int64{1 << 30, 1 << 30, 1 << 30}, []int64{0, 0, 0}},
		{"one number a billion times", "more than", 0, []int64{1 << 30}, []int64{0}},
		{"sizes and strides differ in number", "not of the kinds", 0, []int64{2, 2}, []int64{1}},
		{"sixty-five sizes", "not of the kinds", 0, ones(65), ones(65)},
	} {
		add(c.name, c.want, proto+dict("w", tensor(4, c.offset, c.size, c.stride))+".")
	}
}

func ones(n int) []int64 {
	v := make([]int64, n)
	for i := range v {
		v[i] = 1
	}
	return v
}

// trees that are too deep, too wide or hold themselves.
func trees(add adder) {
	t := tensor(4, 0, []int64{4}, []int64{1})
	add("nothing", "no tensors in the file", proto+"}.")
	add("a number alone", "no tensors in the file", proto+"K\x01.")
	add("dict that holds itself", "holds itself", proto+"}q\x00"+str("a")+"h\x00s.")
	add("list that holds itself", "holds itself", proto+"]q\x00h\x00a.")
	add("list that holds itself through a tuple", "holds itself", proto+"]q\x00h\x00\x85a.")
	add("a thousand levels", "deeper than 64 levels", proto+strings.Repeat("]", 1000)+t+strings.Repeat("a", 1000)+".")
	laughs := proto + t + "q\x00"
	for i := range 9 { // each level holds the one before ten times
		laughs += "](" + strings.Repeat("h"+string(rune(i)), 10) + "eq" + string(rune(i+1))
	}
	add("a billion references", "more than 65536 tensors", laughs+"\x85"+strings.Repeat("\x86", 9)+".")
	add("a billion empty lists", "more than 1048576 values on the way", billion())
	add("same name twice", `two tensors are named "a.b"`, proto+"}("+str("a.b")+t+str("a")+dict("b", t)+"u.")
	add("name of a megabyte", "a name of 1048576 bytes", proto+dict(strings.Repeat("a", 1<<20), t)+".")
}

func billion() string {
	b := proto + "]q\x00"
	for i := range 9 {
		b += "](" + strings.Repeat("h"+string(rune(i)), 10) + "eq" + string(rune(i+1))
	}
	return b + "\x85" + strings.Repeat("\x86", 9) + "."
}
