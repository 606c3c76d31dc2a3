package nn

import (
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/tensor"
)

func TestPaths(t *testing.T) {
	type block struct {
		In  *Linear    `name:"in"`
		Out *LayerNorm `name:"out"`
	}
	type net struct {
		Blocks []*block `name:"blocks"`
		Inner  block    `name:""`
		Absent *block   `name:"absent"`
		Again  *Linear  `name:"again"`
		hidden *Linear
	}
	dev := tensor.CPU()
	l := func() *Linear { return NewLinear(dev, 2, 2, true) }
	n := &net{Blocks: []*block{{In: l()}, {In: l(), Out: NewLayerNorm(dev, 2, 1e-5)}}, Inner: block{In: l()}, hidden: l()}
	n.Again = n.Blocks[0].In
	require.Equal(t, map[any]string{
		n: "", n.Blocks[0]: "blocks.0", n.Blocks[0].In: "blocks.0.in", n.Blocks[1]: "blocks.1", n.Blocks[1].In: "blocks.1.in", n.Blocks[1].Out: "blocks.1.out",
		&n.Inner: "", n.Inner.In: "in",
	}, Paths(n))
}
