package metric

// Metric is one way to score a corpus from its words alone. METEOR (package meteor), SPICE (spice) and CLIPScore (clipscore) need
// more and are added to a report where that is at hand.
type Metric interface {
	// Names are the scores it gives, named as in pycocoevalcap.
	Names() []string
	// Score gives, for each name, the score of the corpus and that of each image [N].
	Score(c *Corpus) (corpus []float64, perImage [][]float64)
}

// metrics is the table of all metrics, in the order in which they are reported.
var metrics = []Metric{bleu{}, rougeL{}, ciderD{}}

// Names lists the scores that every report holds, in order.
func Names() []string {
	var names []string
	for _, m := range metrics {
		names = append(names, m.Names()...)
	}
	return names
}

type bleu struct{}

func (bleu) Names() []string { return []string{"Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4"} }

func (bleu) Score(c *Corpus) ([]float64, [][]float64) {
	stats, perImage := c.BLEUStats(), make([][]float64, maxN)
	for n := range perImage {
		perImage[n] = make([]float64, len(stats))
	}
	var sum BLEUStats
	for i := range stats {
		sum.Add(&stats[i])
		for n, v := range stats[i].Score() {
			perImage[n][i] = v
		}
	}
	total := sum.Score()
	return total[:], perImage
}

type rougeL struct{}

func (rougeL) Names() []string { return []string{"ROUGE_L"} }

func (rougeL) Score(c *Corpus) ([]float64, [][]float64) {
	s := c.ROUGEL()
	return []float64{mean(s)}, [][]float64{s}
}

type ciderD struct{}

func (ciderD) Names() []string { return []string{"CIDEr"} }

func (ciderD) Score(c *Corpus) ([]float64, [][]float64) {
	s := c.CIDEr()
	return []float64{mean(s)}, [][]float64{s}
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}
