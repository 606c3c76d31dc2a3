// Package meteor scores captions as METEOR 1.5 does for English (Denkowski and Lavie, "Meteor Universal", WMT 2014), with the task and
// options that pycocoevalcap uses (-l en -norm): equal to the program's 23 counts of each image, so to its scores up to rounding.
//
// New reads a corpus, Images gives the counts of each image, Stats.Score the score of an image or, summed with Add, of the corpus.
//
// The way of a caption: normalize.go makes words; stem.go and wordnet.go say which are alike; paraphrase.go reads the user's own
// paraphrase table and keeps what may occur; match.go finds all matches and align.go the best set of them; stats.go counts and
// scores. WordNet 3.0 is embedded with its licence (folder wordnet); METEOR's paraphrase table is not, and without it the score is
// not METEOR 1.5: Stages tells which stages ran.
//
// Written from the papers and by trying inputs on the program; the order in which its search weighs alignments, with its rounding
// and its way to charge distances, is taken over as a fact, for the counts depend on it.
package meteor
