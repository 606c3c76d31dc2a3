// Package src holds the kernels' sources: *.cu, compiled to ../image, and the headers that they include, which a binary carries for sources that are
// compiled at run time (SYNTIC_KERNEL_DIR).
package src

import "embed"

// Headers are the *.cuh.
//
//go:embed *.cuh
var Headers embed.FS
