package pickletest

import (
	"archive/zip"
	"bytes"
	"strings"
)

// files are broken or lying archives and legacy files.
func files() []Case {
	good := proto + dict("w", tensor(4, 0, []int64{4}, []int64{1})) + "."
	whole := Zip(good)
	four := strings.Repeat("\x00", 16)
	legacyTensor := proto + dict("w", strings.Replace(tensor(4, 0, []int64{4}, []int64{1}), num(4)+"tQ", num(4)+"NtQ", 1)) + "."
	keys := proto + "](" + str("0") + "e."
	legacyWhole := Legacy(legacyTensor, keys+le(4, 8)+four)
	view := func(from, n int64) string {
		return strings.Replace(legacyTensor, "NtQ", str("v")+num(from)+num(n)+"\x87tQ", 1)
	}
	return []Case{
		{"empty file", "the file is empty", nil},
		{"a text", "not a file of torch.save", []byte("hello, world")},
		{"a safetensors file", "not a file of torch.save", []byte("\x02\x00\x00\x00\x00\x00\x00\x00{}")},
		{"a pickle of protocol 0", "not a file of torch.save", []byte("cos\nsystem\n(S'x'\ntR.")},
		{"a bare pickle of os.system", `"os.system"`, []byte(proto + system + "(" + str("x") + "tR.")},
		{"a bare pickle of a dict", "a pickle of a dict: want torch's magic number", []byte(proto + "}.")},
		{"archive cut in half", "damaged or cut off", whole[:len(whole)/2]},
		{"archive of four bytes", "damaged or cut off", whole[:4]},
		{"archive without data.pkl", "without data.pkl", archive(entry{"a/model.json", "{}"})},
		{"archive with two pickles", "two pickles", archive(entry{"a/data.pkl", good}, entry{"b/data.pkl", good})},
		{"archive with an entry twice", `two entries are named "a/data.pkl"`, archive(entry{"a/data.pkl", good}, entry{"a/data.pkl", good})},
		{"big-endian archive", "byteorder \"big\": want little", archive(entry{"a/data.pkl", good}, entry{"a/data/0", four}, entry{"a/byteorder", "big"})},
		{"byteorder of a kilobyte", "1000 bytes: want at most 16", archive(entry{"a/data.pkl", good}, entry{"a/byteorder", strings.Repeat("l", 1000)})},
		{"storage of another size", "a/data/0 holds 12: cut off or damaged", archive(entry{"a/data.pkl", good}, entry{"a/data/0", four[:12]})},
		{"pickle bomb", "a/data.pkl: compressed (method 8)", deflated("a/data.pkl", good)},
		{"storage bomb", "a/data/0: compressed (method 8)", deflated("a/data/0", good)},
		{"pickle damaged", "a/data.pkl: its checksum is", bytes.Replace(whole, []byte("storage"), []byte("Storage"), 1)},
		{"TorchScript with os.system", `"os.system"`, archive(entry{"a/data.pkl", proto + system + "(" + str("x") + "tR."}, entry{"a/code/__torch__.py", ""})},
		{"TorchScript class called", "may be held but not called", archive(entry{"a/data.pkl", proto + "c__torch__\nNet\n)R."}, entry{"a/code/__torch__.py", ""})},
		{"TorchScript list of two", "build_intlist called with 2", archive(entry{"a/data.pkl", proto + "ctorch.jit._pickle\nbuild_intlist\n(NNtR."}, entry{"a/code/__torch__.py", ""})},
		{"legacy: only the magic number", "the pickle is cut off", legacyWhole[:15]},
		{"legacy: wrong magic number", "want torch's magic number", append([]byte("\x80\x02\x8a\x0am"), legacyWhole[5:]...)},
		{"legacy: protocol 1002", "protocol the integer 1002: want 1001", bytes.Replace(legacyWhole, []byte("M\xe9\x03."), []byte("M\xea\x03."), 1)},
		{"legacy: big-endian", "little_endian is not True", bytes.Replace(legacyWhole, []byte("\x88s"), []byte("\x89s"), 1)},
		{"legacy: no system", "want a dict", []byte(legacyHead + proto + "N.")},
		{"legacy: os.system", `"os.system"`, Legacy(proto+system+"("+str("x")+"tR.", keys)},
		{"legacy: os.system among the keys", `"os.system"`, Legacy(legacyTensor, proto+system+")R.")},
		{"legacy: keys are a number", "want a list", Legacy(legacyTensor, proto+"K\x01.")},
		{"legacy: unknown key", `the string "9" as a storage's key`, Legacy(legacyTensor, proto+"]("+str("9")+"e.")},
		{"legacy: key twice", `the string "0" as a storage's key`, Legacy(legacyTensor, proto+"]("+str("0")+str("0")+"e."+le(4, 8)+four)},
		{"legacy: key missing", "is not among the storages' keys", Legacy(legacyTensor, proto+"].")},
		{"legacy: storage missing", "the file is cut off", Legacy(legacyTensor, keys)},
		{"legacy: storage cut", "the file is cut off", legacyWhole[:len(legacyWhole)-1]},
		{"legacy: storage of another length", "5 elements, the pickle says 4", Legacy(legacyTensor, keys+le(5, 8)+four+four)},
		{"legacy: storage of 2^63 elements", "9223372036854775808 elements, the pickle says 4", Legacy(legacyTensor, keys+le(1<<63, 8)+four)},
		{"legacy: storage among the keys", "a storage where there can be none", Legacy(legacyTensor, proto+persistent(4)+".")},
		{"legacy: storage of two sizes", "has two sizes", Legacy(proto+"("+strings.Replace(persistent(4), "tQ", "NtQ", 1)+strings.Replace(persistent(5), "tQ", "NtQ", 1)+"t.", keys)},
		{"legacy: view beyond its storage", "a view of it that does not lie in its 4 elements", Legacy(view(2, 3), keys+le(4, 8)+four)},
		{"legacy: view of a negative size", "a view of it that does not lie", Legacy(view(2, -1), keys+le(4, 8)+four)},
		{"legacy: tensor beyond its view", "from element", Legacy(strings.Replace(view(2, 0), "Q"+num(0), "Q"+num(1), 1), keys+le(4, 8)+four)},
	}
}

// deflated is Zip with one entry compressed.
func deflated(name, pickle string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range []entry{{"a/data.pkl", pickle}, {"a/data/0", strings.Repeat("\x00", 16)}} {
		h := &zip.FileHeader{Name: e.name, Method: zip.Store}
		if e.name == name {
			h.Method, e.text = zip.Deflate, e.text+strings.Repeat("\x00", 1<<20)
		}
		f, err := w.CreateHeader(h)
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
