// Package metric scores captions against references: BLEU-1 to BLEU-4, METEOR, ROUGE-L and CIDEr-D, equal to pycocoevalcap, and
// compares two systems. LoadReferences, LoadResults and Evaluate are the way in; EvaluateSet takes captions that are tokenised already.
//
// The way of a caption: coco.go reads references and results; tokenize.go and lexer*.go make words of them;
// set.go turns words into integers and ngram.go n-grams (one table, counted once for all metrics); bleu.go, rouge.go and
// cider.go score; metric.go lists the metrics that need words alone; evaluate.go runs the whole; report.go writes; bootstrap.go
// gives intervals and compare.go differences with p-values.
//
// Packages: meteor, METEOR 1.5; spice, the user's own SPICE program and the arithmetic on its counts; clipscore, CLIPScore on CLIP
// features.
//
// All results are the same bits for any number of workers: work is split into fixed parts, and sums run in the order of images.
package metric
