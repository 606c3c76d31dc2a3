package nn

import (
	"fmt"
	"strconv"

	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// Training is what a checkpoint of a training holds.
type Training struct {
	Params    []Named
	Optimizer *AdamW
	EMA       *EMA              // may be nil
	Step      int               // steps done
	Notes     map[string]string // anything else; "step" and "optimizer_step" are taken
}

func (t *Training) each(fn func(name string, p Named, x *tensor.Tensor) error) error {
	for _, p := range t.Params {
		if err := fn("param."+p.Name, p, p.Tensor); err != nil {
			return err
		}
	}
	for i, p := range t.Optimizer.params {
		if err := fn("m."+p.Name, p, t.Optimizer.m[i]); err != nil {
			return err
		}
		if err := fn("v."+p.Name, p, t.Optimizer.v[i]); err != nil {
			return err
		}
	}
	if t.EMA != nil {
		for i, p := range t.EMA.params {
			if err := fn("ema."+p.Name, p, t.EMA.avg[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// SaveTraining writes parameters, moments, average and step to one file, whole or not at all.
func SaveTraining(path string, t *Training) error {
	var ts []safetensors.Tensor
	t.each(func(name string, p Named, x *tensor.Tensor) error {
		ts = append(ts, stored(name, p, x, safetensors.F32))
		return nil
	})
	meta := map[string]string{"step": strconv.Itoa(t.Step), "optimizer_step": strconv.Itoa(t.Optimizer.step)}
	for k, v := range t.Notes {
		meta[k] = v
	}
	return safetensors.Write(path, ts, meta)
}

// LoadTraining reads what SaveTraining wrote into a training of the same shape. Going on from it gives the same bits as never having stopped.
func LoadTraining(path string, t *Training) (err error) {
	defer tensor.Catch(&err)
	f, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	meta := f.Metadata()
	step, err := strconv.Atoi(meta["step"])
	if err != nil {
		return fmt.Errorf("%s: metadata step %q: want a number; is it a checkpoint of a training?", path, meta["step"])
	}
	opt, err := strconv.Atoi(meta["optimizer_step"])
	if err != nil {
		return fmt.Errorf("%s: metadata optimizer_step %q: want a number", path, meta["optimizer_step"])
	}
	err = t.each(func(name string, p Named, x *tensor.Tensor) error {
		info, ok := f.Info(name)
		if want := fileShape(p); !ok || fmt.Sprint(info.Shape) != fmt.Sprint(want) {
			return fmt.Errorf("%s: tensor %s: found %v, want %v", path, name, info.Shape, want)
		}
		p.Tensor = x
		return fill(p, f, name, false)
	})
	if err != nil {
		return err
	}
	t.Step, t.Optimizer.step, t.Notes = step, opt, meta
	return nil
}
