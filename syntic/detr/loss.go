package detr

import (
	"fmt"
	"slices"

	"syntic/tensor"
)

// Object is what is to be found in an image.
type Object struct {
	Label int        // 0..K-1
	Box   [4]float32 // cx, cy, w, h in shares of the image, 0..1
}

// Target is all objects of one image.
type Target []Object

// LossOptions are what is optional in a training step.
type LossOptions struct {
	Mask    *tensor.Tensor // as in Forward
	Dropout *tensor.Key    // where given, the configuration's dropout is applied with numbers of this key
	Guide   *Guide         // where given, its loss is added
}

// Losses are the parts of the set loss, all [1].
type Losses struct {
	Total           *tensor.Tensor // what to go down on
	Class, L1, GIoU *tensor.Tensor // unweighted, of one decoder layer on average
	Guide           *tensor.Tensor // nil without a guide
}

// Loss is the set loss (Carion et al. 2020, eq. 1 and 2) of images px [B, H, W, 3] with one target each, without dropout.
func (m *Model) Loss(s *tensor.Scope, px *tensor.Tensor, targets []Target) (*Losses, error) {
	return m.LossWith(s, px, targets, LossOptions{})
}

// LossWith is Loss with options: every query is matched with at most one object such that the costs are least; the classes are compared by
// cross entropy, in which "no object" weighs eos_coefficient, and the matched boxes by L1 distance and generalised intersection over union,
// both divided by the number of objects in the batch. Where the configuration says auxiliary_loss, each decoder layer is matched and
// compared by itself and the losses are added up. It returns an error if targets do not fit the images or have no sense.
func (m *Model) LossWith(s *tensor.Scope, px *tensor.Tensor, targets []Target, o LossOptions) (l *Losses, err error) {
	defer tensor.Catch(&err)
	if err := m.checkTargets(px, targets); err != nil {
		return nil, err
	}
	var d *dropout
	if o.Dropout != nil && m.Config.Dropout > 0 {
		d = &dropout{p: m.Config.Dropout, key: *o.Dropout}
	}
	states, features := m.states(s, px, o.Mask, d, nil)
	layers := float32(len(states))
	logits, boxes := m.heads(s, s.Concat(0, states...)) // [L·B, Q, K+1], [L·B, Q, 4]
	c := &m.Config
	q, k := c.Queries, len(c.Labels)
	rows := logits.Dim(0) * q
	logits, boxes = s.Reshape(logits, rows, k+1), s.Reshape(boxes, rows, 4)

	l = &Losses{}
	// All layers at once: each has the same sum of weights, so the mean over all rows is the mean over the layers.
	if n := objectCount(targets); n > 0 {
		match := s.MatchBoxes(logits, boxes, objects(targets), tensor.BoxMatchOptions{Layers: len(states), Class: float32(c.ClassCost), Box: float32(c.BoxCost), GIoU: float32(c.GIoUCost), Nothing: c.EOS})
		l.Class = s.CrossEntropy(logits, match.Class, tensor.CrossEntropyOptions{Weight: match.Weight})
		l.L1, l.GIoU = s.BoxLoss(s.Embedding(boxes, match.Index), match.Target, float32(n)*layers)
		l.Total = s.Add(s.Scale(l.Class, layers), s.AddScaled(l.L1, c.BoxLoss*layers, l.GIoU, c.GIoULoss*layers))
	} else {
		nothing := s.FromInt32s(slices.Repeat([]int32{int32(k)}, rows), rows)
		l.Class = s.CrossEntropy(logits, nothing, tensor.CrossEntropyOptions{Weight: s.Full(c.EOS, rows)})
		l.L1, l.GIoU = s.Zeros(1), s.Zeros(1)
		l.Total = s.Scale(l.Class, layers)
	}
	if o.Guide != nil {
		l.Guide = o.Guide.loss(s, m, features, targets)
		l.Total = s.AddScaled(l.Total, 1, l.Guide, o.Guide.Weight)
	}
	return l, nil
}

// objectCount is the number of objects.
func objectCount(targets []Target) (n int) {
	for _, t := range targets {
		n += len(t)
	}
	return n
}

// objects are those of all images, one image after another.
func objects(targets []Target) (x tensor.BoxObjects) {
	x.First = []int32{0}
	for _, t := range targets {
		for _, o := range t {
			x.Labels, x.Boxes = append(x.Labels, int32(o.Label)), append(x.Boxes, o.Box[:]...)
		}
		x.First = append(x.First, int32(len(x.Labels)))
	}
	return x
}

func (m *Model) checkTargets(px *tensor.Tensor, targets []Target) error {
	if px.Rank() != 4 || px.Dim(0) != len(targets) {
		return fmt.Errorf("detr: images %v, %d targets: want [B, H, W, 3] and B targets", px, len(targets))
	}
	for b, t := range targets {
		if len(t) > m.Config.Queries {
			return fmt.Errorf("detr: target %d has %d objects: want at most num_queries, %d", b, len(t), m.Config.Queries)
		}
		for i, o := range t {
			if o.Label < 0 || o.Label >= len(m.Config.Labels) {
				return fmt.Errorf("detr: target %d, object %d: label %d: want 0 to %d", b, i, o.Label, len(m.Config.Labels)-1)
			}
			for _, x := range o.Box {
				if !(x >= 0 && x <= 1) {
					return fmt.Errorf("detr: target %d, object %d: box %v: want shares of the image, 0 to 1", b, i, o.Box)
				}
			}
		}
	}
	return nil
}

// corners turns (cx, cy, w, h) into (x0, y0, x1, y1).
func corners(b [4]float32) [4]float64 {
	x, y, w, h := float64(b[0]), float64(b[1]), float64(b[2]), float64(b[3])
	return [4]float64{x - w/2, y - h/2, x + w/2, y + h/2}
}

// overlap is the intersection and the union of two boxes given by corners.
func overlap(a, b [4]float64) (inter, union float64) {
	area := func(b [4]float64) float64 { return max(0, b[2]-b[0]) * max(0, b[3]-b[1]) }
	inter = area([4]float64{max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])})
	return inter, area(a) + area(b) - inter
}

// iou is intersection over union; 0 for boxes without area.
func iou(a, b [4]float64) float64 {
	inter, union := overlap(a, b)
	if union <= 0 {
		return 0
	}
	return inter / union
}
