package syntic

import "fmt"

// Context is what the decoder is given of N images besides their features. Which parts it reads is the shape's say.
type Context struct {
	// What was detected: at most Slots features for each image, of which the first Count[i] are used. Count 0 means that nothing was detected; then
	// the decoder needs a null token.
	Slots    int       // K
	Features []float32 // [N, K, E]; unused slots are not read
	Count    []int     // [N], 0..K

	Texts     int       // R
	Retrieved []float32 // [N, R, E], features of retrieved texts

	Patches *Patches // or nil

	Words [][]int32 // [N], hard prompts: 1 to H of the tokenizer's ids each
}

// Pick is the context of some images; nil of nil.
func (o *Context) Pick(index []int, e int) *Context {
	if o == nil {
		return nil
	}
	out := &Context{Slots: o.Slots, Features: rowsAt(o.Features, o.Slots*e, index), Texts: o.Texts, Retrieved: rowsAt(o.Retrieved, o.Texts*e, index),
		Patches: o.Patches.pick(index, e)}
	for _, at := range index {
		if o.Count != nil {
			out.Count = append(out.Count, o.Count[at])
		}
		if o.Words != nil {
			out.Words = append(out.Words, o.Words[at])
		}
	}
	return out
}

// rowsAt are some rows of w numbers each; nil of nil.
func rowsAt(x []float32, w int, index []int) []float32 {
	if x == nil {
		return nil
	}
	out := make([]float32, 0, len(index)*w)
	for _, at := range index {
		out = append(out, x[at*w:(at+1)*w]...)
	}
	return out
}

// checkInputs compares features and context with the decoder's shape and returns N.
func (sh Shape) checkInputs(v []float32, o *Context) (int, error) {
	n := len(v) / sh.Features
	if len(v) != n*sh.Features {
		return 0, fmt.Errorf("%d numbers of features: want a multiple of their size %d", len(v), sh.Features)
	}
	if o == nil {
		o = &Context{}
	}
	if err := sh.checkObjects(n, o); err != nil {
		return 0, err
	}
	if err := o.Patches.check(n, sh); err != nil {
		return 0, err
	}
	if sh.Retrieved > 0 && (o.Texts != sh.Retrieved || len(o.Retrieved) != n*o.Texts*sh.Features) {
		return 0, fmt.Errorf("%d retrieved texts, %d numbers of them, for %d images: want %d texts an image, as the decoder was trained with", o.Texts, len(o.Retrieved), n, sh.Retrieved)
	}
	if sh.Words > 0 && len(o.Words) != n {
		return 0, fmt.Errorf("%d hard prompts for %d images: want one each, as the decoder was trained with them", len(o.Words), n)
	}
	for i := range o.Words {
		if l := len(o.Words[i]); sh.Words > 0 && (l < 1 || l > sh.Words) {
			return 0, fmt.Errorf("image %d: a hard prompt of %d tokens: want 1 to %d", i, l, sh.Words)
		}
	}
	return n, nil
}

func (sh Shape) checkObjects(n int, o *Context) error {
	if sh.Slots == 0 {
		return nil // objects are not used
	}
	if o.Slots == 0 {
		return fmt.Errorf("no objects: want them, as the decoder was trained with %d object slots", sh.Slots)
	}
	if o.Slots != sh.Slots || len(o.Count) != n || len(o.Features) != n*sh.Slots*sh.Features {
		return fmt.Errorf("objects of %d slots, %d counts, %d numbers for %d images: want %d slots, a count an image, %d numbers",
			o.Slots, len(o.Count), len(o.Features), n, sh.Slots, n*sh.Slots*sh.Features)
	}
	for i, c := range o.Count {
		if c < 0 || c > sh.Slots || c == 0 && !sh.Null {
			return fmt.Errorf("image %d: %d objects: want 1 to %d (0 only with a learned null token)", i, c, sh.Slots)
		}
	}
	return nil
}
