// Package plan divides long work into shards that are complete or absent, whatever kills the process.
//
//   - progress.go: the interface through which libraries tell how far they are
package plan
