package world

import (
	"flag"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

var sheetDir = flag.String("sheets", "", "write contact sheets of the world into this `directory`")

// TestSheets writes what a person should look at after changing a drawing: go test ./syntic/world -run Sheets -sheets DIR
func TestSheets(t *testing.T) {
	dir := *sheetDir
	if dir == "" {
		dir = t.TempDir()
	}
	var r Renderer
	for _, d := range Domains {
		var kinds, scenes, small []uint8
		one := func(all []uint8, sc Scene) []uint8 {
			pix := make([]uint8, PixelBytes)
			require.NoError(t, r.Render(&sc, pix))
			return append(all, pix...)
		}
		for k := range NumKinds {
			for j := range 2 {
				sc := Scene{Domain: d, Background: Background((int(k) + 3*j) % int(NumBackgrounds)), Seed: uint64(k)*7 + uint64(j),
					Things: []Thing{{Kind: k, Colour: Colour((int(k)*3 + j*5) % int(NumColours)), Big: true, X: 32, Y: 34, R: 23, Stretch: 1}}}
				kinds = one(kinds, sc)
				sc.Things[0].R, sc.Things[0].Mirror = 11, true
				small = one(small, sc)
			}
		}
		for i := range 48 {
			scenes = one(scenes, Sample(d, Train, 1, i))
		}
		for name, pix := range map[string][]uint8{"kinds": kinds, "small": small, "scenes": scenes} {
			img, err := Sheet(pix, 8, 3)
			require.NoError(t, err)
			f, err := os.Create(filepath.Join(dir, d.String()+"-"+name+".png"))
			require.NoError(t, err)
			require.NoError(t, png.Encode(f, img))
			require.NoError(t, f.Close())
		}
	}
}

func BenchmarkRender(b *testing.B) {
	for _, d := range Domains {
		b.Run(d.String(), func(b *testing.B) {
			var r Renderer
			dst := make([]uint8, PixelBytes)
			scenes := make([]Scene, 64)
			for i := range scenes {
				scenes[i] = Sample(d, Web, 1, i)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := r.Render(&scenes[i%len(scenes)], dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
