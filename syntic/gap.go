package syntic

import (
	"fmt"
	"math"

	"syntic/tensor/safetensors"
)

// Gap carries features of one modality to where those of another lie, dimension by dimension: by the mean, and the spread if asked for.
type Gap struct {
	Scale, Shift []float32 // [E]
}

// NewGap fits the correction from features of one kind [N, E] to those of another [M, E], each brought to unit length first:
//
//	x' = (x − μ_from) · σ_to/σ_from + μ_to
//
// with σ_to/σ_from = 1 unless spread is set. A dimension without spread keeps its scale. TOMCap (2025) corrects texts towards images so; the statistics
// of images may be those of synthetic ones.
func NewGap(from, to []float32, e int, spread bool) (*Gap, error) {
	meanFrom, stdFrom, err := moments(from, e)
	if err != nil {
		return nil, fmt.Errorf("gap: from: %w", err)
	}
	meanTo, stdTo, err := moments(to, e)
	if err != nil {
		return nil, fmt.Errorf("gap: to: %w", err)
	}
	g := &Gap{make([]float32, e), make([]float32, e)}
	for d := range e {
		scale := 1.0
		if spread && stdFrom[d] > 0 {
			scale = stdTo[d] / stdFrom[d]
		}
		g.Scale[d], g.Shift[d] = float32(scale), float32(meanTo[d]-meanFrom[d]*scale)
	}
	return g, nil
}

// Correct is the correction of features [N, E], brought to unit length before and after. A nil Gap gives features as they are.
func (g *Gap) Correct(features []float32) []float32 {
	if g == nil {
		return features
	}
	e := len(g.Scale)
	out := make([]float32, 0, len(features))
	for i := range len(features) / e {
		x := unit(features[i*e : (i+1)*e])
		for d := range x {
			x[d] = x[d]*g.Scale[d] + g.Shift[d]
		}
		out = append(out, unit(x)...)
	}
	return out
}

// moments are the mean and the standard deviation of each dimension of features at unit length.
func moments(features []float32, e int) (mean, std []float64, err error) {
	n, err := rowsOf(features, e)
	if err != nil {
		return nil, nil, err
	}
	if n < 2 {
		return nil, nil, fmt.Errorf("%d features: want 2 or more", n)
	}
	mean, std = make([]float64, e), make([]float64, e)
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = unit(features[i*e : (i+1)*e])
		for d, x := range rows[i] {
			mean[d] += float64(x) / float64(n)
		}
	}
	for _, row := range rows {
		for d, x := range row {
			std[d] += (float64(x) - mean[d]) * (float64(x) - mean[d]) / float64(n)
		}
	}
	for d := range std {
		std[d] = math.Sqrt(std[d])
	}
	return mean, std, nil
}

// Save writes the correction to a safetensors file, as "scale" and "shift" [E].
func (g *Gap) Save(path string) error {
	e := []int{len(g.Scale)}
	return safetensors.Write(path, []safetensors.Tensor{{Name: scaleName, DType: safetensors.F32, Shape: e, Floats: g.Scale},
		{Name: shiftName, DType: safetensors.F32, Shape: e, Floats: g.Shift}}, nil)
}

const shiftName = "shift"

// LoadGap reads what Save wrote, for features of size e.
func LoadGap(path string, e int) (*Gap, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	g := &Gap{}
	for name, to := range map[string]*[]float32{scaleName: &g.Scale, shiftName: &g.Shift} {
		if info, ok := f.Info(name); !ok || len(info.Shape) != 1 || info.Shape[0] != e {
			return nil, fmt.Errorf("%s: want a tensor %s [%d]", path, name, e)
		}
		if *to, err = f.Float32s(name); err != nil {
			return nil, err
		}
		for _, x := range *to {
			if !finite(float64(x)) {
				return nil, fmt.Errorf("%s: %s: %g: want finite numbers", path, name, x)
			}
		}
	}
	return g, nil
}
