package cpu

import (
	"fmt"
	"math"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"syntic/kernels"
)

// hardBanks are banks and queries [N, D] that are hard on a bound: near-ties and duplicates, lengths from denormal to nearly infinite, terms that cancel, rows
// that are no numbers.
var hardBanks = map[string]func(r *kernels.Rand, mem, query []float32, d int){
	"unit rows": func(*kernels.Rand, []float32, []float32, int) {},
	"near ties": func(r *kernels.Rand, mem, query []float32, d int) {
		for j := d; j < len(mem); j += d { // copies of the first row, some with another last bit of one number
			copy(mem[j:j+d], mem[:d])
			if at := j + j/d%d; j/d%3 > 0 {
				mem[at] = math.Nextafter32(mem[at], float32(1-2*(j/d%2)))
			}
		}
	},
	"all lengths": func(r *kernels.Rand, mem, query []float32, d int) {
		for j := range len(mem) / d {
			f := math.Ldexp(1, (j*37)%250-140)
			for i := range d {
				mem[j*d+i] = float32(float64(mem[j*d+i]) * f)
			}
		}
		for q := range len(query) / d {
			f := math.Ldexp(1, (q*53)%250-140)
			for i := range d {
				query[q*d+i] = float32(float64(query[q*d+i]) * f)
			}
		}
	},
	"zeros and denormals": func(r *kernels.Rand, mem, query []float32, d int) {
		for j := range len(mem) / d {
			for i := range d {
				mem[j*d+i] *= []float32{0, 1e-38, 1e-42, float32(math.Copysign(0, -1)), 1}[(j+i/3)%5]
			}
		}
		for q := range len(query) / d {
			for i := range d {
				query[q*d+i] *= []float32{1, 0, 1e-39, 1e-20}[q%4]
			}
		}
	},
	"cancelling": func(r *kernels.Rand, mem, query []float32, d int) {
		for i := range mem {
			mem[i] += float32(1000 * (1 - 2*(i%2)))
		}
		for i := range query {
			query[i] = 1 + query[i]/1024
		}
	},
	"one number rules": func(r *kernels.Rand, mem, query []float32, d int) {
		for j := 0; j < len(mem); j += d {
			mem[j] = 300
		}
	},
	"no numbers": func(r *kernels.Rand, mem, query []float32, d int) {
		for j := 0; j < len(mem); j += 41 * d {
			mem[j+(j/d)%d] = []float32{float32(math.NaN()), posInf, negInf, math.MaxFloat32}[j/d/41%4]
		}
		query[0] = posInf
	},
}

// scanners are those of this machine.
func scanners() (list []*scanner) {
	list = append(list, goScan)
	for _, p := range panels {
		if p.scan != nil && p.scan.available() {
			list = append(list, p.scan)
		}
	}
	return list
}

// eachScan runs a test on every scan of every hard bank, with a bank in fewer bits and without.
func eachScan(t *testing.T, test func(t *testing.T, s *scan)) {
	for name, spoil := range hardBanks {
		for _, d := range []int{1, 36, 64, 131} {
			r := kernels.NewRand(uint64(d))
			mem, query := r.Unit(420, d), r.Unit(70, d)
			spoil(r, mem.F32(), query.F32(), d)
			for _, f := range scanners() {
				for _, format := range []kernels.DType{kernels.F32, kernels.BF16, kernels.U8} {
					p := *panels[0]
					if f == goScan || p.available != nil && !p.available() {
						p = *goPanel()
					}
					p.scan = f
					for _, n := range []int{1, 70} {
						q, none := part(query, 0, n), &kernels.View{}
						b := newBank(&p, &q, &mem, none)
						s := newScan(b, f, 20)
						if format != kernels.F32 {
							near, bounds, err := kernels.Nearby(&mem, format)
							require.NoError(t, err)
							if s = b.scanned(20, &near, &bounds); s == nil || s.near == nil {
								continue
							}
						}
						t.Run(fmt.Sprint(name, " ", d, " ", f.name, " ", format, " ", n), func(t *testing.T) { test(t, s) })
					}
				}
			}
		}
	}
}

// What is found by a scan is, to the bit, what a search in float32 finds, with rows left out and without.
func TestScanFindsWhatSearchFinds(t *testing.T) {
	eachScan(t, func(t *testing.T, s *scan) {
		for _, exclude := range []bool{false, true} {
			s.exclude = nil
			if exclude {
				s.exclude = make([]int32, s.n)
				for i := range s.exclude {
					s.exclude[i] = int32(i * 7)
				}
			}
			want := make([][]rank, s.n)
			s.search(s.k, func(q int, found []rank) { want[q] = append([]rank(nil), found...) })
			s.run(func(q int, found []rank) {
				for i, r := range found {
					if math.Float32bits(r.score) != math.Float32bits(want[q][i].score) || r.index != want[q][i].index {
						t.Errorf("query %d, place %d: row %d with %v, want row %d with %v", q, i, r.index, r.score, want[q][i].index, want[q][i].score)
						return
					}
				}
			})
		}
	})
}

// The bound holds for every row and query: where the worst score of interest is the row's own, the row is a candidate.
func TestScanBound(t *testing.T) {
	eachScan(t, func(t *testing.T, s *scan) {
		all := make([]float32, s.n*s.m)
		s.search(s.m, func(q int, found []rank) {
			for _, r := range found {
				all[q*s.m+int(r.index)] = r.score
			}
		})
		own := s.prepare()
		defer own.put()
		c := scanChunk{scan: s, nq: s.n}
		mem, norms, scores := make([]float32, memRows*s.units), make([]float32, 2*memRows), make([]float32, memRows*memQueries)
		for j := 0; j < s.m; j += memRows {
			rows := min(memRows, s.m-j)
			at := c.tile(mem, norms, j, rows)
			scales := make([]float32, rows)
			for r := range scales {
				if s.bytes {
					scales[r] = s.bounds[j+r]
				}
			}
			for q0 := 0; q0 < s.n; q0 += memQueries {
				cols := min(memQueries, s.n-q0)
				c.products(new(worker), at, scores, scales, q0, rows, round16(cols))
				for i := range cols {
					for r := range rows {
						least := c.threshold(q0+i, all[(q0+i)*s.m+j+r], c.y, c.ye)
						if scores[r*memQueries+i] < least {
							t.Fatalf("query %d, row %d: scan says %g, below %g, of a score of %g", q0+i, j+r, scores[r*memQueries+i], least, all[(q0+i)*s.m+j+r])
						}
					}
				}
			}
		}
	})
}

// The bound leaves few candidates: for unit vectors of 512 numbers it is within a small factor of the usual error.
func TestScanBoundIsOfUse(t *testing.T) {
	r := kernels.NewRand(1)
	mem, query := r.Unit(memRows, 512), r.Unit(40, 512)
	for format, most := range map[kernels.DType]float64{kernels.BF16: 0.004, kernels.U8: 0.018} {
		near, bounds, err := kernels.Nearby(&mem, format)
		require.NoError(t, err)
		p := *goPanel()
		p.scan = goScan
		s := newBank(&p, &query, &mem, &kernels.View{}).scanned(4, &near, &bounds)
		defer s.prepare().put()
		c := scanChunk{scan: s, nq: s.n}
		c.tile(nil, nil, 0, memRows)
		require.InDelta(t, 0.3, float64(c.threshold(3, 0.3, c.y, c.ye))*s.sizes[3].scale, most, "%v", format)
	}
}

// One query and many have the same scores of a bank in fewer bits, and rounding measures what it does.
func TestScanRoutines(t *testing.T) {
	for _, f := range scanners() {
		r := kernels.NewRand(4)
		const rows, d = 64, 256
		view := r.Normal(rows, d)
		x := view.F32()
		for _, width := range []int{d, 37, 1} {
			got, want := make([]float32, rows*d/2), make([]float32, rows*d/2)
			norms := make([]float32, 2*rows)
			f.round(unsafe.Pointer(&got[0]), unsafe.Pointer(&x[0]), uintptr(width), rows, unsafe.Pointer(&norms[0]))
			roundRowsGo(unsafe.Pointer(&want[0]), uintptr(4*ceilDiv(width, 2)), unsafe.Pointer(&x[0]), uintptr(4*width), uintptr(width), rows)
			for i := range want {
				require.Equal(t, math.Float32bits(want[i]), math.Float32bits(got[i]), "%s %d", f.name, i)
			}
			for i := range rows {
				length, change := 0.0, 0.0
				for _, v := range x[i*width : (i+1)*width] {
					e := float64(v) - float64(kernels.BF16ToF32(kernels.F32ToBF16(v)))
					length, change = length+float64(v)*float64(v), change+e*e
				}
				require.InEpsilon(t, length, norms[2*i], 1e-5)
				require.InEpsilon(t, change+1e-30, norms[2*i+1]+1e-30, 1e-5)
			}
		}
	}
}
