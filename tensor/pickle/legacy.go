package pickle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
)

// legacyMagic begins every file in the format before torch 1.6: a pickle of protocol 2 that holds the integer 0x1950a86a20f9469cfc6c.
var legacyMagic = []byte("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.")

const (
	legacyNumber   = "119547037146038801333356" // 0x1950a86a20f9469cfc6c
	legacyProtocol = 1001
	firstRead      = 4 << 20 // how much of the file is read first; more if the pickles are longer
)

// readLegacy reads magic number, protocol, system, object and storage keys, a pickle each, and behind them each storage: its number of elements
// (8 bytes) and its elements.
func (f *File) readLegacy() error {
	for most := int64(firstRead); ; most *= 8 {
		text := make([]byte, min(f.size, most, maxPickle))
		if _, err := io.ReadFull(io.NewSectionReader(f.f, 0, f.size), text); err != nil {
			return err
		}
		err := f.parseLegacy(text)
		if !errors.Is(err, errCut) || int64(len(text)) == f.size {
			return err
		}
		if len(text) == maxPickle {
			return fmt.Errorf("a pickle of more than %d bytes", maxPickle)
		}
	}
}

func (f *File) parseLegacy(text []byte) error {
	m := machine{in: text}
	magic, err := m.run()
	if err != nil {
		if !bytes.HasPrefix(text, legacyMagic) { // any other pickle
			return fmt.Errorf("not a file of torch.save: %w", err)
		}
		return err
	}
	if n, ok := magic.(*big.Int); !ok || n.String() != legacyNumber {
		return fmt.Errorf("a pickle of %s: want torch's magic number; only files of torch.save can be read", kindOf(magic))
	}
	if v, err := m.run(); err != nil {
		return err
	} else if v != int64(legacyProtocol) {
		return fmt.Errorf("protocol %s: want %d", kindOf(v), legacyProtocol)
	}
	system, err := m.run()
	if err != nil {
		return err
	}
	if d, ok := system.(*dict); ok {
		if little, _ := d.get("little_endian"); little != true {
			return errors.New("little_endian is not True in the file's system: want little-endian storages")
		}
	} else {
		return fmt.Errorf("%s as the file's system: want a dict", kindOf(system))
	}
	blobs := map[string]*blob{}
	m.load = func(id value) (value, error) { return f.legacyStorage(blobs, id) }
	if f.root, err = m.run(); err != nil {
		return err
	}
	m.load = nil
	keys, err := m.run()
	if err != nil {
		return err
	}
	return f.placeStorages(blobs, keys, int64(m.at))
}

// legacyStorage resolves a persistent id; where the storage lies is known only behind the pickles.
func (f *File) legacyStorage(blobs map[string]*blob, id value) (value, error) {
	s, key, err := newStorage(id, 6)
	if err != nil {
		return nil, err
	}
	b := blobs[key]
	if b == nil {
		b = &blob{file: f, name: "storage " + fmt.Sprintf("%.40q", key), at: -1, size: s.bytes(), element: s.dtype.Size()}
		blobs[key] = b
	}
	if s.bytes() != b.size || s.dtype.Size() != b.element {
		return nil, fmt.Errorf("%s has two sizes: %d and %d bytes", b.name, b.size, s.bytes())
	}
	s.blob = b
	switch view := id.(tuple)[5].(type) {
	case nil:
		return s, nil
	case tuple: // (key of the view, first element, elements)
		if len(view) == 3 {
			from, ok1 := view[1].(int64)
			n, ok2 := view[2].(int64)
			if ok1 && ok2 && from >= 0 && n >= 0 && from <= s.n && n <= s.n-from {
				return &storage{blob: b, from: from, n: n, dtype: s.dtype}, nil
			}
		}
	}
	return nil, fmt.Errorf("%s: a view of it that does not lie in its %d elements", b.name, s.n)
}

// placeStorages walks the storages behind the pickles.
func (f *File) placeStorages(blobs map[string]*blob, keys value, at int64) error {
	order, ok := keys.(*list)
	if !ok {
		return fmt.Errorf("%s in place of the storages' keys: want a list", kindOf(keys))
	}
	for _, k := range order.items {
		key, ok := k.(string)
		b := blobs[key]
		if !ok || b == nil || b.at >= 0 {
			return fmt.Errorf("%s as a storage's key: want those of the pickle, each once", kindOf(k))
		}
		var head [8]byte
		if _, err := f.f.ReadAt(head[:], at); err != nil {
			return fmt.Errorf("%s: offset %d: %w", b.name, at, errShort)
		}
		if n := binary.LittleEndian.Uint64(head[:]); n != uint64(b.size)/uint64(b.element) {
			return fmt.Errorf("%s: offset %d: %d elements, the pickle says %d", b.name, at, n, b.size/int64(b.element))
		}
		if b.at = at + 8; b.size > f.size-b.at {
			return fmt.Errorf("%s: offset %d: %d bytes end behind the file's %d: %w", b.name, b.at, b.size, f.size, errShort)
		}
		at = b.at + b.size
	}
	for _, b := range blobs {
		if b.at < 0 {
			return fmt.Errorf("a storage of the pickle, %d bytes, is not among the storages' keys", b.size)
		}
	}
	return nil
}

var errShort = errors.New("the file is cut off")
