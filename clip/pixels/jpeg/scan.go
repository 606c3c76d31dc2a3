package jpeg

import (
	"errors"
	"fmt"
)

// band is what a scan holds: coefficients from..to in coding order, of which the bits above high were sent before and those from low up come now.
type band struct{ from, to, high, low int }

// unit is a block of a scan's MCU: of component c, at (x, y) among the MCU's blocks of it.
type unit struct {
	c    *component
	x, y int
}

// scan reads a scan's header and data.
func (d *decoder) scan() error {
	start := d.pos
	b, err := d.body()
	if err != nil {
		return err
	}
	if d.scans == 0 && !d.progressive {
		d.standardTables()
	}
	comps, s, err := d.scanHeader(b)
	if err == nil {
		err = d.prepare(comps, s)
	}
	if err != nil {
		d.pos = start
		return err
	}
	if d.scans++; d.scans > maxScans {
		return fmt.Errorf("more than %d scans", maxScans)
	}
	return d.walk(comps, s)
}

func (d *decoder) scanHeader(b []byte) (comps []*component, s band, err error) {
	if !d.frame {
		return nil, s, errors.New("a scan comes before the frame header")
	}
	if len(b) < 1 || b[0] < 1 || b[0] > 4 || len(b) != 4+2*int(b[0]) {
		return nil, s, fmt.Errorf("scan header of %d bytes: want 4 and 2 for each of 1 to 4 components", len(b))
	}
	n := int(b[0])
	blocks := 0
	for i := range n {
		id, tables := b[1+2*i], b[2+2*i]
		var c *component
		for k := range d.comps {
			if d.comps[k].id == id {
				c = &d.comps[k]
				break
			}
		}
		if c == nil {
			return nil, s, fmt.Errorf("scan of component %d, which the frame lacks", id)
		}
		for _, other := range comps {
			if other == c {
				return nil, s, fmt.Errorf("component %d is twice in a scan", id)
			}
		}
		c.dcT, c.acT = table(&d.dc, tables>>4), table(&d.ac, tables&15)
		comps = append(comps, c)
		blocks += c.h * c.v
	}
	if n > 1 && blocks > 10 {
		return nil, s, fmt.Errorf("%d blocks in an MCU: want at most 10", blocks)
	}
	e := b[1+2*n:]
	s = band{int(e[0]), int(e[1]), int(e[2] >> 4), int(e[2] & 15)}
	if !d.progressive {
		s = band{0, 63, 0, 0} // whatever it says
	}
	if s.from > s.to || s.to > 63 || s.from == 0 && d.progressive && s.to != 0 || s.from > 0 && n > 1 || s.high != 0 && s.low != s.high-1 || s.low > 13 {
		return nil, s, fmt.Errorf("scan of coefficients %d to %d, bits %d to %d, %d components: no such step of progressive coding",
			s.from, s.to, s.high, s.low, n)
	}
	return comps, s, nil
}

func table(t *[4]*huffman, i byte) *huffman {
	if int(i) >= len(t) {
		return nil
	}
	return t[i]
}

// prepare checks that the tables of a scan are there, and makes room at the first one.
func (d *decoder) prepare(comps []*component, s band) error {
	for _, c := range comps {
		if c.quant == nil {
			if c.table > 3 || d.quant[c.table] == nil {
				return fmt.Errorf("component %d uses quantisation table %d, which is missing", c.id, c.table)
			}
			q := *d.quant[c.table]
			c.quant = &q
		}
		if s.from == 0 && s.high == 0 {
			if err := usable(c.dcT); err != nil {
				return fmt.Errorf("component %d: DC code table: %w", c.id, err)
			}
		}
		if s.to > 0 {
			if err := usable(c.acT); err != nil {
				return fmt.Errorf("component %d: AC code table: %w", c.id, err)
			}
		}
	}
	if d.scans > 0 {
		return nil
	}
	d.single = !d.progressive && len(comps) == len(d.comps)
	total := 0
	for i := range d.comps {
		total += d.comps[i].blocksX * d.comps[i].blocksY
	}
	if total/8 > len(d.data) { // every block takes a bit; without this few bytes could claim much memory
		return fmt.Errorf("%d blocks cannot be in %d bytes: %w", total, len(d.data), errEnd)
	}
	for i := range d.comps {
		c := &d.comps[i]
		if n := c.padX * c.padY * 64; d.single {
			c.plane = make([]uint8, n)
		} else {
			c.coefs = make([]int16, n)
		}
	}
	return nil
}

func usable(h *huffman) error {
	if h == nil {
		return errors.New("it is missing")
	}
	return h.err
}

// walk decodes the scan's blocks. A scan of one component holds the image's blocks alone, others whole MCUs.
func (d *decoder) walk(comps []*component, s band) error {
	d.bits.restart()
	var units []unit
	wide, high := d.mcusX, d.mcusY
	if len(comps) == 1 {
		wide, high = comps[0].blocksX, comps[0].blocksY
		units = []unit{{c: comps[0]}}
	} else {
		for _, c := range comps {
			for k := range c.h * c.v {
				units = append(units, unit{c, k % c.h, k / c.h})
			}
		}
	}
	for _, c := range comps {
		c.pred = 0
	}
	w := walker{d: d, s: s, comps: comps, left: d.interval, alone: len(comps) == 1}
	for y := range high {
		for x := range wide {
			if err := w.mcu(units, x, y); err != nil {
				return err
			}
		}
	}
	if d.single && d.marker == 0 && d.pos >= len(d.data) { // nothing but the end marker is missing: libjpeg, which reads ahead, gives up
		return errEnd
	}
	d.whole = d.single
	return nil
}

// walker goes through a scan.
type walker struct {
	d      *decoder
	s      band
	comps  []*component
	alone  bool
	left   int  // MCUs to the next restart
	number byte // of the next restart marker, 0 to 7
	empty  bool // a marker came before its time: the blocks up to the next restart are left as they are
	eobs   int  // blocks to come that hold nothing new
	block  [64]int16
}

func (w *walker) mcu(units []unit, x, y int) error {
	d := w.d
	if d.interval > 0 {
		if w.left == 0 {
			if err := w.restart(); err != nil {
				return err
			}
		}
		w.left--
	}
	for _, u := range units {
		c := u.c
		bx, by := x, y
		if !w.alone {
			bx, by = x*c.h+u.x, y*c.v+u.y
		}
		switch {
		case d.single:
			span := 0
			if !w.empty {
				span = d.sequential(c, &w.block)
			}
			if bx < c.blocksX && by < c.blocksY {
				out := c.plane[by*8*c.padX*8+bx*8:]
				if span == 0 {
					flat(w.block[0], out, c.padX*8)
				} else {
					idct(&w.block, span, out, c.padX*8)
				}
			}
			if span == 0 {
				w.block[0] = 0
			} else {
				w.block = [64]int16{}
			}
		case w.empty:
		case d.progressive:
			w.progress(c, (*[64]int16)(c.coefs[(by*c.padX+bx)*64:]))
		default:
			d.coefficients(c, (*[64]int16)(c.coefs[(by*c.padX+bx)*64:]))
		}
		if c.pred != int(int32(c.pred)) {
			return fmt.Errorf("component %d: DC coefficients run away", c.id)
		}
	}
	if d.over() {
		if d.marker == 0 {
			return errEnd
		}
		w.empty = true
	}
	return nil
}

// restart passes a restart marker. Where another marker is found, or none, it goes on where libjpeg would (jpeg_resync_to_restart): a number
// behind is passed over, one ahead or another marker is left for later and the blocks up to it stay empty, any other is taken for the right one.
func (w *walker) restart() error {
	d := w.d
	d.bits.restart()
	for {
		m, err := d.nextMarker()
		if err != nil {
			return err
		}
		ahead := (m - rst0 - w.number) & 7
		isRestart := m >= rst0 && m <= rst7
		if m < sof0 || isRestart && (ahead == 6 || ahead == 7) {
			continue
		}
		if !isRestart || ahead == 1 || ahead == 2 {
			d.marker = m
		}
		break
	}
	if d.marker == 0 {
		w.empty = false
	}
	for _, c := range w.comps {
		c.pred = 0
	}
	w.number, w.left, w.eobs = (w.number+1)&7, d.interval, 0
	return nil
}
