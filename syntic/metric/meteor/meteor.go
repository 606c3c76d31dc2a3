package meteor

import (
	"strings"

	"syntic/syntic/metric/internal/work"
)

// functionWords are the English words more frequent than 1 in 1,000 in the text of METEOR 1.5 (Denkowski and Lavie 2014, section 2.1).
var functionWords = wordSet(`the , . to of and a in that for " is on 's it with was as said at he by be from have has are his but an this not
	i will ’ they ) -rrb- ( -lrb- who their had we which were been more or s its would about new one after you : also up when there than $ all
	out her people she year two - can if last first “ over other ” into some what so -- no time years could ? 't — '`)

func wordSet(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// Options of New.
type Options struct {
	// Paraphrases is where METEOR's paraphrase table lies: paraphrase-en.gz, the folder that holds it, or meteor-1.5.jar with the
	// table in it or beside it. Empty leaves out the paraphrase stage; the score is then no METEOR 1.5.
	Paraphrases string
}

// vocabulary holds what is known of each word, by id.
type vocabulary struct {
	ids      map[string]int32
	words    []string
	stem     []int32
	sets     [][]int32 // synonym sets, ascending
	marks    []uint64  // a bit for each set, so that most pairs of words are told apart at once
	function []bool
	phrases  phraseTable
}

// Scorer scores the candidates of a corpus. It is safe for use by several goroutines.
type Scorer struct {
	v     vocabulary
	cands [][]int32   // [N]
	refs  [][][]int32 // [N][1 or more]
}

// New reads candidates [N] and references [N][1 or more], tokenised lines as pycocoevalcap gives them to METEOR. It returns an
// error if the paraphrase table cannot be read.
func New(cands []string, refs [][]string, o Options) (*Scorer, error) {
	s := &Scorer{cands: make([][]int32, len(cands)), refs: make([][][]int32, len(refs))}
	s.v.ids = map[string]int32{}
	words := normalizeAll(cands, refs)
	candFilter, refFilter := newFilter(), newFilter()
	for i := range cands {
		s.cands[i] = s.v.intern(words[i][0])
		candFilter.addPhrases(words[i][0])
		for _, w := range words[i][1:] {
			s.refs[i] = append(s.refs[i], s.v.intern(w))
			refFilter.addPhrases(w)
		}
	}
	s.v.describe()
	if o.Paraphrases != "" {
		pairs, err := loadPairs(o.Paraphrases, candFilter, refFilter)
		if err != nil {
			return nil, err
		}
		s.v.setPairs(pairs)
	}
	return s, nil
}

// normalizeAll gives for each image the words of the candidate and of the references.
func normalizeAll(cands []string, refs [][]string) [][][]string {
	words := make([][][]string, len(cands))
	work.Chunks(len(cands), 64, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			// pycocoevalcap's care for METEOR's protocol
			cand := strings.ReplaceAll(strings.ReplaceAll(cands[i], "|||", ""), "  ", " ")
			words[i] = append(words[i], Normalize(cand))
			for _, r := range refs[i] {
				words[i] = append(words[i], Normalize(r))
			}
		}
	})
	return words
}

func (v *vocabulary) intern(words []string) []int32 {
	ids := make([]int32, len(words))
	for i, w := range words {
		id, ok := v.ids[w]
		if !ok {
			id = int32(len(v.words))
			w = strings.Clone(w)
			v.ids[w], v.words = id, append(v.words, w)
		}
		ids[i] = id
	}
	return ids
}

// describe finds stems, synonym sets and function words.
func (v *vocabulary) describe() {
	n := len(v.words)
	v.stem, v.sets, v.marks, v.function = make([]int32, n), make([][]int32, n), make([]uint64, n), make([]bool, n)
	lexicon := loadLexicon()
	stems := make([]string, n)
	work.Chunks(n, 256, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			w := v.words[i]
			stems[i], v.sets[i], v.function[i] = Stem(w), lexicon.synonymSets(w), functionWords[w]
			for _, set := range v.sets[i] {
				v.marks[i] |= 1 << (uint32(set) % 64)
			}
		}
	})
	ids := make(map[string]int32, n)
	for i, s := range stems {
		id, ok := ids[s]
		if !ok {
			id = int32(i)
			ids[s] = id
		}
		v.stem[i] = id
	}
}

func (v *vocabulary) synonyms(a, b int32) bool {
	if v.marks[a]&v.marks[b] == 0 {
		return false
	}
	x, y := v.sets[a], v.sets[b]
	for len(x) > 0 && len(y) > 0 {
		switch {
		case x[0] == y[0]:
			return true
		case x[0] < y[0]:
			x = x[1:]
		default:
			y = y[1:]
		}
	}
	return false
}

func (v *vocabulary) setPairs(pairs []pair) {
	v.phrases = phraseTable{}
	for _, p := range pairs {
		var b phrase
		for w := range strings.SplitSeq(p.b, " ") {
			id, ok := v.ids[w]
			if !ok {
				id = -1
			}
			b = append(b, id)
		}
		v.phrases[p.a] = append(v.phrases[p.a], b)
	}
}

// Stages names the stages that run.
func (s *Scorer) Stages() []string {
	names := []string{"exact", "stem", "synonym", "paraphrase"}
	if s.v.phrases == nil {
		return names[:paraphrase]
	}
	return names
}

// Images gives the counts of each image [N], those of the reference that scores best; of equal ones the first.
func (s *Scorer) Images() []Stats {
	stats := make([]Stats, len(s.cands))
	work.Chunks(len(stats), 32, func(lo, hi int) {
		a := &aligner{matcher: matcher{v: &s.v}}
		for i := lo; i < hi; i++ {
			best := -1.0
			for _, ref := range s.refs[i] {
				x := a.count(s.cands[i], ref)
				if score := x.Score(); score > best {
					stats[i], best = x, score
				}
			}
		}
	})
	return stats
}

// count aligns a candidate and a reference and counts what is matched.
func (a *aligner) count(cand, ref []int32) Stats {
	s := Stats{Cand: len(cand), Ref: len(ref)}
	for _, w := range cand {
		s.CandFunction += a.v.isFunction(w)
	}
	for _, w := range ref {
		s.RefFunction += a.v.isFunction(w)
	}
	var last *match
	picks := a.alignment(cand, ref)
	for k := range picks {
		m := &picks[k]
		c := &s.Stage[m.stage]
		for _, w := range cand[m.cand : m.cand+m.candLen] {
			f := a.v.isFunction(w)
			c.CandFunction, c.CandContent = c.CandFunction+f, c.CandContent+1-f
		}
		for _, w := range ref[m.ref : m.ref+m.refLen] {
			f := a.v.isFunction(w)
			c.RefFunction, c.RefContent = c.RefFunction+f, c.RefContent+1-f
		}
		s.CandMatches, s.RefMatches = s.CandMatches+int(m.candLen), s.RefMatches+int(m.refLen)
		if last == nil || m.ref != last.ref+last.refLen || m.cand != last.cand+last.candLen {
			s.Chunks++
		}
		last = m
	}
	return s
}

func (v *vocabulary) isFunction(w int32) int {
	if v.function[w] {
		return 1
	}
	return 0
}
