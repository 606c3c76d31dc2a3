package bench

import (
	"fmt"
	"strconv"

	"syntic/kernels"
	"syntic/tensor"
)

// shape names a size: a letter and a number, such as b32, and so on.
func shape(parts ...any) string {
	name := ""
	for i := 0; i+1 < len(parts); i += 2 {
		name += parts[i].(string) + strconv.Itoa(parts[i+1].(int))
	}
	return name
}

const (
	features = 512    // of CLIP's joint space
	bankRows = 567000 // the captions of COCO's training split
	topK     = 64
)

// attentions are B, H, N, M, D of the attention layers of the models, and whether they are causal.
var attentions = []struct {
	name          string
	b, h, n, m, d int
	causal, train bool
}{
	{"sd64", 2, 8, 4096, 4096, 40, false, true},
	{"sd32", 2, 8, 1024, 1024, 80, false, true},
	{"sd16", 2, 8, 256, 256, 160, false, false},
	{"cross64", 2, 8, 4096, 77, 40, false, true},
	{"vae", 1, 1, 4096, 4096, 512, false, false},
	{"detr", 1, 8, 850, 850, 32, false, false},
	{"clip-image", 32, 12, 50, 50, 64, false, true},
	{"clip-text", 64, 8, 77, 77, 64, true, false},
	{"decoder", 80, 4, 40, 40, 128, true, true},
}

// products are M, N, K of x [M, K] · wᵀ [N, K] for weights w: a square one, CLIP's layers for 32 images, for one image and for one text, and
// the matrices that Stable Diffusion's 3×3 convolutions stand for.
var products = [][3]int{
	{1024, 1024, 1024}, {4096, 4096, 4096}, {1600, 3072, 768}, {1600, 768, 3072}, {1600, 768, 768}, {50, 3072, 768}, {50, 768, 768}, {77, 3072, 768},
	{77, 2048, 512}, {77, 512, 512}, {4096, 320, 2880}, {1024, 640, 5760}, {256, 1280, 11520},
}

// opWorkloads are single ops at the sizes at which the method and the models need them.
func opWorkloads() (list []Workload) {
	add := func(name, shape, unit string, items int, make func(w *Work)) {
		list = append(list, inBoth(Workload{Name: name, Shape: shape, Items: float64(items), Unit: unit, Kind: "op", make: make})...)
	}
	for _, p := range products {
		add("gemm", fmt.Sprintf("%dx%dx%d", p[0], p[1], p[2]), "product", 1, func(w *Work) { product(w, p[0], p[1], p[2]) })
	}
	for _, a := range attentions {
		add("attention", a.name, "call", 1, func(w *Work) { attend(w, a.b, a.h, a.n, a.m, a.d, a.causal, false) })
		if a.train {
			add("attention-train", a.name, "call", 1, func(w *Work) { attend(w, a.b, a.h, a.n, a.m, a.d, a.causal, true) })
		}
	}
	for n := 512; n <= 16384; n *= 2 {
		add("infonce", shape("n", n), "row", n, func(w *Work) { infoNCE(w, n) })
	}
	for _, q := range []int{1, 256} {
		for m := bankRows / 32; m <= bankRows; m *= 2 {
			size := shape("q", q)
			if m < bankRows/2+bankRows/4 {
				size = shape("q", q, "m", m)
			} else {
				m = bankRows
			}
			add("project", size, "query", q, func(w *Work) { project(w, q, m) })
			add("topk", size, "query", q, func(w *Work) { nearest(w, q, m) })
			if m < bankRows {
				continue
			}
			for _, scan := range []struct {
				name   string
				format tensor.DType
			}{{"topk-bf16-scan", tensor.BF16}, {"topk-int8-scan", kernels.U8}} {
				add(scan.name, size, "query", q, func(w *Work) { nearestBy(w, q, m, scan.format) })
			}
		}
	}
	return list
}

func product(w *Work, m, n, k int) {
	x, weight := frozen(w.dev, numbers(m*k, 1, 1), InF32, m, k), frozen(w.dev, numbers(n*k, 2, 1), w.DType, n, k)
	w.each(func(s *tensor.Scope) { s.Linear(x, weight, nil) })
}

func attend(w *Work, b, h, n, m, d int, causal, train bool) {
	of := func(rows int, stream uint64) *tensor.Tensor {
		t := frozen(w.dev, numbers(b*rows*h*d, stream, 1.7), InF32, b, rows, h, d)
		t.SetTrainable(train)
		return t
	}
	q, k, v, weight := of(n, 1), of(m, 2), of(m, 3), of(n, 4)
	weight.SetTrainable(false)
	o := tensor.AttentionOptions{Causal: causal}
	if !train {
		w.each(func(s *tensor.Scope) { s.Attention(q, k, v, o) })
		return
	}
	w.each(func(s *tensor.Scope) { // the loss's own gradient is weight: two passes over the result
		s.Backward(s.SumAll(s.Mul(s.Attention(q, k, v, o), weight)))
	}, tensor.WithTape())
}

// infoNCE is CLIP's loss of n pairs of unit vectors and its gradients with respect to both.
func infoNCE(w *Work, n int) {
	x, y := frozen(w.dev, units(n, features, 1), InF32, n, features), frozen(w.dev, units(n, features, 2), InF32, n, features)
	x.SetTrainable(true)
	y.SetTrainable(true)
	scale := tensor.Scalar(w.dev, 50)
	w.onClose(scale.Release)
	w.each(func(s *tensor.Scope) { s.Backward(s.InfoNCE(x, y, scale, tensor.InfoNCEOptions{})) }, tensor.WithTape())
}

// bank is m unit vectors as a memory of the method holds them.
func bank(w *Work, m int) *tensor.Tensor {
	return frozen(w.dev, units(m, features, 1), w.DType, m, features)
}

func queries(w *Work, q int) *tensor.Tensor {
	return frozen(w.dev, units(q, features, 2), InF32, q, features)
}

func project(w *Work, q, m int) {
	mem, query := bank(w, m), queries(w, q)
	w.each(func(s *tensor.Scope) { s.ProjectTopK(query, mem, 0, 0.01) })
}

func nearest(w *Work, q, m int) {
	mem, query := bank(w, m), queries(w, q)
	w.each(func(s *tensor.Scope) { s.TopK(query, mem, topK) })
}

// nearestBy is nearest with the bank in fewer bits beside it, which were made once.
func nearestBy(w *Work, q, m int, format tensor.DType) {
	mem, query := bank(w, m), queries(w, q)
	mem.KeepNearby(format)
	w.each(func(s *tensor.Scope) { s.TopK(query, mem, topK) })
}
