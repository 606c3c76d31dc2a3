package bench

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"syntic/kernels"
)

// outputShapes say how the shapes of outputs follow from the inputs: a field stands for its whole shape, "X.1" for one of its dimensions,
// "X.1/2" for half of it, a whole-number option for its value; words in angle brackets are worked out by formula below. An output that is not
// here must be given with its shape, since no input tells it.
var outputShapes = map[string]map[string]string{
	"affine":              {"Out": "X"},
	"attention":           {"Out": "Q", "LSE": "Q.0 Q.2 Q.1"},
	"attention_grad":      {"DQ": "Q", "DK": "K", "DV": "V"},
	"binary":              {"Out": "A"},
	"box_loss":            {"L1": "1", "GIoU": "1", "DPred": "Pred"},
	"box_match":           {"Class": "Logits.0", "Weight": "Logits.0"},
	"conv2d":              {"Out": "X.0 <height> <width> W.0"},
	"conv2d_grad_w":       {"DBias": "DOut.3"},
	"crossentropy":        {"Loss": "1", "DLogits": "Logits", "RowLoss": "Logits.0"},
	"dropout":             {"Out": "X"},
	"embedding":           {"Out": "IDs.0 Table.1"},
	"gemm":                {"Out": "<batch> <rows> <columns>"},
	"glu":                 {"Out": "X.0 X.1/2"},
	"glu_grad":            {"DX": "X"},
	"group_norm":          {"Out": "X", "Mean": "X.0 Groups", "Rstd": "X.0 Groups"},
	"group_norm_grad":     {"DX": "X", "DGain": "Gain", "DBias": "Gain"},
	"infonce":             {"Loss": "1", "DX": "X", "DY": "Y", "DScale": "1", "Rank": "X.0"},
	"layer_norm":          {"Out": "X", "Mean": "X.0", "Rstd": "X.0"},
	"layer_norm_grad":     {"DX": "X", "DGain": "X.1", "DBias": "X.1"},
	"linear_crossentropy": {"Loss": "1", "RowLoss": "X.0", "DX": "X", "DW": "W", "DBias": "W.0"},
	"max_pool":            {"Out": "X.0 <height> <width> X.3", "Index": "X.0 <height> <width> X.3"},
	"permute":             {"Out": "<permuted>"},
	"project_topk":        {"Out": "Query", "Kth": "Query.0", "Mass": "Query.0"},
	"project_topk_grad":   {"DQuery": "Query"},
	"row_norm":            {"Out": "X", "Norm": "X.0"},
	"row_norm_grad":       {"DX": "Out"},
	"softmax":             {"Out": "X"},
	"softmax_grad":        {"DX": "Out"},
	"sum_squares":         {"Out": "1"},
	"unary":               {"Out": "X"},
	"unary_grad":          {"DX": "X"},
}

// wholeNumbers are the outputs that are i32.
var wholeNumbers = map[string]bool{"box_match.Class": true, "box_match.Index": true, "infonce.Rank": true, "max_pool.Index": true, "select.Index": true, "topk.Index": true}

// idRanges bound whole-number inputs that point into something: the field and dimension whose size is the limit. A kernel may fail on others.
var idRanges = map[string]string{"box_match.Label": "Logits.1", "embedding.IDs": "Table.0", "embedding_grad.IDs": "DTable.0", "infonce.Target": "Y.0", "crossentropy.Target": "Logits.1", "linear_crossentropy.Target": "W.0"}

// shapeOf works out a rule. It fails where a field is absent or has too few dimensions.
func shapeOf(args reflect.Value, rule string) (shape []int, err error) {
	for _, term := range strings.Fields(rule) {
		if term[0] == '<' {
			n, err := formula(args.Addr().Interface(), term)
			if err != nil {
				return nil, err
			}
			shape = append(shape, n...)
			continue
		}
		term, divisor, _ := strings.Cut(term, "/")
		name, at, one := strings.Cut(term, ".")
		if n, err := strconv.Atoi(name); err == nil {
			shape = append(shape, n)
			continue
		}
		f := args.FieldByName(name)
		if f.CanInt() {
			shape = append(shape, int(f.Int()))
			continue
		}
		dims := f.Interface().(kernels.View)
		if !one {
			shape = append(shape, dims.Shape()...)
			continue
		}
		i, _ := strconv.Atoi(at)
		if i >= dims.Rank() {
			return nil, fmt.Errorf("%s %v has no dimension %d", name, dims, i)
		}
		n := dims.Dim(i)
		if divisor == "2" {
			n /= 2
		}
		shape = append(shape, n)
	}
	return shape, nil
}

// formula works out what no rule can say.
func formula(args any, term string) ([]int, error) {
	switch a := args.(type) {
	case *kernels.Conv2DArgs:
		if a.X.Rank() != 4 || a.W.Rank() != 4 || a.Stride < 1 {
			return nil, fmt.Errorf("x %v, w %v, stride %d: want x [B, H, W, I], w [O, KH, KW, I], stride 1 or more", a.X, a.W, a.Stride)
		}
		if term == "<height>" {
			return []int{(a.X.Dim(1)+a.Pad[0]+a.Pad[2]-a.W.Dim(1))/a.Stride + 1}, nil
		}
		return []int{(a.X.Dim(2)+a.Pad[1]+a.Pad[3]-a.W.Dim(2))/a.Stride + 1}, nil
	case *kernels.MaxPoolArgs:
		if a.X.Rank() != 4 || a.Stride < 1 {
			return nil, fmt.Errorf("x %v, stride %d: want x [B, H, W, C], stride 1 or more", a.X, a.Stride)
		}
		i := 2
		if term == "<height>" {
			i = 1
		}
		return []int{(a.X.Dim(i)+2*a.Pad-a.Kernel)/a.Stride + 1}, nil
	case *kernels.GEMMArgs:
		if a.A.Rank() != 3 || a.B.Rank() != 3 {
			return nil, fmt.Errorf("a %v, b %v: want a [B, M, K], b [B, K, N]", a.A, a.B)
		}
		m, n := a.A.Dim(1), a.B.Dim(2)
		if a.TransA {
			m = a.A.Dim(2)
		}
		if a.TransB {
			n = a.B.Dim(1)
		}
		return map[string][]int{"<batch>": {max(a.A.Dim(0), a.B.Dim(0))}, "<rows>": {m}, "<columns>": {n}}[term], nil
	case *kernels.PermuteArgs:
		var shape []int
		for _, p := range a.Perm[:a.X.Rank()] {
			if p < 0 || p >= a.X.Rank() {
				return nil, fmt.Errorf("x %v, perm %v: want a permutation of x's dimensions", a.X, a.Perm)
			}
			shape = append(shape, a.X.Dim(p))
		}
		return shape, nil
	}
	return nil, fmt.Errorf("no formula for %s", term)
}
