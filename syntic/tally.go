package syntic

import (
	"fmt"
	"math"

	"syntic/nn"
	"syntic/tensor"
)

// tallySteps is how many steps of a training are read from the device at once.
const tallySteps = 16

// tally keeps the loss and the gradient norm of some steps on the device until they are read: who looks at each step waits for it. From the first step
// on whose numbers are not finite, no step changes a weight.
type tally struct {
	kept *tensor.Tensor // [tallySteps, 2]: loss, square of the norm
	stop *tensor.Tensor // [1], see nn.AdamW.Queue
	n    int
	host []float32 // [2·tallySteps], memory of its own: cgo takes none that lies beside Go pointers
}

func newTally(dev *tensor.Device) *tally {
	return &tally{kept: tensor.NewParameter(dev, tallySteps, 2), stop: tensor.NewParameter(dev, 1), host: make([]float32, 2*tallySteps)}
}

func (t *tally) release() {
	t.kept.Release()
	t.stop.Release()
}

// step does a step of the optimizer and takes it down.
func (t *tally) step(s *tensor.Scope, opt *nn.AdamW, loss *tensor.Tensor, lr float32) {
	s.Move(t.stop, 1, loss, 0) // NaN if the loss is not finite
	squares := opt.Queue(s, s.Backward(loss), lr, t.stop)
	if squares == nil {
		squares = s.Zeros(1)
	}
	s.Assign(t.kept, 2*t.n, loss)
	s.Assign(t.kept, 2*t.n+1, squares)
	t.n++
}

func (t *tally) full() bool { return t.n == tallySteps }

// read fills in the last points of a curve, those of the steps that were taken down. At a step that is not finite the curve ends.
func (t *tally) read(curve []TrainStep) ([]TrainStep, error) {
	if t.n == 0 {
		return curve, nil
	}
	first := len(curve) - t.n
	t.kept.CopyTo(t.host)
	x := t.host[:2*t.n]
	t.n = 0
	for i := range curve[first:] {
		p := &curve[first+i]
		p.Loss, p.GradNorm = float64(x[2*i]), math.Sqrt(float64(x[2*i+1]))
		if !finite(p.Loss) || !finite(p.GradNorm) {
			return curve[:first+i], fmt.Errorf("train: step %d: loss %g, gradient norm %g: want finite numbers; a smaller train.lr or train.clip_norm may help", p.Step, p.Loss, p.GradNorm)
		}
	}
	return curve, nil
}
