package diffusion

import (
	"fmt"
	"math"

	"syntic/tensor"
)

// pndm is a run of pseudo numerical methods for diffusion models (Liu et al. 2022): linear multistep of order 4 (PLMS), which starts with
// three pseudo Runge-Kutta steps of four calls (PRK), or, where skip_prk_steps is set, with lower orders and one time twice.
type pndm struct {
	c       *SchedulerConfig
	table   *NoiseTable
	stride  int // times between two steps
	times   []int
	prk     int // calls that belong to Runge-Kutta steps
	last    float64
	outs    []*tensor.Tensor // the last outputs, newest last; at most 3 between steps
	start   *tensor.Tensor   // sample at the start of a Runge-Kutta step, or of the doubled first step
	average *tensor.Tensor   // Runge-Kutta's weighted sum of outputs so far
}

func pndmDefaults(*SchedulerConfig) {}

func startPNDM(sc *Scheduler, o RunOptions) (Run, error) {
	c := &sc.Config
	if c.PredictionType == "sample" {
		return nil, fmt.Errorf("prediction_type sample: want epsilon or v_prediction")
	}
	rising, err := c.spread(o.Steps)
	if err != nil {
		return nil, err
	}
	if err := sc.checkSignal(rising); err != nil {
		return nil, err
	}
	p := &pndm{c: c, table: sc.Table, stride: c.NumTrainTimesteps / o.Steps, last: sc.alphaBeforeFirst()}
	n := len(rising)
	falling := reversed(rising)
	switch {
	case c.SkipPRKSteps && n == 1:
		p.times = falling
	case c.SkipPRKSteps: // the second time twice
		p.times = append([]int{falling[0], falling[1]}, falling[1:]...)
	case n < 4:
		return nil, fmt.Errorf("%d steps with skip_prk_steps false: want at least 4", n)
	default: // each Runge-Kutta step sees its start, its middle twice and its end
		for k, t := range falling[:3] {
			end := falling[k+1]
			middle := end + p.stride/2
			p.times = append(p.times, t, middle, middle, end)
		}
		p.prk = len(p.times)
		p.times = append(p.times, falling[3:]...)
	}
	return p, nil
}

func (p *pndm) Times() []float64     { return floats(p.times) }
func (*pndm) InitSigma() float64     { return 1 }
func (*pndm) InputScale(int) float64 { return 1 }
func (*pndm) WantsNoise(int) bool    { return false }

func (p *pndm) Step(s *tensor.Scope, out, x *tensor.Tensor, i int, _ *tensor.Tensor) *tensor.Tensor {
	if i < p.prk {
		return p.stepPRK(s, out, x, i)
	}
	return p.stepPLMS(s, out, x, i)
}

// stepPRK is call i%4 of a Runge-Kutta step (Liu et al. 2022, section 3.3): to the middle by the outputs of the start and of the
// middle, to the end by those of the middle and all four; always from the step's start.
func (p *pndm) stepPRK(s *tensor.Scope, out, x *tensor.Tensor, i int) *tensor.Tensor {
	from, to := p.times[i/4*4], p.times[i]
	if i%2 == 0 {
		to -= p.stride / 2
	}
	weight := [4]float64{1. / 6, 1. / 3, 1. / 3, 1. / 6}[i%4]
	if i%4 == 0 {
		p.remember(s, out)
		p.start = s.Copy(x)
		p.average = s.Scale(out, float32(weight))
		return p.transfer(s, out, p.start, from, to)
	}
	sum := s.AddScaled(p.average, 1, out, float32(weight))
	s.Free(p.average)
	p.average = sum
	if i%4 < 3 {
		return p.transfer(s, out, p.start, from, to)
	}
	next := p.transfer(s, p.average, p.start, from, to)
	s.Free(p.average)
	s.Free(p.start)
	p.average, p.start = nil, nil
	return next
}

// stepPLMS blends the last outputs by Adams-Bashforth's weights (ibid.), lower orders while there are too few; the second call goes over
// the first step again, with the mean of both ends.
func (p *pndm) stepPLMS(s *tensor.Scope, out, x *tensor.Tensor, i int) *tensor.Tensor {
	from := p.times[i]
	if p.prk == 0 && i == 1 {
		mean := s.AddScaled(out, 0.5, p.outs[0], 0.5)
		next := p.transfer(s, mean, p.start, from+p.stride, from)
		s.Free(mean)
		s.Free(p.start)
		p.start = nil
		return next
	}
	if p.prk == 0 && i == 0 {
		p.start = s.Copy(x)
	}
	p.remember(s, out)
	n := len(p.outs)
	weights := [][]float64{{1}, {3. / 2, -1. / 2}, {23. / 12, -16. / 12, 5. / 12}, {55. / 24, -59. / 24, 37. / 24, -9. / 24}}[n-1]
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		var terms []term
		for k, w := range weights {
			terms = append(terms, term{w, p.outs[n-1-k]})
		}
		return p.transfer(s, combine(s, terms...), x, from, from-p.stride)
	})
}

// remember keeps a copy of an output, and no more than four.
func (p *pndm) remember(s *tensor.Scope, out *tensor.Tensor) {
	if len(p.outs) == 4 {
		s.Free(p.outs[0])
		p.outs = append(p.outs[:0], p.outs[1:]...)
	}
	p.outs = append(p.outs, s.Copy(out))
}

// transfer moves x from one time to another along an output: the paper's transfer part.
func (p *pndm) transfer(s *tensor.Scope, out, x *tensor.Tensor, from, to int) *tensor.Tensor {
	a, b := p.alpha(from), p.alpha(to)
	cx := math.Sqrt(b / a)
	cout := -(b - a) / (a*math.Sqrt(1-b) + math.Sqrt(a*(1-a)*b))
	if p.c.PredictionType == "v_prediction" { // eps = √ᾱ·v + √(1−ᾱ)·x
		cx, cout = cx+cout*math.Sqrt(1-a), cout*math.Sqrt(a)
	}
	return combine(s, term{cx, x}, term{cout, out})
}

func (p *pndm) alpha(t int) float64 {
	if t < 0 {
		return p.last
	}
	return p.table.AlphasBar[min(t, len(p.table.AlphasBar)-1)]
}
