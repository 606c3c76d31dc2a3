package syntic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"

	"syntic/nn"
	"syntic/syntic/config"
	"syntic/syntic/plan"
	"syntic/tensor"
)

// Examples are what a decoder learns from: N features, what was detected, and the captions to write.
type Examples struct {
	Features []float32 // v [N, E], projected already if they are to be
	Context  *Context  // nil for a decoder with neither objects nor anything else
	Captions [][]int32 // [N], the tokenizer's ids without start and end

	Weights []float32 // [N], how much a caption counts; nil: 1
	Each    int       // so many features (and contexts and weights) in turn belong to a caption, of which each epoch draws one; 0 is 1

	// Remake, unless nil, gives the context of some rows of Features in an epoch, in place of Context: for what changes from epoch to epoch.
	// It must be a function of the row and the epoch.
	Remake func(rows []int, epoch int) (*Context, error)
}

// each is Each of at least 1.
func (x *Examples) each() int { return max(1, x.Each) }

// TrainOptions are the parts of a recipe that training needs.
type TrainOptions struct {
	Train     config.Train
	MaxLength int     // rows of a caption that are learned, the end included: decoder.max_length
	Dropout   float64 // decoder.dropout, of the embedding and residual paths
	Seed      uint64

	// Checkpoint, unless empty, is a file that is written every Every steps and when ctx ends, and that an equal training goes on from, with the
	// same bits as if it had never stopped. The caller removes it when it has saved the decoder.
	Checkpoint string
	Every      int

	// Watch, unless nil, is called after each pass over the captions and gives the loss on examples that are not learned from; it changes no weight.
	Watch func() (float64, error)

	// Log, unless nil, is called with the curve so far: once before the first step, with that of the checkpoint, and after every some steps, before their
	// checkpoint is written. An error of it ends the training.
	Log func(curve []TrainStep) error
}

// TrainOptionsOf takes them from a recipe.
func TrainOptionsOf(r *config.Recipe) TrainOptions {
	return TrainOptions{Train: r.Train, MaxLength: r.Decoder.MaxLength, Dropout: r.Decoder.Dropout, Seed: uint64(r.Seed)}
}

// TrainStep is one point of the training curve.
type TrainStep struct {
	Step     int     // from 0
	Epoch    float64 // passes over the captions before this step
	Loss     float64 // of the step's batch, label smoothing included
	LR       float64
	GradNorm float64 // before clipping
	Val      float64 `json:",omitempty"` // what Watch gave after this step; 0 where it was not asked
}

// Streams of random numbers of a training, apart from those of the weights, which are hashes of names.
const (
	shuffleItem = 0x73687566_00000000 // the epoch is the key's step
	noiseItem   = 0x6e6f6973_00000000 // + the example; the epoch is the key's step
	drawItem    = 0x64726177_00000000 // + the example; the epoch is the key's step
	dropoutItem = 0x64726f70_00000000 // + the place; the training step is the key's step
)

// Train fits the decoder to the examples by cross entropy with AdamW: Epochs passes in an order dealt from (seed, epoch), a learning rate that
// rises for Warmup steps and then follows Schedule, weight decay on everything. With Noise, features get noise and go back to
// unit length (CapDec, Nukrai et al. 2022), from (seed, example, epoch): Gaussian of NoiseStd a dimension, or with NoiseShape ball from a ball of that
// radius. It returns the curve. The weights are the
// same bits for any number of processors. ctx is looked at between steps; after an error the weights are those of the last step.
func (d *Decoder) Train(ctx context.Context, x *Examples, o TrainOptions, progress plan.Progress) (curve []TrainStep, err error) {
	defer tensor.Catch(&err)
	captions, err := d.examples(x, o.MaxLength)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	n, batch := len(captions), o.Train.Batch
	if batch < 1 || o.Train.Epochs < 1 || !(o.Train.LR > 0) || !(o.Dropout >= 0 && o.Dropout < 1) {
		return nil, fmt.Errorf("train %+v, dropout %g: want batch and epochs of 1 or more, lr above 0, dropout from 0 and below 1", o.Train, o.Dropout)
	}
	schedule, err := scheduleOf(o.Train)
	if err != nil {
		return nil, err
	}
	opt := nn.NewAdamW(d.dev, nn.Parameters(d), nn.AdamWOptions{Decay: float32(o.Train.WeightDecay), ClipNorm: float32(o.Train.ClipNorm)})
	defer opt.Release()
	perEpoch := (n + batch - 1) / batch
	total := perEpoch * o.Train.Epochs
	save, err := resume(&nn.Training{Params: nn.Parameters(d), Optimizer: opt}, o, total, &curve)
	if err != nil {
		return nil, err
	}
	bar := plan.OrQuiet(progress).Stage("train", total)
	defer bar.Done()
	plan.Skip(bar, len(curve))
	if o.Log == nil {
		o.Log = func([]TrainStep) error { return nil }
	}
	if err := o.Log(curve); err != nil {
		return curve, err
	}
	told := newTally(d.dev)
	defer told.release()
	s := tensor.NewScope(d.dev, tensor.WithTape())
	defer s.Close()
	var room stepRoom
	order, dealt := make([]int, n), -1
	for step := len(curve); step < total; step++ {
		if err := ctx.Err(); err != nil {
			if curve, failed := told.read(curve); failed != nil {
				return curve, failed
			}
			return curve, errors.Join(err, save(curve))
		}
		epoch, at := step/perEpoch, step%perEpoch*batch
		if epoch != dealt {
			order, dealt = tensor.Key{Seed: o.Seed, Item: shuffleItem, Step: uint32(epoch)}.PermIn(order), epoch
		}
		p := TrainStep{Step: step, Epoch: float64(step) / float64(perEpoch), LR: o.Train.LR * schedule(step, total)}
		if err := d.trainStep(s, &room, opt, told, x, captions, order[at:min(at+batch, n)], o, epoch, &p); err != nil {
			curve, failed := told.read(curve)
			return curve, errors.Join(failed, fmt.Errorf("train: step %d: %w", step, err))
		}
		curve = append(curve, p)
		watched, due := o.Watch != nil && (step+1)%perEpoch == 0, o.Every > 0 && len(curve)%o.Every == 0
		read := watched || due || told.full() || step+1 == total
		if read {
			if curve, err = told.read(curve); err != nil {
				return curve, err
			}
		}
		if watched {
			if curve[step].Val, err = o.Watch(); err != nil {
				return curve, fmt.Errorf("train: step %d: %w", step, err)
			}
		}
		if read {
			if err := o.Log(curve); err != nil {
				return curve, err
			}
		}
		bar.Add(1)
		if due {
			if err := save(curve); err != nil {
				return curve, err
			}
		}
	}
	return curve, nil
}

// resume takes up a training where its checkpoint, if there is one, left off, and gives the function that writes the next.
func resume(t *nn.Training, o TrainOptions, total int, curve *[]TrainStep) (save func([]TrainStep) error, err error) {
	path := o.Checkpoint
	if path == "" {
		return func([]TrainStep) error { return nil }, nil
	}
	o.Checkpoint, o.Every, o.Watch, o.Log = "", 0, nil, nil
	identity := fmt.Sprintf("%+v, %d steps", o, total)
	_, err = os.Stat(path)
	switch {
	case err == nil:
		if err := nn.LoadTraining(path, t); err != nil {
			return nil, fmt.Errorf("train: checkpoint: %w", err)
		}
		if t.Notes["training"] != identity {
			return nil, fmt.Errorf("train: checkpoint %s is of another training, %s: want %s, or no file", path, t.Notes["training"], identity)
		}
		if err := json.Unmarshal([]byte(t.Notes["curve"]), curve); err != nil || len(*curve) != t.Step || t.Step > total {
			return nil, fmt.Errorf("train: checkpoint %s: curve of %d points for step %d of %d", path, len(*curve), t.Step, total)
		}
	case !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("train: checkpoint: %w", err)
	}
	return func(curve []TrainStep) error {
		text, err := json.Marshal(curve)
		if err != nil {
			return fmt.Errorf("train: checkpoint: %w", err)
		}
		t.Step, t.Notes = len(curve), map[string]string{"training": identity, "curve": string(text)}
		if err := nn.SaveTraining(path, t); err != nil {
			return fmt.Errorf("train: checkpoint: %w", err)
		}
		return nil
	}, nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func scheduleOf(o config.Train) (nn.Schedule, error) {
	switch o.Schedule {
	case "constant":
		return nn.Constant(o.Warmup), nil
	case "linear", "":
		return nn.Linear0(o.Warmup), nil
	case "cosine":
		return nn.Cosine(o.Warmup, 0), nil
	}
	return nil, fmt.Errorf("train: schedule %q: want linear, cosine, constant", o.Schedule)
}

// stepRoom is what a step works on besides tensors, used again by the next.
type stepRoom struct {
	v, weights []float32
	rows       [][]int32
	from       []int
}

// trainStep does one step on the captions of index in s, which records and begins anew afterwards.
func (d *Decoder) trainStep(s *tensor.Scope, room *stepRoom, opt *nn.AdamW, told *tally, x *Examples, captions [][]int32, index []int, o TrainOptions, epoch int, p *TrainStep) (err error) {
	defer s.Reset()
	e := d.Shape.Features
	room.v, room.weights, room.rows, room.from = room.v[:0], room.weights[:0], room.rows[:0], room.from[:0]
	for _, at := range index {
		from := at * x.each()
		if x.Each > 1 {
			from += tensor.Key{Seed: o.Seed, Item: drawItem + uint64(at), Step: uint32(epoch)}.Intn(0, x.Each)
		}
		f := x.Features[from*e : (from+1)*e]
		if x.Weights != nil {
			room.weights = append(room.weights, x.Weights[from])
		}
		if o.Train.Noise {
			noisy, key := Noisy, tensor.Key{Seed: o.Seed, Item: noiseItem + uint64(at), Step: uint32(epoch)}
			if o.Train.NoiseShape == "ball" {
				noisy = NoisyInBall
			}
			f = noisy(f, float32(o.Train.NoiseStd), key)
		}
		room.v, room.rows, room.from = append(room.v, f...), append(room.rows, captions[at]), append(room.from, from)
	}
	v, weights := room.v, room.weights
	if x.Weights == nil {
		weights = nil
	}
	drop := &dropout{p: float32(o.Dropout), key: tensor.Key{Seed: o.Seed, Item: dropoutItem, Step: uint32(p.Step)}}
	about := x.Context.Pick(room.from, e)
	if x.Remake != nil {
		if about, err = x.Remake(room.from, epoch); err == nil {
			_, err = d.Shape.checkInputs(v, about)
		}
		if err != nil {
			return err
		}
	}
	prefix, mask, err := d.embed(s, v, about)
	if err != nil {
		return err
	}
	loss := d.Model.weightedLoss(s, prefix, mask, room.rows, weights, float32(o.Train.LabelSmoothing), drop)
	told.step(s, opt, loss, float32(p.LR))
	return nil
}

// Noisy is f with Gaussian noise of std a dimension, at unit length.
func Noisy(f []float32, std float32, key tensor.Key) []float32 {
	z := make([]float32, len(f))
	key.Normal(z)
	for i := range z {
		z[i] = f[i] + std*z[i]
	}
	return unit(z)
}

// NoisyInBall is f with noise drawn evenly from a ball, at unit length: CapDec's other kind of noise (Nukrai et al. 2022, their code).
func NoisyInBall(f []float32, radius float32, key tensor.Key) []float32 {
	z := inBall(len(f), radius, key)
	for i := range z {
		z[i] += f[i]
	}
	return unit(z)
}

// inBall is a point drawn evenly from a ball in n dimensions: the direction of n Gaussian numbers, at the n-th root of a number from 0 to 1 of the radius.
func inBall(n int, radius float32, key tensor.Key) []float32 {
	z := make([]float32, n)
	key.Normal(z)
	z = unit(z)
	u := (float64(key.Block(math.MaxUint32)[0]) + 0.5) / (1 << 32) // a block that no direction reaches
	for i := range z {
		z[i] *= radius * float32(math.Pow(u, 1/float64(n)))
	}
	return z
}

// Loss is the mean cross entropy per token, without smoothing, dropout and noise, of captions cut to maxLength rows: for watching a training on
// examples it does not see; weights are not looked at. It depends on the batch in rounding only.
func (d *Decoder) Loss(ctx context.Context, x *Examples, maxLength, batch int) (loss float64, err error) {
	defer tensor.Catch(&err)
	captions, err := d.examples(x, maxLength)
	if err != nil {
		return 0, fmt.Errorf("loss: %w", err)
	}
	if batch < 1 || x.Each > 1 {
		return 0, fmt.Errorf("loss: batch %d of %d features a caption: want at least 1, of 1", batch, x.Each)
	}
	tokens, e := 0, d.Shape.Features
	for at := 0; at < len(captions); at += batch {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		var index []int
		count := 0
		for i := at; i < min(at+batch, len(captions)); i++ {
			index, count = append(index, i), count+len(captions[i])
		}
		part := &Examples{Features: x.Features[at*e : (at+len(index))*e], Context: x.Context.Pick(index, e), Captions: captions[at : at+len(index)]}
		mean, err := d.batchLoss(part)
		if err != nil {
			return 0, fmt.Errorf("loss: %w", err)
		}
		loss += mean * float64(count)
		tokens += count
	}
	return loss / float64(tokens), nil
}

// batchLoss is the loss of some examples whose captions are rows already.
func (d *Decoder) batchLoss(x *Examples) (float64, error) {
	s := tensor.NewScope(d.dev)
	defer s.Close()
	prefix, mask, err := d.embed(s, x.Features, x.Context)
	if err != nil {
		return 0, err
	}
	return float64(d.Model.loss(s, prefix, mask, x.Captions, 0, nil).Item()), nil
}

// examples checks x and turns its captions into rows of the vocabulary.
func (d *Decoder) examples(x *Examples, maxLength int) ([][]int32, error) {
	n, err := d.Shape.checkInputs(x.Features, x.Context)
	if err != nil {
		return nil, err
	}
	if n == 0 || n != len(x.Captions)*x.each() {
		return nil, fmt.Errorf("%d features, %d captions: want %d features for each, at least one caption", n, len(x.Captions), x.each())
	}
	if x.Weights != nil && len(x.Weights) != n {
		return nil, fmt.Errorf("%d weights for %d features: want one each", len(x.Weights), n)
	}
	for i, w := range x.Weights {
		if !(w >= 0) || math.IsInf(float64(w), 0) {
			return nil, fmt.Errorf("feature %d: weight %g: want 0 or more", i, w)
		}
	}
	if _, err := rowsOf(x.Features, d.Shape.Features); err != nil {
		return nil, err
	}
	if most := d.Shape.Positions + 1 - d.Shape.prefix(); maxLength < 1 || maxLength > most {
		return nil, fmt.Errorf("captions of %d tokens: want 1 to %d", maxLength, most)
	}
	out := make([][]int32, len(x.Captions))
	for i, c := range x.Captions {
		if out[i], err = d.Vocab.rows(c, maxLength); err != nil {
			return nil, fmt.Errorf("caption %d: %w", i, err)
		}
	}
	return out, nil
}
