// Package pipeline is a whole run of SynTIC: captions in, captions of unseen images and their scores out.
//
// The map: models.go opens CLIP, Stable Diffusion and the detector, those of the drawn world or folders · corpus.go texts and test images ·
// stages.go the stages that are planned and committed by package plan: pairs, texts, tests, refined · row.go one row of the table: a decoder
// trained and its captions · run.go [Run] · results.go scores and intervals, results.json and captions.json · page.go report.html ·
// model.go the folder that `syntic caption` opens.
//
// # Architecture
//
// A stage's output is a function of its plan: configuration, weights and earlier stages by their hashes. So finished stages are never made
// again, a changed key makes only what depends on it, and two runs of one recipe give the same bytes. Rows share everything but what their
// overrides change: synthetic pairs are made once a seed.
package pipeline
