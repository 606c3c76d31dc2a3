// Package geometry measures where features lie, for the figures of a report: how far the means of two kinds are apart, cosines of pairs, the plane of
// largest variance, and how many texts of a memory share a projection. All sums run in the order of rows, so the same features give the same bits
// whatever the number of processors.
//
//   - rows.go: unit rows, means, distances, cosines, histograms
//   - plane.go: [Principal], the first two principal components
//   - weights.go: weights over a memory, their share and effective number
package geometry
