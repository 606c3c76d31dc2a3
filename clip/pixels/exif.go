package pixels

import "encoding/binary"

// orientation is the number of an Exif structure's tag 0112, 1 to 8, or 0 where there is none: whatever is odd about Exif data never makes an
// image unreadable.
func orientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch string(tiff[:4]) {
	case "II*\x00":
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 0
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 0
	}
	n := int64(order.Uint16(tiff[at:]))
	for i := range n {
		e := at + 2 + 12*i
		if e+12 > int64(len(tiff)) {
			return 0
		}
		if order.Uint16(tiff[e:]) != 0x0112 {
			continue
		}
		if v := int(order.Uint16(tiff[e+8:])); order.Uint16(tiff[e+2:]) == 3 && v >= 1 && v <= 8 {
			return v
		}
		return 0
	}
	return 0
}

// Upright turns and mirrors the image as its EXIF orientation asks, like Pillow's ImageOps.exif_transpose; the result states none. None of the
// original tools does it: Pillow's Image.open, the processors of CLIP and DETR and the autoencoder's take pixels as they lie.
func (im *Image) Upright() *Image {
	if im.Orientation < 2 || im.Orientation > 8 {
		out := *im
		out.Orientation = 0
		return &out
	}
	w, h, c := im.Width, im.Height, im.Channels
	// Where the pixel at (x, y) of the result comes from: start + x·dx + y·dy.
	var start, dx, dy int
	last := w*h - 1
	switch im.Orientation {
	case 2:
		start, dx, dy = w-1, -1, w
	case 3:
		start, dx, dy = last, -1, -w
	case 4:
		start, dx, dy = last-(w-1), 1, -w
	case 5:
		start, dx, dy = 0, w, 1
	case 6:
		start, dx, dy = last-(w-1), -w, 1
	case 7:
		start, dx, dy = last, -w, -1
	case 8:
		start, dx, dy = w-1, w, -1
	}
	if im.Orientation >= 5 {
		w, h = h, w
	}
	out := NewImage(w, h, c)
	out.Indexed = im.Indexed
	for y := range h {
		at := start + y*dy
		for x := range w {
			copy(out.Pix[(y*w+x)*c:][:c], im.Pix[at*c:])
			at += dx
		}
	}
	return out
}
