package pretrain

import (
	"context"

	"syntic/clip/pixels"
	"syntic/nn"
	"syntic/syntic/detr"
	"syntic/syntic/world"
	"syntic/tensor"
)

type detrTraining struct {
	Model *detr.Model `name:"detr"`
	Guide *detr.Guide `name:"guide"`
}

// DETR is the training of the detector by the set loss (Carion et al. 2020), from nothing. It knows half of the kinds of things, as COCO's
// classes cover part of what captions name. Half of its pictures are blurred, scaled down or noisy, so that it works on synthetic images.
func DETR(dev *tensor.Device, steps int, seed uint64) (*Job, error) {
	labels := make([]string, len(world.DetectorKinds))
	for i, k := range world.DetectorKinds {
		labels[i] = k.String()
	}
	m, err := detr.New(detr.ToyConfig(labels), dev)
	if err != nil {
		return nil, err
	}
	m.Processor = detr.ToyProcessor()
	m.Init(seed)
	t := &detrTraining{m, detr.NewGuide(m.Config, dev)}
	nn.Init(t.Guide, seed)
	const batch = 16
	px := func(s *tensor.Scope, pix []uint8) *tensor.Tensor {
		return normalised(s, pix, m.Processor.Mean, m.Processor.Std)
	}
	s := tensor.NewScope(dev)
	err = m.Calibrate(px(s, drawBatch(world.Web, sceneSeed, 0, 64, false, domainOf).Pixels))
	s.Close()
	if err != nil {
		return nil, err
	}
	var src *source
	return &Job{
		Name: "detr", Params: nn.Parameters(t), Batch: batch, Steps: steps, Decay: 0.998, LR: 1e-3, Schedule: nn.Cosine(200, 0.02),
		Optimizer: nn.AdamWOptions{Beta2: 0.99, Decay: 1e-4, ClipNorm: 1, LRScale: detr.ToyRate},
		Loss: func(s *tensor.Scope, step int) (*tensor.Tensor, error) {
			if src == nil {
				src = newSource(batch, step, true, domainOf)
			}
			b := src.batch()
			l, err := m.LossWith(s, px(s, b.Pixels), targets(b.Scenes), detr.LossOptions{Guide: t.Guide})
			if err != nil {
				return nil, err
			}
			return l.Total, nil
		},
		Scores: func(ctx context.Context) (map[string]float64, error) {
			clean, err := precision(ctx, m, false)
			if err != nil {
				return nil, err
			}
			degraded, err := precision(ctx, m, true)
			return map[string]float64{"map50": clean, "map50_degraded": degraded}, err
		},
		Save: func(dir string) error { return m.Save(dir, "F16") },
	}, nil
}

// targets are the boxes of the kinds that the detector knows.
func targets(scenes []world.Scene) []detr.Target {
	out := make([]detr.Target, len(scenes))
	for i := range scenes {
		for _, b := range scenes[i].Boxes() {
			if class, ok := world.DetectorClass(b.Kind); ok {
				out[i] = append(out[i], detr.Object{Label: class, Box: [4]float32{float32(b.CX), float32(b.CY), float32(b.W), float32(b.H)}})
			}
		}
	}
	return out
}

// precision is the mean average precision at an overlap of one half, on held-out photos as they are or degraded.
func precision(ctx context.Context, m *detr.Model, degrade bool) (float64, error) {
	b := drawBatch(world.Val, sceneSeed, 0, 2*scoreScenes, degrade, photo)
	var images []*pixels.Image
	var sizes [][2]int
	for _, pix := range pictures(b.Pixels) {
		images = append(images, &pixels.Image{Width: world.Side, Height: world.Side, Channels: 3, Pix: pix})
		sizes = append(sizes, [2]int{world.Side, world.Side})
	}
	found, err := detr.Detect(ctx, m, images, 0.02)
	if err != nil {
		return 0, err
	}
	mean, _, err := detr.MeanAP(found, targets(b.Scenes), sizes, 0.5)
	return mean, err
}
