// Package gorgonia runs this project's kernels inside a context of gorgonia.org/cu, on its device memory:
//
//	ctx := cu.NewContext(cu.Device(0), cu.SchedAuto)
//	bridge, err := gorgonia.New(ctx)
//	err = bridge.Do(func(s *kernels.Stream) error {
//		return kernels.GEMM.Run(s, &kernels.GEMMArgs{A: gorgonia.View(a, kernels.F32, 1, m, k), …})
//	})
//
// It is a module of its own (tag cuda), so that the project itself depends neither on cu nor on what cu's go.mod names. cu v0.9.6 needs cuda.h of CUDA 12
// (it does not compile with that of 13) and links libcuda; its init ends the process where there is no driver.
//
// # Tests
//
// test.sh FOLDER-OF-CUDA.H runs them on the emulator of kernels/cuda/emu: cu itself is then linked and started against the emulated libcuda.so.1, so what
// is shown is Go → cu → context → bridge → kernel → cu's copies. The emulator's contexts share their memory and kernels: that images and memory belong to
// the right one of several contexts only a GPU can show. With a driver, go test -tags cuda alone does the same on a GPU; none has run it yet.
package gorgonia
