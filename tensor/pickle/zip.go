package pickle

import (
	"archive/zip"
	"fmt"
	"io"
	"strings"

	"syntic/tensor/safetensors"
)

// maxEntries bounds the entries of an archive, one a storage.
const maxEntries = 1 << 20

// readZip reads an archive: NAME/data.pkl, NAME/data/KEY for each storage, NAME/byteorder in newer ones; NAME/code/… in TorchScript's.
func (f *File) readZip() error {
	z, err := zip.NewReader(f.f, f.size)
	if err != nil {
		return fmt.Errorf("the zip archive is damaged or cut off: %w", err)
	}
	if len(z.File) > maxEntries {
		return fmt.Errorf("%d entries: want at most %d", len(z.File), maxEntries)
	}
	entries := make(map[string]*zip.File, len(z.File))
	prefix, found := "", false
	for _, e := range z.File {
		if entries[e.Name] != nil {
			return fmt.Errorf("two entries are named %.100q", e.Name)
		}
		entries[e.Name] = e
		if p, ok := strings.CutSuffix(e.Name, "/data.pkl"); ok && !strings.Contains(p, "/") {
			if found {
				return fmt.Errorf("two pickles, %.100q and %.100q: want one data.pkl", prefix+"/data.pkl", e.Name)
			}
			prefix, found = p, true
		}
	}
	if !found {
		return fmt.Errorf("a zip archive without data.pkl: not a file of torch.save")
	}
	for name := range entries {
		f.script = f.script || strings.HasPrefix(name, prefix+"/code/")
	}
	if e := entries[prefix+"/byteorder"]; e != nil {
		order, err := f.entry(e, 16)
		if err != nil {
			return err
		}
		if string(order) != "little" {
			return fmt.Errorf("byteorder %.16q: want little", order)
		}
	}
	text, err := f.entry(entries[prefix+"/data.pkl"], maxPickle)
	if err != nil {
		return err
	}
	blobs := map[string]*blob{}
	m := machine{in: text, script: f.script}
	m.load = func(id value) (value, error) {
		s, key, err := newStorage(id, 5)
		if err != nil {
			return nil, err
		}
		b := blobs[key]
		if b == nil {
			e := entries[prefix+"/data/"+key]
			if e == nil {
				return nil, fmt.Errorf("storage %.40q: the archive has no entry %.100q", key, prefix+"/data/"+key)
			}
			if b, err = f.stored(e); err != nil {
				return nil, err
			}
			blobs[key] = b
		}
		if s.bytes() != b.size {
			return nil, fmt.Errorf("storage %.40q: %d elements of %s are %d bytes, %s holds %d: cut off or damaged", key, s.n, s.dtype, s.bytes(), b.name, b.size)
		}
		s.blob = b
		return s, nil
	}
	if f.root, err = m.run(); err != nil {
		return fmt.Errorf("%s/data.pkl: %w", prefix, err)
	}
	return nil
}

// stored finds where an entry's bytes lie. They must not be compressed: torch never does that, and bombs always do.
func (f *File) stored(e *zip.File) (*blob, error) {
	if e.Method != zip.Store || e.UncompressedSize64 != e.CompressedSize64 {
		return nil, fmt.Errorf("%.100s: compressed (method %d): torch.save stores entries as they are", e.Name, e.Method)
	}
	at, err := e.DataOffset()
	if err != nil {
		return nil, fmt.Errorf("%.100s: %w", e.Name, err)
	}
	if size := e.UncompressedSize64; at > f.size || size > uint64(f.size-at) {
		return nil, fmt.Errorf("%.100s: %d bytes at %d, but the file ends at %d: cut off", e.Name, size, at, f.size)
	}
	return &blob{file: f, name: e.Name, at: at, size: int64(e.UncompressedSize64), sum: e.CRC32, summed: true}, nil
}

// entry reads a small entry whole.
func (f *File) entry(e *zip.File, most int64) ([]byte, error) {
	b, err := f.stored(e)
	if err != nil {
		return nil, err
	}
	if b.size > most {
		return nil, fmt.Errorf("%.100s: %d bytes: want at most %d", e.Name, b.size, most)
	}
	data := make([]byte, b.size)
	if _, err := io.ReadFull(io.NewSectionReader(f.f, b.at, b.size), data); err != nil {
		return nil, fmt.Errorf("%.100s: %w", e.Name, err)
	}
	return data, b.check(data)
}

// newStorage reads a persistent id: ("storage", type, key, location, elements), and in legacy files a view or None.
func newStorage(id value, parts int) (*storage, string, error) {
	t, ok := id.(tuple)
	if !ok || len(t) != parts || t[0] != "storage" {
		if ok && len(t) > 0 {
			return nil, "", fmt.Errorf("a persistent id of %d parts that begins with %s: want a storage's %d", len(t), kindOf(t[0]), parts)
		}
		return nil, "", fmt.Errorf("%s as persistent id: want a storage's", kindOf(id))
	}
	g, ok1 := t[1].(global)
	key, ok2 := t[2].(string)
	n, ok3 := t[4].(int64)
	if !ok1 || !ok2 || !ok3 {
		return nil, "", fmt.Errorf("a storage of %s, %s, %s: want type, key and number of elements", kindOf(t[1]), kindOf(t[2]), kindOf(t[4]))
	}
	d, ok := storageTypes[g]
	if !ok {
		return nil, "", fmt.Errorf("storage %.40q of type %s: refused", key, string(g))
	}
	if n < 0 || n > maxElements {
		return nil, "", fmt.Errorf("storage %.40q of %d elements", key, n)
	}
	return &storage{dtype: d, n: n}, key, nil
}

// maxElements bounds a storage; no product with an element size overflows.
const maxElements = 1 << 50

// storage is a flat array of one type, a part of a blob.
type storage struct {
	blob  *blob
	from  int64 // of the first element in the blob, in elements
	n     int64
	dtype safetensors.DType
}

func (s *storage) bytes() int64 { return s.n * int64(s.dtype.Size()) }
