package world

import (
	"crypto/sha256"
	"fmt"
	"math"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func digest(t *testing.T, r *Renderer, d Domain, s Split, i int) [32]byte {
	sc := Sample(d, s, 3, i)
	buf := make([]byte, PixelBytes)
	for j := range buf {
		buf[j] = 0xa5 // every byte must be written
	}
	require.NoError(t, r.Render(&sc, buf))
	buf = fmt.Append(buf, sc.Captions(5), sc.Boxes())
	return sha256.Sum256(buf)
}

func TestSameBitsForAnyRendererAndWorkers(t *testing.T) {
	const n = 100
	want := make([][32]byte, n) // a fresh renderer for every scene, one after the other
	for i := range want {
		want[i] = digest(t, new(Renderer), Domain(i%2), Split(i%4), i)
	}
	assert.NotEqual(t, want[0], want[1])
	for _, workers := range []int{1, 2, 5} {
		old := runtime.GOMAXPROCS(workers)
		got := make([][32]byte, n)
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				var r Renderer // reused, in another order
				for i := n - 1 - w; i >= 0; i -= workers {
					got[i] = digest(t, &r, Domain(i%2), Split(i%4), i)
				}
			})
		}
		wg.Wait()
		runtime.GOMAXPROCS(old)
		assert.Equal(t, want, got, "workers %d", workers)
	}
	assert.Equal(t, Fingerprint(), Fingerprint())
}

func TestCleanLeavesOutNoiseOnly(t *testing.T) {
	for _, d := range Domains {
		sc := Sample(d, Train, 1, 2)
		noisy, clean := make([]uint8, PixelBytes), make([]uint8, PixelBytes)
		require.NoError(t, new(Renderer).Render(&sc, noisy))
		require.NoError(t, (&Renderer{Clean: true}).Render(&sc, clean))
		var sum, square float64
		for i := range noisy {
			e := float64(noisy[i]) - float64(clean[i])
			sum, square = sum+e, square+e*e
		}
		rms := math.Sqrt(square / PixelBytes)
		assert.InDelta(t, 0, sum/PixelBytes, .5, d)
		assert.True(t, rms > 1.5 && rms < 6, "%v: noise %.2f", d, rms)
	}
}

func TestSplitsShareNoScene(t *testing.T) {
	const n = 3000
	unseen := map[Composition]bool{} // compositions of pre-training and training
	seeds := map[uint64]bool{}
	for _, d := range Domains {
		for _, s := range []Split{Web, Train} {
			for i := range n {
				sc := Sample(d, s, uint64(s), i)
				unseen[sc.Composition()] = true
			}
		}
	}
	val := map[Composition]bool{}
	for _, d := range Domains {
		for i := range n {
			v, sc := Sample(d, Val, 1, i), Sample(d, Test, 1, i)
			assert.False(t, unseen[v.Composition()], "val %d", i)
			assert.False(t, unseen[sc.Composition()], "test %d", i)
			val[v.Composition()] = true
		}
		for i := range n {
			sc := Sample(d, Test, 2, i)
			assert.False(t, val[sc.Composition()], "test %d", i)
		}
		for _, s := range Splits { // the same seed and index in another split or domain is another scene
			for i := range 500 {
				sc := Sample(d, s, 7, i)
				assert.False(t, seeds[sc.Seed])
				seeds[sc.Seed] = true
			}
		}
	}
}

func TestSharesOfCompositions(t *testing.T) {
	var held [numSplits]int
	n := 0
	for b := range NumBackgrounds {
		for k := range NumKinds {
			for c := range NumColours {
				sc := Scene{Background: b, Things: []Thing{{Kind: k, Colour: c}}}
				n++
				for _, s := range Splits {
					if sc.Composition().Holds(s) {
						held[s]++
					}
				}
			}
		}
	}
	assert.Equal(t, held[Web], held[Train])
	assert.Equal(t, n, held[Train]+held[Val]+held[Test])
	assert.InDelta(t, .12, float64(held[Test])/float64(n), .04)
	a := Scene{Things: []Thing{{Kind: Car, Colour: Red}, {Kind: Cat, Colour: Blue}}}
	b := Scene{Domain: Crayon, Things: []Thing{{Kind: Cat, Colour: Blue, Big: true}, {Kind: Car, Colour: Red}}}
	c := Scene{Things: []Thing{{Kind: Car, Colour: Blue}, {Kind: Cat, Colour: Red}}}
	assert.Equal(t, a.Composition(), b.Composition(), "order, size and domain do not matter")
	assert.NotEqual(t, a.Composition(), c.Composition(), "colours belong to their things")
}

func TestScenesAreAsDescribed(t *testing.T) {
	const n = 4000
	var count [maxThings + 1]int
	const numKinds = int(NumKinds)
	var kinds [numKinds]int
	for i := range n {
		sc := Sample(Domain(i%2), Web, 5, i)
		require.NoError(t, sc.Validate())
		count[len(sc.Things)]++
		boxes := sc.Boxes()
		for j, th := range sc.Things {
			kinds[th.Kind]++
			assert.GreaterOrEqual(t, th.R, 10.)
			if len(sc.Things) == 1 {
				assert.GreaterOrEqual(t, th.R, 13.)
			}
			for k := range j {
				assert.NotEqual(t, sc.Things[k].Kind, th.Kind)
				a, b := boxes[j], boxes[k]
				ox := math.Min(a.CX+a.W/2, b.CX+b.W/2) - math.Max(a.CX-a.W/2, b.CX-b.W/2)
				oy := math.Min(a.CY+a.H/2, b.CY+b.H/2) - math.Max(a.CY-a.H/2, b.CY-b.H/2)
				if ox > 0 && oy > 0 {
					assert.Less(t, ox*oy, .15*math.Min(a.W*a.H, b.W*b.H), "scene %d: things overlap", i)
				}
			}
		}
	}
	assert.InDelta(t, .55, float64(count[1])/n, .04)
	assert.InDelta(t, .35, float64(count[2])/n, .04)
	for k, c := range kinds {
		assert.Greater(t, c, n/numKinds/2, Kinds[k])
	}
	assert.Len(t, DetectorKinds, numKinds/2)
	c, ok := DetectorClass(Balloon)
	assert.True(t, ok)
	assert.Equal(t, Balloon, DetectorKinds[c])
	_, ok = DetectorClass(Snail)
	assert.False(t, ok)
}

// TestBoxesAreTight draws scenes with and without one thing: the pixels that differ are the thing. In photos its shadow is among them, so
// there only the upper edge, where no shadow falls, is judged.
func TestBoxesAreTight(t *testing.T) {
	r := Renderer{Clean: true}
	with, without := make([]uint8, PixelBytes), make([]uint8, PixelBytes)
	for i := range 400 {
		sc := Sample(Domain(i%2), Train, 11, i)
		sc.Things = sc.Things[:1]
		box := sc.Boxes()[0]
		empty := sc
		empty.Things = nil
		require.NoError(t, r.Render(&sc, with))
		require.NoError(t, r.Render(&empty, without))
		x0, y0, x1, y1 := Side, Side, 0, 0
		for y := range Side {
			for x := range Side {
				at := (y*Side + x) * 3
				if with[at] != without[at] || with[at+1] != without[at+1] || with[at+2] != without[at+2] {
					x0, y0, x1, y1 = min(x0, x), min(y0, y), max(x1, x+1), max(y1, y+1)
				}
			}
		}
		const slack = 1.01 // a pixel may be covered by a third, or hardly change its colour
		assert.InDelta(t, float64(y0), (box.CY-box.H/2)*Side, slack, "scene %d %v top", i, box.Kind)
		if sc.Domain == Photo {
			continue
		}
		assert.InDelta(t, float64(x0), (box.CX-box.W/2)*Side, slack, "scene %d %v left", i, box.Kind)
		assert.InDelta(t, float64(x1), (box.CX+box.W/2)*Side, slack, "scene %d %v right", i, box.Kind)
		assert.InDelta(t, float64(y1), (box.CY+box.H/2)*Side, slack, "scene %d %v bottom", i, box.Kind)
	}
}

func TestBadInput(t *testing.T) {
	var r Renderer
	sc := Sample(Photo, Test, 1, 1)
	assert.ErrorContains(t, r.Render(&sc, make([]uint8, 5)), "want 12288")
	dst := make([]uint8, PixelBytes)
	for _, bad := range []Thing{{Kind: NumKinds, R: 12, Stretch: 1}, {Colour: NumColours, R: 12, Stretch: 1}, {R: math.NaN(), Stretch: 1},
		{R: 12, Stretch: 0}, {R: 12, Stretch: 1, X: 1e9}, {R: 1e6, Stretch: 1}, {R: 12, Stretch: 1, Tilt: math.Inf(1)}} {
		assert.ErrorContains(t, r.Render(&Scene{Things: []Thing{bad}}, dst), "thing 0")
	}
	assert.Error(t, r.Render(&Scene{Domain: numDomains}, dst))
	assert.Error(t, r.Render(&Scene{Background: NumBackgrounds}, dst))
	assert.Equal(t, make([]uint8, PixelBytes), dst, "nothing drawn")
	// At the edge of what Validate allows nothing breaks.
	for _, x := range []float64{-Side, 0, 2 * Side} {
		for d := range numDomains {
			thing := Thing{Kind: Snail, R: Side, Stretch: 3.9, X: x, Y: -x / 2, Tilt: 7}
			assert.NoError(t, r.Render(&Scene{Domain: d, Things: []Thing{thing}}, dst))
		}
	}
	_, err := Sheet(dst[:7], 1, 1)
	assert.ErrorContains(t, err, "sheet")
}

func TestRenderAllocatesNothing(t *testing.T) {
	var r Renderer
	dst, sc := make([]uint8, PixelBytes), Sample(Crayon, Train, 1, 3)
	assert.Zero(t, testing.AllocsPerRun(5, func() { _ = r.Render(&sc, dst) }))
}
