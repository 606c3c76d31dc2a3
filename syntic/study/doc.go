// Package study looks at several runs at once: it opens the folders that runs left, compares them, and does the runs of a sweep or of an ablation.
//
//   - folder.go: Folder, a run on disk; List
//   - sweep.go: Sweep, runs with other values of some keys; page.go its table, charts and report
//   - compare.go: Compare, scores side by side with paired differences; the keys that differ
package study
