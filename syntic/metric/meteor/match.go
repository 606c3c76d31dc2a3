package meteor

// The stages of METEOR, in its order.
const (
	exact = iota
	stem
	synonym
	paraphrase
	stages
)

// match is one way in which words of the reference and of the candidate may be aligned.
type match struct {
	ref, refLen   int32
	cand, candLen int32
	stage         int8
}

// matcher finds all matches of a candidate and a reference.
type matcher struct {
	v *vocabulary

	at        [][]match // by first word of the reference
	refCover  []int32   // by word: how many matches hold it
	candCover []int32
	key       []byte
}

func (m *matcher) find(cand, ref []int32) {
	m.at = grow(m.at[:cap(m.at)], len(ref))
	for j := range m.at {
		m.at[j] = m.at[j][:0]
	}
	m.refCover, m.candCover = zeros(m.refCover, len(ref)), zeros(m.candCover, len(cand))
	m.words(cand, ref, exact, func(a, b int32) bool { return a == b })
	if equal(cand, ref) { // METEOR looks no further then
		return
	}
	m.words(cand, ref, stem, func(a, b int32) bool { return a != b && m.v.stem[a] == m.v.stem[b] })
	m.words(cand, ref, synonym, func(a, b int32) bool { return a != b && m.v.synonyms(a, b) })
	if m.v.phrases != nil {
		m.phrases(ref, cand, true)
		m.phrases(cand, ref, false)
	}
}

func (m *matcher) words(cand, ref []int32, stage int8, same func(a, b int32) bool) {
	for j, b := range ref {
		for i, a := range cand {
			if same(a, b) {
				m.add(match{int32(j), 1, int32(i), 1, stage})
			}
		}
	}
}

func (m *matcher) add(x match) {
	m.at[x.ref] = append(m.at[x.ref], x)
	for k := range x.refLen {
		m.refCover[x.ref+k]++
	}
	for k := range x.candLen {
		m.candCover[x.cand+k]++
	}
}

// phrases finds each phrase of one side of which the other side has a paraphrase. A pair that the table holds in both directions
// counts twice, as in METEOR.
func (m *matcher) phrases(from, to []int32, fromRef bool) {
	for i := range from {
		m.key = m.key[:0]
		for n := 1; n <= maxPhrase && i+n <= len(from); n++ {
			if n > 1 {
				m.key = append(m.key, ' ')
			}
			m.key = append(m.key, m.v.words[from[i+n-1]]...)
			for _, p := range m.v.phrases[string(m.key)] {
				for j := 0; j+len(p) <= len(to); j++ {
					if !equal(to[j:j+len(p)], p) {
						continue
					}
					if fromRef {
						m.add(match{int32(i), int32(n), int32(j), int32(len(p)), paraphrase})
					} else {
						m.add(match{int32(j), int32(len(p)), int32(i), int32(n), paraphrase})
					}
				}
			}
		}
	}
}

func equal(a, b []int32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func grow[T any](s []T, n int) []T {
	for len(s) < n {
		var zero T
		s = append(s[:len(s):cap(s)], zero)
	}
	return s[:n]
}

func zeros(s []int32, n int) []int32 {
	s = grow(s[:cap(s)], n)
	clear(s)
	return s
}
