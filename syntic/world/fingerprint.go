package world

import "hash/fnv"

// Fingerprint is a hash of the pixels, boxes' kinds and captions of the first scenes of every domain and split: it changes when the
// world's drawing or wording does. Weights trained on the world record it, so that a later run can tell whether they still belong to it.
func Fingerprint() uint64 {
	h := fnv.New64a()
	var r Renderer
	var pix [PixelBytes]uint8
	for _, d := range Domains {
		for _, s := range Splits {
			for i := range 16 {
				sc := Sample(d, s, 0, i)
				if err := r.Render(&sc, pix[:]); err != nil {
					panic(err) // Sample makes only valid scenes
				}
				h.Write(pix[:])
				for _, c := range sc.Captions(5) {
					h.Write([]byte(c + "\n"))
				}
			}
		}
	}
	return h.Sum64()
}
