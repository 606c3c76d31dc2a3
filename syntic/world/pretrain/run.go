package pretrain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"syntic/nn"
	"syntic/syntic/plan"
	"syntic/tensor"
)

// Job is one training.
type Job struct {
	Name      string
	Params    []nn.Named
	Optimizer nn.AdamWOptions
	LR        float64
	Schedule  nn.Schedule
	Steps     int
	Batch     int
	Decay     float32 // of the average of the weights that is saved
	Loss      func(s *tensor.Scope, step int) (*tensor.Tensor, error)
	Scores    func(ctx context.Context) (map[string]float64, error) // on held-out scenes, with the averaged weights in place
	Save      func(dir string) error                                // writes the model in its original layout
}

// Options of Run.
type Options struct {
	Dir        string        // of the training: state.safetensors, curve.jsonl, and the model in model/
	Checkpoint time.Duration // between checkpoints
	ScoreEvery int           // steps between scores; 0: at the end alone
	Models     string        // folder of finished trainings that others build on
	From       string        // folder of a model whose weights a training of the VAE or the UNet begins with; empty: random ones
	Progress   plan.Progress
}

// Point is a line of curve.jsonl.
type Point struct {
	Step     int                `json:"step"`
	Samples  int                `json:"samples"`
	Loss     float64            `json:"loss"` // mean since the last point
	LR       float64            `json:"lr"`
	GradNorm float64            `json:"grad_norm"`
	Seconds  float64            `json:"seconds"` // of training, over all its runs
	Scores   map[string]float64 `json:"scores,omitempty"`
}

const pointEvery = 50

// Run trains, or goes on where a checkpoint of Dir left off, and writes the model with averaged weights to Dir/model. When ctx ends it
// writes a checkpoint and returns ctx's error.
func Run(ctx context.Context, dev *tensor.Device, j *Job, o Options) (err error) {
	defer tensor.Catch(&err)
	if err := os.MkdirAll(o.Dir, 0o777); err != nil {
		return err
	}
	tr := &nn.Training{Params: j.Params, Optimizer: nn.NewAdamW(dev, j.Params, j.Optimizer), EMA: nn.NewEMA(dev, j.Params, j.Decay), Notes: map[string]string{}}
	state := filepath.Join(o.Dir, "state.safetensors")
	var before float64
	if _, err := os.Stat(state); err == nil {
		if err := nn.LoadTraining(state, tr); err != nil {
			return err
		}
		fmt.Sscan(tr.Notes["seconds"], &before)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	curve, err := os.OpenFile(filepath.Join(o.Dir, "curve.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer curve.Close()
	bar := plan.OrQuiet(o.Progress).Stage("train "+j.Name, j.Steps*j.Batch)
	defer bar.Done()
	plan.Skip(bar, tr.Step*j.Batch)

	begin, saved := time.Now(), time.Now()
	seconds := func() float64 { return before + time.Since(begin).Seconds() }
	save := func() error {
		tr.Notes = map[string]string{"seconds": fmt.Sprint(seconds())}
		saved = time.Now()
		return nn.SaveTraining(state, tr)
	}
	sum, n, norm := 0.0, 0, 0.0
	for tr.Step < j.Steps {
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), save())
		}
		lr := j.LR * j.Schedule(tr.Step, j.Steps)
		loss, err := step(dev, j, tr, lr, &norm)
		if err != nil {
			return err
		}
		sum, n = sum+loss, n+1
		bar.Add(j.Batch)
		end := tr.Step == j.Steps
		score := end || o.ScoreEvery > 0 && tr.Step%o.ScoreEvery == 0
		if tr.Step%pointEvery == 0 || score {
			p := Point{Step: tr.Step, Samples: tr.Step * j.Batch, Loss: sum / float64(n), LR: lr, GradNorm: norm, Seconds: seconds()}
			if score {
				tr.EMA.Swap()
				p.Scores, err = j.Scores(ctx)
				if err == nil {
					err = j.Save(filepath.Join(o.Dir, "model"))
				}
				tr.EMA.Swap()
				if err != nil && ctx.Err() == nil {
					return err
				}
			}
			sum, n = 0, 0
			line, err := json.Marshal(p)
			if err != nil {
				return fmt.Errorf("training %s at step %d: %w", j.Name, tr.Step, err)
			}
			if _, err := fmt.Fprintf(curve, "%s\n", line); err != nil {
				return err
			}
		}
		if end || time.Since(saved) > o.Checkpoint {
			if err := save(); err != nil {
				return err
			}
		}
	}
	return nil
}

func step(dev *tensor.Device, j *Job, tr *nn.Training, lr float64, norm *float64) (float64, error) {
	s := tensor.NewScope(dev, tensor.WithTape())
	defer s.Close()
	loss, err := j.Loss(s, tr.Step)
	if err != nil {
		return 0, err
	}
	squares := tr.Optimizer.Queue(s, s.Backward(loss), float32(lr), nil)
	if squares == nil {
		squares = s.Zeros(1)
	}
	read := tensor.Fetch(loss, squares)
	x := float64(read[0].Floats[0])
	*norm = math.Sqrt(float64(read[1].Floats[0]))
	if math.IsNaN(x) || math.IsInf(x, 0) || math.IsNaN(*norm) || math.IsInf(*norm, 0) {
		return 0, fmt.Errorf("training %s: step %d: loss %g, gradient norm %g: a smaller learning rate than %g may help", j.Name, tr.Step, x, *norm, lr)
	}
	tr.EMA.Update(s, tr.Step)
	tr.Step++
	return x, nil
}
