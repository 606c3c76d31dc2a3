package metric

import "testing"

// benchSet is 5,000 images with five references each: real captions, as often as needed.
func benchSet(b *testing.B) *Set {
	all, _ := goldenSet(b, "coco_karpathy_test_magic")
	s := &Set{}
	for i := range 5000 {
		s.Cands = append(s.Cands, all.Cands[i%len(all.Cands)])
		s.Refs = append(s.Refs, all.Refs[i*7%len(all.Refs)])
	}
	return s
}

func BenchmarkIndex5000(b *testing.B) {
	s := benchSet(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Index(s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMetric5000(b *testing.B) {
	c, err := Index(benchSet(b))
	if err != nil {
		b.Fatal(err)
	}
	for _, m := range metrics {
		b.Run(m.Names()[0], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Score(c)
			}
		})
	}
}

// BenchmarkTokenize25000 reads as many captions as 5,000 images have.
func BenchmarkTokenize25000(b *testing.B) {
	refs, err := LoadReferences("testdata/coco_val2014_fakecap_full/annotations.json.gz")
	if err != nil {
		b.Fatal(err)
	}
	var lines []string
	for len(lines) < 25000 {
		for _, id := range refs.IDs {
			lines = append(lines, refs.Captions[id]...)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		Tokenize(lines[:25000])
	}
}
