package syntic

import (
	"context"
	"fmt"
	"slices"

	"syntic/nn"
	"syntic/syntic/config"
	"syntic/syntic/plan"
	"syntic/tensor"
)

// Refined is what Refine returns.
type Refined struct {
	Features []float32 // [N, E], unit length
	// Loss is the mean contrastive loss of the items before each step, and last after all steps: K + 1 values. An item whose batch ended early
	// counts with its last loss.
	Loss []float64
	// Recall is, like Loss, the share of items whose most similar text among the negatives is their own (or one with the same feature). Nil where
	// the negatives are the memory, for the time it takes, unless StopRecall needs it.
	Recall []float64
	// Steps is how many steps an item was moved, on average.
	Steps float64
	// Before and After are R@1: the share of items whose most similar text of all N is their own (or one with the same feature). It is measured
	// on at most recallItems items, evenly spread.
	Before, After float64
	// CosineBefore and CosineAfter are the mean similarities to the own text.
	CosineBefore, CosineAfter float64
}

const (
	recallItems = 2048
	refineItem  = 0x7265666e // the stream of random numbers that deals items to batches
)

// Refine moves the features s [N, E] of synthetic images towards those of their own texts [N, E] and away from others', staying among the
// unit vectors:
//
//	L_i = −log( exp(⟨s_i, t_i⟩/τ) / Σ_j exp(⟨s_i, t_j⟩/τ) ),   s_i ← normalise(s_i − lr · ∂L_i/∂s_i),   Steps times
//
// (SynTIC's refinement by a contrastive loss; InfoNCE is van den Oord et al. 2018). The paper leaves open what o says: Direction takes the sum
// over j of texts, of images, or the mean of both losses; Negatives takes as j those of the batch, or for the image → text direction all N
// texts. Optimiser "momentum" steps by v_i ← Momentum · v_i + ∂L_i/∂s_i instead, "adam" by Adam's rule. A batch ends before Steps where StopRecall or
// StopPlateau says so. Batches are dealt from (seed), so that neighbours in a corpus, often captions of one picture, are not each other's negatives.
// Features and texts are brought to unit length first. The result is the same bits for any number of processors.
func Refine(ctx context.Context, dev *tensor.Device, features, texts []float32, e int, o config.Refine, seed uint64, progress plan.Progress) (out *Refined, err error) {
	defer tensor.Catch(&err)
	n, err := rowsOf(features, e)
	if err != nil {
		return nil, fmt.Errorf("refine: images: %w", err)
	}
	if m, err := rowsOf(texts, e); err != nil {
		return nil, fmt.Errorf("refine: texts: %w", err)
	} else if m != n || n == 0 {
		return nil, fmt.Errorf("refine: %d images, %d texts: want a text an image, at least one", n, m)
	}
	if err := checkRefine(o); err != nil {
		return nil, err
	}
	scale := tensor.Scalar(dev, float32(1/o.Temperature))
	defer scale.Release()
	r := &refiner{e: e, o: o, dev: dev, scale: scale, out: &Refined{Features: make([]float32, n*e), Loss: make([]float64, o.Steps+1)}}
	if r.o.Negatives != "memory" || r.o.StopRecall > 0 {
		r.out.Recall = make([]float64, o.Steps+1)
	}
	bank, err := NewMemory(dev, texts, e)
	if err != nil {
		return nil, err
	}
	defer bank.Release()
	r.texts, r.bank = bank.bank.Float32s(), bank
	for i := range n {
		copy(r.out.Features[i*e:], unit(features[i*e:(i+1)*e]))
	}
	if r.out.Before, r.out.CosineBefore, err = r.recall(ctx); err != nil {
		return nil, err
	}
	bar := plan.OrQuiet(progress).Stage("refine", n)
	defer bar.Done()
	order := tensor.Key{Seed: seed, Item: refineItem}.Perm(n)
	batches := (n + o.Batch - 1) / o.Batch
	for b := range batches { // of sizes that differ by one at most: a batch of one item has no negatives
		items := order[n*b/batches : n*(b+1)/batches]
		if err := r.batch(ctx, items); err != nil {
			return nil, err
		}
		bar.Add(len(items))
	}
	for i := range r.out.Loss {
		r.out.Loss[i] /= float64(n)
	}
	for i := range r.out.Recall {
		r.out.Recall[i] /= float64(n)
	}
	r.out.Steps /= float64(n)
	r.out.After, r.out.CosineAfter, err = r.recall(ctx)
	return r.out, err
}

// checkRefine looks at what Refine itself depends on.
func checkRefine(o config.Refine) error {
	switch {
	case o.Batch < 2 || o.Steps < 0 || !(o.Temperature > 0) || !(o.LR > 0):
		return fmt.Errorf("refine %+v: want a batch of at least 2, 0 or more steps, temperature and lr above 0", o)
	case !(o.Momentum >= 0 && o.Momentum < 1) || !(o.StopRecall >= 0 && o.StopRecall <= 1) || !(o.StopPlateau >= 0 && o.StopPlateau < 1) || o.StopPlateau > 0 && o.Patience < 1:
		return fmt.Errorf("refine %+v: want momentum and stop_plateau from 0 and below 1, stop_recall from 0 to 1, with a plateau a patience of 1 or more", o)
	}
	return nil
}

type refiner struct {
	e     int
	o     config.Refine
	dev   *tensor.Device
	texts []float32      // [N, E], unit length
	bank  *Memory        // the same
	scale *tensor.Tensor // 1/τ
	out   *Refined
}

// group is a batch that is refined together.
type group struct {
	moved    *tensor.Tensor // [B, E]
	velocity *tensor.Tensor // [B, E], of momentum
	s        *tensor.Scope  // of the batch: what steps leave to be read
	losses   *tensor.Tensor // [Steps + 1], before each step
	found    *tensor.Tensor // i32 [Steps + 1, B], before each step: the most similar text of each item; nil if nobody asks
	kept     *tensor.Tensor // [look, B, E]: the features before the last steps; nil if every step is looked at
	look     int            // steps between two looks of the host
	adam     *nn.AdamW
	texts    []float32 // [B, E]
	own      []int32   // [B]: rows of all texts
}

// batch refines some items together.
func (r *refiner) batch(ctx context.Context, items []int) error {
	b, e := len(items), r.e
	x := make([]float32, b*e)
	g := &group{texts: make([]float32, b*e), own: make([]int32, b), moved: tensor.NewParameter(r.dev, b, e), velocity: tensor.NewParameter(r.dev, b, e), s: tensor.NewScope(r.dev)}
	defer g.s.Close()
	g.losses = g.s.Empty(r.o.Steps + 1)
	if r.out.Recall != nil {
		g.found = g.s.EmptyInts(r.o.Steps+1, b)
	}
	defer g.moved.Release()
	defer g.velocity.Release()
	for i, at := range items {
		copy(x[i*e:(i+1)*e], r.out.Features[at*e:])
		copy(g.texts[i*e:(i+1)*e], r.texts[at*e:])
		g.own[i] = int32(at)
	}
	g.moved.SetData(x)
	g.velocity.SetData(make([]float32, b*e))
	g.adam = nn.NewAdamW(r.dev, []nn.Named{{Name: "features", Tensor: g.moved}}, nn.AdamWOptions{})
	defer g.adam.Release()
	done, err := r.steps(ctx, g)
	if err != nil {
		return err
	}
	loss, found := g.read()
	for step := range r.o.Steps + 1 {
		at := min(step, done)
		if !finite(float64(loss[at])) {
			return fmt.Errorf("refine: step %d: the loss is %g: want a larger refine.temperature or a smaller refine.lr", at, loss[at])
		}
		r.out.Loss[step] += float64(loss[at])
		if r.out.Recall != nil {
			r.out.Recall[step] += r.hits(g, found[at*b:(at+1)*b])
		}
	}
	r.out.Steps += float64(done * b)
	x = g.moved.Float32s()
	for i, at := range items {
		copy(r.out.Features[at*e:(at+1)*e], x[i*e:])
	}
	return nil
}

// refineLook is how many steps a GPU goes ahead before the host looks whether a rule has ended the batch: each look waits for the device.
const refineLook = 8

// read is what was taken down, waited for once; found is nil if nobody asks.
func (g *group) read() (loss []float32, found []int32) {
	if g.found == nil {
		return g.losses.Float32s(), nil
	}
	x := tensor.Fetch(g.losses, g.found)
	return x[0].Floats, x[1].Ints
}

// steps moves a batch until it is over; done is how often. Where a rule may end it early the host looks for that: at every step on the CPU, else every
// refineLook steps, and the features go back to where they were at the step that ended it.
func (r *refiner) steps(ctx context.Context, g *group) (done int, err error) {
	g.look = 1
	if r.rules() && !r.dev.IsCPU() {
		g.look = refineLook
		g.kept = g.s.Empty(refineLook, len(g.own), r.e)
	}
	for step := range r.o.Steps + 1 {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if at, more := r.step(g, step); !more {
			return at, nil
		}
	}
	return r.o.Steps, nil
}

// rules tells whether there are any that may end a batch early.
func (r *refiner) rules() bool { return r.o.StopRecall > 0 || r.o.StopPlateau > 0 }

// ended tells at which of some steps a rule ended the batch, whose features are then those before that step.
func (r *refiner) ended(g *group, from, to int) (at int, ended bool) {
	if from > to {
		return 0, false
	}
	loss, found := g.read()
	for at := from; at <= to; at++ {
		if !r.over(g, at, loss, found) {
			continue
		}
		if g.kept != nil {
			s := g.s.Child()
			defer s.Close()
			s.Assign(g.moved, 0, s.Slice(g.kept, 0, at%g.look, at%g.look+1))
		}
		return at, true
	}
	return 0, false
}

// step takes down the loss and the most similar texts as they are, and moves the features once unless this is the end; at is where that was.
func (r *refiner) step(g *group, step int) (at int, more bool) {
	s := tensor.NewScope(r.dev, tensor.WithTape())
	defer s.Close()
	texts := s.FromFloat32s(g.texts, g.moved.Shape()...)
	loss := r.loss(s, g.moved, texts, g.own)
	g.s.Assign(g.losses, step, loss)
	if r.out.Recall != nil {
		among := texts
		if r.o.Negatives == "memory" {
			among = r.bank.bank
		}
		_, index := s.TopK(s.Detach(g.moved), among, 1)
		g.s.Assign(g.found, step*len(g.own), index)
	}
	if g.kept != nil {
		g.s.Assign(g.kept, step%g.look*len(g.own)*r.e, g.moved)
	}
	last := step == r.o.Steps
	if from := step / g.look * g.look; r.rules() && (last || step == from+g.look-1) {
		if at, ended := r.ended(g, from, min(step, r.o.Steps-1)); ended {
			return at, false
		}
	}
	if last {
		return step, false
	}
	grad, to := s.Backward(loss), g.moved
	switch r.o.Optimiser {
	case "adam":
		g.adam.Queue(s, grad, float32(r.o.LR), nil)
	case "momentum":
		s.Move(g.velocity, float32(r.o.Momentum), grad.Of(g.moved), 1)
		to = s.AddScaled(g.moved, 1, s.Detach(g.velocity), -float32(r.o.LR))
	default:
		to = s.AddScaled(g.moved, 1, grad.Of(g.moved), -float32(r.o.LR))
	}
	s.Assign(g.moved, 0, s.Normalize(s.Detach(to)))
	return step, true
}

// over tells whether a batch ends before it moves at a step, by the losses x and what was found so far.
func (r *refiner) over(g *group, step int, x []float32, found []int32) bool {
	if r.o.StopRecall > 0 && r.hits(g, found[step*len(g.own):]) >= r.o.StopRecall*float64(len(g.own)) {
		return true
	}
	before := step - r.o.Patience
	if r.o.StopPlateau == 0 || before < 0 {
		return false
	}
	was, now := float64(x[before]), float64(x[step])
	return !finite(now) || was-now < r.o.StopPlateau*was
}

// hits counts the items whose most similar text of the negatives is their own, or has the same feature.
func (r *refiner) hits(g *group, index []int32) float64 {
	data := g.texts
	if r.o.Negatives == "memory" {
		data = r.texts
	}
	e, count := r.e, 0.0
	for i, found := range index[:len(g.own)] {
		if at := int(found); at < 0 || at >= len(data)/e {
			continue // of scores that are not numbers
		}
		if slices.Equal(g.texts[i*e:(i+1)*e], data[int(found)*e:(int(found)+1)*e]) {
			count++
		}
	}
	return count
}

// loss is the sum of the losses of the batch's items: then the gradient of an item does not depend on how many they are.
func (r *refiner) loss(s *tensor.Scope, moved, texts *tensor.Tensor, own []int32) *tensor.Tensor {
	x := s.Normalize(moved) // already unit length; its gradient stays on the sphere
	toText, toImage := float32(1), float32(0)
	switch r.o.Direction {
	case "text_to_image":
		toText, toImage = 0, 1
	case "both":
		toText, toImage = 0.5, 0.5
	}
	var loss *tensor.Tensor
	if r.o.Negatives == "memory" && toText > 0 {
		target := s.FromInt32s(own, len(own))
		loss = s.InfoNCE(x, r.bank.bank, r.scale, tensor.InfoNCEOptions{Target: target, WX: toText})
		if toImage > 0 {
			loss = s.Add(loss, s.InfoNCE(x, texts, r.scale, tensor.InfoNCEOptions{WY: toImage}))
		}
	} else {
		loss = s.InfoNCE(x, texts, r.scale, tensor.InfoNCEOptions{WX: toText, WY: toImage})
	}
	return s.Scale(loss, float32(len(own)))
}

// recall is R@1 and the mean cosine with the own text.
func (r *refiner) recall(ctx context.Context) (hits, cosine float64, err error) {
	e := r.e
	n := len(r.texts) / e
	count := min(n, recallItems)
	sample := make([]float32, 0, count*e)
	for i := range count {
		at := i * n / count
		sample = append(sample, r.out.Features[at*e:(at+1)*e]...)
	}
	_, index, err := r.bank.Neighbours(ctx, sample, nil, 1, nil)
	if err != nil {
		return 0, 0, err
	}
	for i, found := range index {
		at := i * n / count
		own, other := r.texts[at*e:(at+1)*e], r.texts[int(found)*e:(int(found)+1)*e]
		same := true
		for d := range own {
			cosine += float64(own[d]) * float64(sample[i*e+d])
			same = same && own[d] == other[d]
		}
		if same {
			hits++
		}
	}
	return hits / float64(count), cosine / float64(count), nil
}
