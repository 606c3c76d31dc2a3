package detr

import (
	"context"
	"fmt"
	"math"

	"syntic/clip/pixels"
	"syntic/tensor"
)

// Detection is one object found in an image.
type Detection struct {
	Label int        // its class, 0..K-1
	Name  string     // the class's name
	Score float32    // probability of the class
	Box   [4]float32 // x0, y0, x1, y1 in pixels of the image as given; may reach beyond it
}

// Detect finds the objects of each image whose score is above threshold, in the order of the queries. What is found in an image depends on
// that image alone: images are not padded to each other's size, and every pass has as many places as the image's size says, filled or not.
func Detect(ctx context.Context, m *Model, images []*pixels.Image, threshold float32) (found [][]Detection, err error) {
	defer tensor.Catch(&err)
	found = make([][]Detection, len(images))
	var wait []int // images of one size
	var w, h int
	flush := func() error {
		if len(wait) == 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		batch := make([]*pixels.Image, len(wait))
		for k, i := range wait {
			batch[k] = images[i]
		}
		got, err := m.detect(batch, threshold, m.places(w, h))
		for k, i := range wait {
			if err == nil {
				found[i] = got[k]
			}
		}
		wait = wait[:0]
		return err
	}
	for i, im := range images {
		if im == nil || im.Width < 1 || im.Height < 1 {
			return nil, fmt.Errorf("detr: image %d is empty", i)
		}
		if len(wait) > 0 && (im.Width != w || im.Height != h || len(wait) == m.places(w, h)) {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		w, h = im.Width, im.Height
		wait = append(wait, i)
	}
	if err := flush(); err != nil {
		return nil, err
	}
	return found, nil
}

// places is how many images of a size go through the network at once: more than one only where they are small.
func (m *Model) places(w, h int) int {
	w, h = m.Processor.Size(w, h)
	return max(1, min(8, 1<<17/max(1, w*h)))
}

// detect runs images of one size, at most n of them, as a batch of n.
func (m *Model) detect(images []*pixels.Image, threshold float32, n int) ([][]Detection, error) {
	in, err := m.Processor.Apply(images...)
	if err != nil {
		return nil, err
	}
	s := tensor.NewScope(m.dev)
	defer s.Close()
	px := make([]float32, n*in.Height*in.Width*3)
	copy(px, in.Pix)
	logits, boxes := m.Forward(s, s.FromFloat32s(px, n, in.Height, in.Width, 3), nil)
	sizes := make([][2]int, len(images))
	for i, im := range images {
		sizes[i] = [2]int{im.Width, im.Height}
	}
	return m.Select(logits.Float32s(), boxes.Float32s(), sizes, threshold), nil
}

// Select reads detections off logits [B, Q, K+1] and boxes [B, Q, 4] for images of the sizes (width, height), as the library's
// post_process_object_detection does: a query's score is the largest probability of a class that is not "no object", and it counts if
// it is above threshold. Rows of the batch beyond len(sizes) are not looked at.
func (m *Model) Select(logits, boxes []float32, sizes [][2]int, threshold float32) [][]Detection {
	q, k := m.Config.Queries, len(m.Config.Labels)
	out := make([][]Detection, len(sizes))
	for b, size := range sizes {
		w, h := float32(size[0]), float32(size[1])
		for i := b * q; i < (b+1)*q; i++ {
			label, score := best(logits[i*(k+1) : (i+1)*(k+1)])
			if !(score > threshold) {
				continue
			}
			p := boxes[4*i : 4*i+4]
			out[b] = append(out[b], Detection{Label: label, Name: m.Config.Labels[label], Score: score,
				Box: [4]float32{(p[0] - 0.5*p[2]) * w, (p[1] - 0.5*p[3]) * h, (p[0] + 0.5*p[2]) * w, (p[1] + 0.5*p[3]) * h}})
		}
	}
	return out
}

// best is the likeliest class but the last, which is "no object", and its probability among all.
func best(logits []float32) (label int, score float32) {
	top := logits[0]
	for _, x := range logits {
		top = max(top, x)
	}
	sum := 0.0
	for i, x := range logits {
		sum += math.Exp(float64(x - top))
		if i < len(logits)-1 && x > logits[label] {
			label = i
		}
	}
	return label, float32(math.Exp(float64(logits[label]-top)) / sum)
}
