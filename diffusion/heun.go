package diffusion

import "syntic/tensor"

// heun is a run of Heun's method over noise levels (Karras et al. 2022, algorithm 1 without churn): each step but the last calls the
// model at both of its ends.
type heun struct {
	*levels
	slope0, start *tensor.Tensor // of a step that has been made once
}

func heunDefaults(c *SchedulerConfig) {
	c.TimestepSpacing, c.BetaStart, c.BetaEnd = "linspace", 0.00085, 0.012
}

func startHeun(sc *Scheduler, o RunOptions) (Run, error) {
	l, err := sc.startLevels(o.Steps)
	if err != nil {
		return nil, err
	}
	return &heun{levels: l}, nil
}

// Times has every time but the first twice: call 2k−1 ends step k, call 2k begins the next.
func (h *heun) Times() []float64 {
	times := []float64{h.times[0]}
	for _, t := range h.times[1:] {
		times = append(times, t, t)
	}
	return times
}

func (h *heun) InputScale(i int) float64 { return h.levels.InputScale((i + 1) / 2) }

// Step follows the slope at the start, then, from the start again, the mean of it and the slope found at the end.
func (h *heun) Step(s *tensor.Scope, out, x *tensor.Tensor, i int, _ *tensor.Tensor) *tensor.Tensor {
	k := (i + 1) / 2 // the level of this call
	slope := h.slopeWithin(s, out, x, h.sigmas[k])
	if i%2 == 0 {
		next := s.AddScaled(x, 1, slope, float32(h.sigmas[k+1]-h.sigmas[k]))
		if k+2 < len(h.sigmas) {
			h.slope0, h.start = slope, s.Copy(x)
		} else {
			s.Free(slope)
		}
		return next
	}
	half := (h.sigmas[k] - h.sigmas[k-1]) / 2
	next := combine(s, term{1, h.start}, term{half, h.slope0}, term{half, slope})
	for _, t := range []*tensor.Tensor{slope, h.slope0, h.start} {
		s.Free(t)
	}
	h.slope0, h.start = nil, nil
	return next
}

// slopeWithin is the slope by x₀ kept in its range.
func (h *heun) slopeWithin(s *tensor.Scope, out, x *tensor.Tensor, sigma float64) *tensor.Tensor {
	slope := h.slope(s, out, x, sigma)
	if !h.c.ClipSample {
		return slope
	}
	bounded := s.Do(func(s *tensor.Scope) *tensor.Tensor {
		x0 := s.AddScaled(x, 1, slope, float32(-sigma))
		return combine(s, term{1 / sigma, x}, term{-1 / sigma, h.c.bound(s, x0)})
	})
	s.Free(slope)
	return bounded
}
