package image

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Use is what a kernel of a cubin takes and holds.
type Use struct {
	Registers int // a thread
	Stack     int // bytes a thread: indexed arrays and spilled registers
	Shared    int // static bytes a block
	HGMMA     int // instructions of Hopper's tensor cores (wgmma)
	UTMALDG   int // copies of the tensor memory accelerator into shared memory
	HMMA      int // instructions of mma.sync
}

// Opcodes are the low 12 bits of the 16 bytes of an instruction, as nvdisasm -hex shows them (sm_90).
const (
	opHMMA     = 0x23c
	opHGMMA    = 0x9f0
	opHGMMAReg = 0xdf0 // with one operand in registers
	opUTMALDG  = 0x5b4
)

// Attributes of a kernel in .nv.info: three bytes of format and number, then the length, then the number of the symbol and a value.
const (
	infoStack     = 0x1104
	infoRegisters = 0x2f04
)

// Uses reads a cubin: its kernels by name. A kernel is a function NAME beside a variable NAME_meta (KERNEL in src/ptx.cuh).
func Uses(cubin []byte) (map[string]Use, error) {
	f, err := elf.NewFile(bytes.NewReader(cubin))
	if err != nil {
		return nil, fmt.Errorf("cubin: %w", err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		return nil, fmt.Errorf("cubin: %w", err)
	}
	uses := map[string]Use{}
	for i, s := range symbols {
		if !slices.ContainsFunc(symbols, func(m elf.Symbol) bool { return m.Name == s.Name+"_meta" }) {
			continue
		}
		u := Use{}
		if err := u.code(f, s.Name); err != nil {
			return nil, err
		}
		if err := u.info(f, uint32(i+1)); err != nil { // Symbols leaves out the empty first one
			return nil, err
		}
		uses[s.Name] = u
	}
	return uses, nil
}

func (u *Use) code(f *elf.File, kernel string) error {
	text := f.Section(".text." + kernel)
	if text == nil {
		return fmt.Errorf("cubin: %s has no code", kernel)
	}
	data, err := text.Data()
	if err != nil {
		return fmt.Errorf("cubin: code of %s: %w", kernel, err)
	}
	for i := 0; i+16 <= len(data); i += 16 {
		switch binary.LittleEndian.Uint16(data[i:]) & 0xfff {
		case opHGMMA, opHGMMAReg:
			u.HGMMA++
		case opHMMA:
			u.HMMA++
		case opUTMALDG:
			u.UTMALDG++
		}
	}
	if shared := f.Section(".nv.shared." + kernel); shared != nil {
		u.Shared = int(shared.Size)
	}
	return nil
}

// info reads what .nv.info tells of the symbol of this number.
func (u *Use) info(f *elf.File, symbol uint32) error {
	section := f.Section(".nv.info")
	if section == nil {
		return fmt.Errorf("cubin: no .nv.info")
	}
	data, err := section.Data()
	if err != nil {
		return fmt.Errorf("cubin: .nv.info: %w", err)
	}
	for len(data) >= 4 {
		kind, size := binary.LittleEndian.Uint16(data), 0
		if kind&0xff == 4 { // a value of its own size; the other formats hold it in the four bytes
			size = int(binary.LittleEndian.Uint16(data[2:]))
		}
		if len(data) < 4+size {
			return fmt.Errorf("cubin: .nv.info is cut short")
		}
		if body := data[4 : 4+size]; size == 8 && binary.LittleEndian.Uint32(body) == symbol {
			switch value := int(binary.LittleEndian.Uint32(body[4:])); kind {
			case infoRegisters:
				u.Registers = value
			case infoStack:
				u.Stack = value
			}
		}
		data = data[4+size:]
	}
	if u.Registers == 0 {
		return fmt.Errorf("cubin: .nv.info tells no registers")
	}
	return nil
}

// sameCode tells whether two cubins hold the same kernels, instruction for instruction, with the same constants and shared memory.
func sameCode(a, b []byte) (bool, error) {
	var code [2]map[string]string
	for i, cubin := range [][]byte{a, b} {
		f, err := elf.NewFile(bytes.NewReader(cubin))
		if err != nil {
			return false, fmt.Errorf("cubin: %w", err)
		}
		defer f.Close()
		code[i] = map[string]string{}
		for _, s := range f.Sections {
			switch {
			case strings.HasPrefix(s.Name, ".nv.shared"):
				code[i][s.Name] = fmt.Sprint(s.Size)
			case strings.HasPrefix(s.Name, ".text."), strings.HasPrefix(s.Name, ".nv.constant"), strings.HasPrefix(s.Name, ".nv.global"):
				data, err := s.Data()
				if err != nil {
					return false, fmt.Errorf("cubin: %s: %w", s.Name, err)
				}
				code[i][s.Name] = string(data)
			}
		}
	}
	return maps.Equal(code[0], code[1]), nil
}

// stemOf is the source of an image, by the image's name.
func stemOf(name string) string { return name[:strings.IndexByte(name, '.')] }
