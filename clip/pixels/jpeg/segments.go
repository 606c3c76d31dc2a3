package jpeg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Markers, the byte after ff (T.81, table B.1).
const (
	sof0 = 0xc0
	sof1 = 0xc1
	sof2 = 0xc2
	dht  = 0xc4
	dac  = 0xcc
	rst0 = 0xd0
	rst7 = 0xd7
	soi  = 0xd8
	eoi  = 0xd9
	sos  = 0xda
	dqt  = 0xdb
	dnl  = 0xdc
	dri  = 0xdd
	app0 = 0xe0
	com  = 0xfe
	tem  = 0x01
)

// zigzag is the natural place of each coefficient in coding order (T.81, figure 5). Damaged data may count on past the end.
var zigzag = func() (z [64 + 16]uint8) {
	i := 0
	for s := range 15 { // diagonals, up and down in turn
		for k := range s + 1 {
			row, col := k, s-k
			if s%2 == 0 {
				row, col = s-k, k
			}
			if row < 8 && col < 8 {
				z[i] = uint8(row*8 + col)
				i++
			}
		}
	}
	for ; i < len(z); i++ {
		z[i] = 63
	}
	return z
}()

// nextMarker finds the next marker, passing over what is no marker as libjpeg does, and the one the bit reader ran into first.
func (d *decoder) nextMarker() (byte, error) {
	if m := d.marker; m != 0 {
		d.marker = 0
		return m, nil
	}
	for {
		at := bytes.IndexByte(d.data[d.pos:], 0xff)
		if at < 0 {
			d.pos = len(d.data)
			return 0, errEnd
		}
		d.pos += at
		for d.pos < len(d.data) && d.data[d.pos] == 0xff {
			d.pos++
		}
		if d.pos == len(d.data) {
			return 0, errEnd
		}
		m := d.data[d.pos]
		d.pos++
		if m != 0 {
			return m, nil
		}
	}
}

// body takes a segment's bytes after its length.
func (d *decoder) body() ([]byte, error) {
	rest := d.data[d.pos:]
	if len(rest) < 2 {
		return nil, errEnd
	}
	n := int(binary.BigEndian.Uint16(rest))
	if n < 2 {
		return nil, fmt.Errorf("segment length %d: want at least 2", n)
	}
	if n > len(rest) {
		return nil, errEnd
	}
	d.pos += n
	return rest[2:n], nil
}

// segment reads one segment that is no scan.
func (d *decoder) segment(marker byte) error {
	if marker == tem || marker >= rst0 && marker <= rst7 {
		return nil
	}
	switch {
	case marker == soi:
		return errors.New("a second start marker")
	case marker > sof2 && marker < rst0 && marker != dht && marker != dac:
		return fmt.Errorf("frame of kind %d (marker ff %02x): want baseline, extended or progressive Huffman coding", marker-sof0, marker)
	case marker < sof0 || marker > app0+15 && marker != com || marker > dri && marker < app0:
		return fmt.Errorf("unknown marker ff %02x", marker)
	}
	start := d.pos
	b, err := d.body()
	if err != nil {
		return err
	}
	switch {
	case marker == sof0 || marker == sof1 || marker == sof2:
		d.progressive = marker == sof2
		err = d.readFrame(b)
	case marker == dht:
		err = d.readHuffman(b)
	case marker == dqt:
		err = d.readQuant(b)
	case marker == dri:
		if len(b) != 2 {
			return fmt.Errorf("restart interval of %d bytes: want 2", len(b))
		}
		d.interval = int(binary.BigEndian.Uint16(b))
	case marker == app0 && len(b) >= 14 && string(b[:5]) == "JFIF\x00":
		d.jfif = true
	case marker == app0+1 && d.exif == nil && len(b) > 6 && string(b[:6]) == "Exif\x00\x00":
		d.exif = b[6:]
	case marker == app0+14 && len(b) >= 12 && string(b[:5]) == "Adobe":
		d.adobe = int(b[11])
	}
	if err != nil {
		d.pos = start
	}
	return err
}

func (d *decoder) readFrame(b []byte) error {
	if d.frame {
		return errors.New("a second frame header")
	}
	if len(b) < 6 {
		return fmt.Errorf("frame header of %d bytes: want 6 and 3 a component", len(b))
	}
	n := int(b[5])
	d.height, d.width = int(binary.BigEndian.Uint16(b[1:])), int(binary.BigEndian.Uint16(b[3:]))
	switch {
	case b[0] != 8:
		return fmt.Errorf("%d bits a sample: want 8", b[0])
	case d.width == 0 || d.height == 0 || d.width > maxSide || d.height > maxSide:
		return fmt.Errorf("%d×%d pixels: want sides of 1 to %d", d.width, d.height, maxSide)
	case d.width*d.height > d.max:
		return fmt.Errorf("%d×%d pixels: want 1 to %d", d.width, d.height, d.max)
	case n != 1 && n != 3 && n != 4:
		return fmt.Errorf("%d components: want 1, 3 or 4", n)
	case len(b) != 6+3*n:
		return fmt.Errorf("frame header of %d bytes: want %d for %d components", len(b), 6+3*n, n)
	}
	d.frame, d.hMax, d.vMax = true, 1, 1
	for c := b[6:]; len(c) > 0; c = c[3:] {
		h, v := int(c[1]>>4), int(c[1]&15)
		if h < 1 || h > 4 || v < 1 || v > 4 {
			return fmt.Errorf("component %d: sampling factors %d×%d: want 1 to 4", c[0], h, v)
		}
		d.comps = append(d.comps, component{id: c[0], h: h, v: v, table: c[2]})
		d.hMax, d.vMax = max(d.hMax, h), max(d.vMax, v)
	}
	d.mcusX, d.mcusY = ceilDiv(d.width, 8*d.hMax), ceilDiv(d.height, 8*d.vMax)
	for i := range d.comps {
		c := &d.comps[i]
		if d.hMax%c.h != 0 || d.vMax%c.v != 0 {
			return fmt.Errorf("component %d: sampling factors %d×%d of %d×%d: want whole ratios", c.id, c.h, c.v, d.hMax, d.vMax)
		}
		c.width, c.height = ceilDiv(d.width*c.h, d.hMax), ceilDiv(d.height*c.v, d.vMax)
		c.blocksX, c.blocksY = ceilDiv(c.width, 8), ceilDiv(c.height, 8)
		c.padX, c.padY = d.mcusX*c.h, d.mcusY*c.v
	}
	return nil
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

func (d *decoder) readQuant(b []byte) error {
	for len(b) > 0 {
		id, wide := b[0]&15, b[0]>>4 != 0
		b = b[1:]
		size := 64
		if wide {
			size = 128
		}
		if id > 3 {
			return fmt.Errorf("quantisation table %d: want 0 to 3", id)
		}
		if len(b) < size {
			return fmt.Errorf("quantisation table %d of %d bytes: want %d", id, len(b), size)
		}
		q := new([64]uint16)
		for k := range 64 {
			if q[zigzag[k]] = uint16(b[k%size]); wide {
				q[zigzag[k]] = binary.BigEndian.Uint16(b[2*k:])
			}
		}
		d.quant[id], b = q, b[size:]
	}
	return nil
}

func (d *decoder) readHuffman(b []byte) error {
	for len(b) > 0 {
		if len(b) < 17 {
			return fmt.Errorf("code table of %d bytes: want at least 17", len(b))
		}
		class, id, n := b[0]>>4, b[0]&15, 0
		for _, k := range b[1:17] {
			n += int(k)
		}
		if class > 1 || id > 3 {
			return fmt.Errorf("code table %02x: want class 0 or 1, number 0 to 3", b[0])
		}
		if n > 256 || n > len(b)-17 {
			return fmt.Errorf("code table %02x of %d codes: want at most 256, and as many bytes: %d are left", b[0], n, len(b)-17)
		}
		h := newHuffman([16]uint8(b[1:17]), b[17:17+n], class == 0)
		if class == 0 {
			d.dc[id] = h
		} else {
			d.ac[id] = h
		}
		b = b[17+n:]
	}
	return nil
}
