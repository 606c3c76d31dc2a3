// Package pipeline is a whole run of SynTIC: captions in, captions of unseen images and their scores out.
//
// The map: run.go [Do] · layout.go settings, rows and the stages of a run · corpus.go texts · images.go test images, drawn or pictures of the user · models.go opens CLIP, Stable
// Diffusion and the detector, those of the drawn world or folders · paint.go texts to images · stages.go the stages that all rows share: pairs,
// texts, test images, refined features · row.go the stages of one row of the table: training, captions · shards.go what stages write and read ·
// decoder.go a decoder as bytes · results.go scores and intervals, results.json and captions.json · page.go report.html · model.go the folder
// that `syntic caption` opens.
//
// # Architecture
//
// A stage's output is a function of its plan: configuration, weights and earlier stages by their hashes. So finished stages are never made
// again, a changed key makes only what depends on it, and two runs of one recipe give the same bytes. Rows share everything but what their
// overrides change: synthetic pairs are made once a seed. A row's stages name the keys that the row looks at and no others, so that a new
// refine.lr leaves rows without refinement alone, and new decode.beams leave all decoders.
package pipeline
