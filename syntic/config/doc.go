// Package config holds recipes: every choice of a run as one typed, checked value.
//
// A Recipe starts from the defaults, takes a preset, then a YAML file, then overrides of the form a.b=c, and remembers
// where each value came from. Keys that do not exist, values of the wrong type and values out of range are errors that
// name file, line and column and say what would be right.
//
//   - recipe.go: Recipe and its sections; the doc tags are the manual of the keys
//   - defaults.go: the default of every key, and where the number comes from
//   - reasons.go: the same in a line a key
//   - load.go: Load: presets, files, overrides
//   - schema.go: the walk over all keys; reading a scalar into a field
//   - validate.go: ranges and combinations
//   - lock.go: recipe.lock.yaml, every value with its origin
//   - sweep.go: axes and points of a sweep; how recipes differ
//   - bring.go: what to get for the files that presets name
//   - open.go: the keys that the paper leaves open
//   - rows.go: rows of the table as overrides; table.go: all of them
package config
