package world

// Box is where a thing is: centre and size in shares of the picture's side, 0..1, tight around what is drawn of it.
type Box struct {
	CX, CY, W, H float64
	Kind         Kind
}

// Boxes returns the box of every thing, in the order of sc.Things, outline included and clipped to the picture.
func (sc *Scene) Boxes() []Box {
	boxes := make([]Box, len(sc.Things))
	for i := range sc.Things {
		x0, y0, x1, y1 := sc.Things[i].extent(sc.Domain)
		x0, y0, x1, y1 = max(x0, 0)/Side, max(y0, 0)/Side, min(x1, Side)/Side, min(y1, Side)/Side
		boxes[i] = Box{CX: (x0 + x1) / 2, CY: (y0 + y1) / 2, W: x1 - x0, H: y1 - y0, Kind: sc.Things[i].Kind}
	}
	return boxes
}
