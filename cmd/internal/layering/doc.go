// Package layering holds the test that keeps the layers apart: which package may import which, and where libraries may appear.
// The rules are a table in layering_test.go.
package layering
