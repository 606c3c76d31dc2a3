// Package pipeline is a whole run of SynTIC: captions in, captions of unseen images and their scores out.
//
// The map: run.go [Do] · layout.go settings, rows and the stages of a run · corpus.go texts · images.go test images, drawn or pictures of the user · models.go opens CLIP, Stable
// Diffusion and the detector, those of the drawn world or folders · paint.go texts to images · stages.go the stages that all rows share: pairs and
// texts; samples.go pairs into samples, re-mapped and refined; rows that change a key of theirs have stages of their own · row.go the stages of one
// row of the table: training, captions · examples.go what a row trains on · sight.go the decoder's context of images: tags and retrieved texts ·
// vocabulary.go names that tags can have · shards.go what stages write and read · decoder.go a decoder as bytes · swap.go another memory for a model · results.go scores and intervals, results.json and captions.json · page.go, grids.go, unseen.go, figures.go report.html ·
// card.go CARD.md · metrics.go what metrics.jsonl holds, SHA256SUMS · recorder.go writes it, and TensorBoard's files, as training goes · events.go the diary of a folder · estimate.go, probe.go what a run will
// take, before it begins · missing.go files that are not there · model.go the folder
// that `syntic caption` opens.
//
// # Architecture
//
// A stage's output is a function of its plan: configuration, weights and earlier stages by their hashes. So finished stages are never made
// again, a changed key makes only what depends on it, and two runs of one recipe give the same bytes. Rows share everything but what their
// overrides change: synthetic pairs are made once a seed. A row's stages name the keys that the row looks at and no others, so that a new
// refine.lr leaves rows without refinement alone, and new decode.beams leave all decoders.
package pipeline
