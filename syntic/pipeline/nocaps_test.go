package pipeline

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/syntic/metric"
	"syntic/syntic/world"
)

// TestNoCapsOfTheDrawnWorld trains on captions of half of the kinds and scores each domain by itself, and all.
func TestNoCapsOfTheDrawnWorld(t *testing.T) {
	dir := t.TempDir()
	run := do(t, dir, tiny(t, "data.captions=world:known", "data.cross=world:nocaps", "decoder.vocabulary=full", "eval.settings=cross_domain", "eval.rows=decap,capdec", "data.test_count=40", "seeds=2"))
	require.True(t, run.Toy())
	require.Len(t, run.Results, 4)
	refs, err := metric.LoadReferences(filepath.Join(dir, "references.json"))
	require.NoError(t, err)
	results, err := metric.LoadResults(filepath.Join(dir, "captions", "cross_domain-decap-1.json"))
	require.NoError(t, err)
	groups := run.Results[0].Groups
	require.Len(t, groups, 3)
	all := 0
	for i, want := range []string{"in_domain", "near_domain", "out_domain"} {
		require.Equal(t, want, groups[i].Name)
		all += groups[i].Images
		r := &metric.References{Captions: map[metric.ImageID][]string{}}
		part := &metric.Results{}
		for k, id := range refs.IDs {
			sc := world.Sample(world.Photo, world.Test, worldSeed, k)
			known := 0
			for _, thing := range sc.Things {
				if _, ok := world.DetectorClass(thing.Kind); ok {
					known++
				}
			}
			if map[bool]string{true: "in_domain", false: map[bool]string{true: "out_domain", false: "near_domain"}[known == 0]}[known == len(sc.Things)] != want {
				continue
			}
			r.IDs = append(r.IDs, id)
			r.Captions[id] = refs.Captions[id]
			part.Rows = append(part.Rows, results.Rows[k])
		}
		report, err := metric.Evaluate(r, part, metric.Options{})
		require.NoError(t, err)
		require.Equal(t, report.Scores, groups[i].Scores)
		require.Equal(t, report.Images, groups[i].Images)
	}
	require.Equal(t, 40, all)
	g := run.Groups()
	require.Len(t, g, 1)
	require.Len(t, g[0].Rows, 2)
	require.Len(t, g[0].Head, 1+4)
	require.Equal(t, "entire, 40 images", g[0].Head[4])
	require.Contains(t, g[0].Note, "entire, which is all images scored together, is no mean of them")

	texts, err := new(files).captions("world:known", "data.captions", 300, true)
	require.NoError(t, err)
	require.Len(t, texts, 300)
	for k, name := range world.Kinds {
		_, taught := world.DetectorClass(world.Kind(k))
		said := strings.Contains(" "+strings.Join(texts, " ")+" ", " "+name+" ")
		require.Equal(t, taught, said, name)
	}
}
