// Package bench measures the engine and tells what there is to measure: every op, its variants and what this machine picks.
//
// The map:
//
//   - machine.go: [Describe], the processor, its instruction sets, the GPU
//   - list.go: [List], every op and variant, the pick at each size and the reason
//   - workload.go: [Sizes], the test sizes of an op and sizes from the models
//   - call.go, signature.go, shapes.go: [CallOp], one op on tensors from a file, by the names of its fields
//   - run.go: [Run], each variant at each size: warm-up, repeats, medians, FLOP/s, bytes/s
//   - roofline.go: [Measure] what the machine can do at most, and the share of it that a time stands for
//   - model.go, model_nets.go, model_decoder.go, model_ops.go, model_other.go: [Workloads], whole models and ops at the sizes of the method; weights.go their numbers
//   - protocol.go: [Serve] and [Process], requests to measure and their answers, the same for this engine and for others; engine.go: [MeasureModel], warm-up and samples
//   - count.go: [Count], operations and bytes of the ops that ran; memory_linux.go: resident memory
//   - record.go: [Record], a measured case, as JSON line and in Go's benchmark format; pipeline.go: [MeasurePipeline], the stages of a run
//   - peers.go, peers_table.go: [Rows], [MeasureRow], [Standings], the table of other engines; peers/ their side, in Python and Go
//   - stats.go, compare.go: [CompareRecords], what got faster; svg.go, roofline_svg.go: [Roofline], [PlotCost]
//
// Floating-point operations and bytes come from Op.Cost alone, so all variants of an op are divided by the same numbers. Benchmarks measure;
// no test asserts a time.
package bench
