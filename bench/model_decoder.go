package bench

import (
	"context"
	"fmt"
	"math"

	"syntic/nn"
	"syntic/syntic"
	"syntic/syntic/config"
	"syntic/tensor"
)

// decoderWorkloads are training steps of the paper's decoder with CLIP's whole vocabulary: 4 layers, 4 heads, width 512, 80 captions of 40 tokens, AdamW, no
// dropout; and the vocabulary head alone, forward and backward.
func decoderWorkloads() []Workload {
	list := inBoth(Workload{Name: "decoder-train", Shape: "b80t40", Items: 80 * 40, Unit: "token", Kind: "model", make: decoderStep})
	return append(list, inBoth(Workload{Name: "vocabulary-head", Shape: "t3200", Items: 3200, Unit: "token", Kind: "op", make: vocabularyHead})...)
}

const vocabulary = 49408

func decoderStep(w *Work) {
	const batch, tokens = 80, 40
	d := must(syntic.NewDecoder(w.dev, syntic.Shape{Features: features, Width: 512, Layers: 4, Heads: 4, FFN: 2048, Positions: tokens, Layout: "tokens"},
		syntic.FullVocabulary(vocabulary, eos), nn.InitStd, 1))
	w.onClose(d.Release)
	x := &syntic.Examples{Features: units(batch, features, 1)}
	for i := range batch {
		caption := make([]int32, tokens-1) // the feature stands first, the end is predicted last
		for j := range caption {
			caption[j] = int32((i*7919 + j*104729) % bos)
		}
		x.Captions = append(x.Captions, caption)
	}
	o := syntic.TrainOptions{Train: config.Train{Epochs: math.MaxInt32, Batch: batch, LR: 1e-4, Schedule: "constant", WeightDecay: 0.01, ClipNorm: 1}, MaxLength: tokens}
	// One training goes on for as long as there are calls: each is a pass over the one batch, behind which Watch waits for the next.
	ctx, stop := context.WithCancel(context.Background())
	next, done := make(chan struct{}), make(chan error, 1)
	o.Watch = func() (float64, error) {
		done <- nil
		select {
		case <-next:
			return 0, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	begun, ended := false, make(chan struct{})
	w.onClose(func() {
		stop()
		if begun {
			<-ended
		}
	})
	w.call = func() error {
		if begun {
			next <- struct{}{}
			return <-done
		}
		begun = true
		go func() {
			defer close(ended)
			if _, err := d.Train(ctx, x, o, nil); ctx.Err() == nil {
				done <- fmt.Errorf("the training ended: %w", err)
			}
		}()
		return <-done
	}
}

func vocabularyHead(w *Work) {
	const rows = 3200
	x, table := frozen(w.dev, numbers(rows*512, 1, 1), InF32, rows, 512), frozen(w.dev, numbers(vocabulary*512, 2, 0.05), InF32, vocabulary, 512)
	x.SetTrainable(true)
	table.SetTrainable(true)
	target := make([]int32, rows)
	for i := range target {
		target[i] = int32(i * 104729 % vocabulary)
	}
	w.each(func(s *tensor.Scope) {
		s.Backward(s.LinearCrossEntropy(x, table, nil, s.FromInt32s(target, rows), tensor.CrossEntropyOptions{}))
	}, tensor.WithTape())
}
