// Package spice gives SPICE (Anderson et al. 2016): the F-score of the scene-graph tuples of a caption against those of its
// references. The tuples come from the authors' own program, spice-1.0.jar with Stanford CoreNLP 3.6.0, run with the user's Java
// (run.go); the arithmetic on its counts is ours (count.go). Nothing here parses a caption: without the program there is no SPICE.
package spice
