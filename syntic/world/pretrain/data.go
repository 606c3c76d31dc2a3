package pretrain

import (
	"runtime"
	"sync"

	"syntic/syntic/world"
	"syntic/tensor"
)

// sceneSeed is the seed of the scenes that models are trained on; part of the recipe of the committed weights.
const sceneSeed = 2312

// crayonShare is one in so many scenes: the second domain is learnt too, as web data hold more than one style.
const crayonShare = 5

// Batch is a batch of drawn scenes.
type Batch struct {
	Scenes   []world.Scene
	Captions []string // one a scene
	Pixels   []uint8  // [B, 64, 64, 3]
}

// domainOf mixes the domains by index.
func domainOf(i int) world.Domain {
	if i%crayonShare == crayonShare-1 {
		return world.Crayon
	}
	return world.Photo
}

// source draws batches ahead of their use.
type source struct {
	size, step int
	degrade    bool // blur, scale and noise half of the pictures, for the detector
	domain     func(i int) world.Domain
	next       chan *Batch
}

func newSource(size, step int, degrade bool, domain func(i int) world.Domain) *source {
	s := &source{size: size, step: step, degrade: degrade, domain: domain, next: make(chan *Batch, 1)}
	s.draw()
	return s
}

func (s *source) draw() {
	from := s.step * s.size
	s.step++
	go func() { s.next <- drawBatch(world.Web, sceneSeed, from, s.size, s.degrade, s.domain) }()
}

// batch is the next one.
func (s *source) batch() *Batch {
	b := <-s.next
	s.draw()
	return b
}

// drawBatch draws scenes from..from+n-1 of a split with one caption each.
func drawBatch(split world.Split, seed uint64, from, n int, degrade bool, domain func(i int) world.Domain) *Batch {
	b := &Batch{Scenes: make([]world.Scene, n), Captions: make([]string, n), Pixels: make([]uint8, n*world.PixelBytes)}
	var wg sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), n)
	for w := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var r world.Renderer
			var g world.Degrader
			for j := w; j < n; j += workers {
				i := from + j
				sc := world.Sample(domain(i), split, seed, i)
				pix := b.Pixels[j*world.PixelBytes : (j+1)*world.PixelBytes]
				if err := r.Render(&sc, pix); err != nil {
					panic(err) // a sampled scene is always in range
				}
				if degrade && i%2 == 0 {
					if err := g.Degrade(sc.Seed, pix); err != nil {
						panic(err)
					}
				}
				b.Scenes[j], b.Captions[j] = sc, sc.Caption(i%5)
			}
		}()
	}
	wg.Wait()
	return b
}

// signed makes pictures of bytes: [B, 64, 64, 3] in -1..1, as the VAE wants them.
func signed(s *tensor.Scope, pix []uint8) *tensor.Tensor {
	x := make([]float32, len(pix))
	for i, p := range pix {
		x[i] = float32(p)/127.5 - 1
	}
	return s.FromFloat32s(x, len(pix)/world.PixelBytes, world.Side, world.Side, 3)
}

// normalised makes pictures of bytes as an image tower wants them: (x/255 − mean)/std by channel, [B, 64, 64, 3].
func normalised[F float32 | float64](s *tensor.Scope, pix []uint8, mean, std [3]F) *tensor.Tensor {
	var table [3][256]float32
	for c := range table {
		for v := range table[c] {
			table[c][v] = float32((float64(v)/255 - float64(mean[c])) / float64(std[c]))
		}
	}
	x := make([]float32, len(pix))
	for i, p := range pix {
		x[i] = table[i%3][p]
	}
	return s.FromFloat32s(x, len(pix)/world.PixelBytes, world.Side, world.Side, 3)
}

// pictures cuts the bytes of a batch into pictures.
func pictures(pix []uint8) [][]uint8 {
	list := make([][]uint8, len(pix)/world.PixelBytes)
	for i := range list {
		list[i] = pix[i*world.PixelBytes : (i+1)*world.PixelBytes]
	}
	return list
}
