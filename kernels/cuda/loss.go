//go:build cuda

package cuda

import (
	"unsafe"

	"syntic/kernels"
)

func init() {
	add(kernels.CrossEntropy, kernels.Variant[kernels.CrossEntropyArgs]{Name: "block_f32", Rank: 10,
		Usable: func(a *kernels.CrossEntropyArgs) bool {
			return isF32(&a.Logits, &a.Weight, &a.Loss, &a.DLogits, &a.RowLoss)
		},
		Run: crossEntropy})
	add(kernels.BoxLoss, kernels.Variant[kernels.BoxLossArgs]{Name: "thread_f32", Rank: 10,
		Usable: func(a *kernels.BoxLossArgs) bool { return isF32(&a.Pred, &a.Target, &a.L1, &a.GIoU, &a.DPred) },
		Run:    boxLoss})
}

func crossEntropy(s *kernels.Stream, a *kernels.CrossEntropyArgs) error {
	n, v := a.Logits.Dim(0), a.Logits.Dim(1)
	ws, err := workspace(s, 4*(n+1)) // the rows' shares of the loss, the sum of the weights
	if err != nil {
		return err
	}
	defer ws.free()
	total := unsafe.Add(ws.ptr, 4*n)
	if err := launch(s, "crossentropy_weights_f32", blocks(1), a.Target, a.Weight, total, int32(n), a.Ignore); err != nil {
		return err
	}
	if err := launch(s, "crossentropy_f32", blocks(n), a.Logits, a.Target, a.Weight, total, a.DLogits, a.RowLoss, ws.ptr, int32(v), a.Ignore, a.Smoothing); err != nil {
		return err
	}
	return launch(s, "sum_f64_f32", blocks(1), ws.ptr, a.Loss, int64(n), float32(1))
}

func boxLoss(s *kernels.Stream, a *kernels.BoxLossArgs) error {
	n := a.Pred.Dim(0)
	ws, err := workspace(s, 8*n)
	if err != nil {
		return err
	}
	defer ws.free()
	giou := unsafe.Add(ws.ptr, 4*n)
	if err := launch(s, "box_loss_f32", blocks(ceilDiv(n, 128)), a.Pred, a.Target, ws.ptr, giou, a.DPred, int32(n), a.WL1, a.WGIoU, a.Norm); err != nil {
		return err
	}
	if err := launch(s, "sum_f64_f32", blocks(1), ws.ptr, a.L1, int64(n), a.Norm); err != nil {
		return err
	}
	return launch(s, "sum_f64_f32", blocks(1), giou, a.GIoU, int64(n), a.Norm)
}
