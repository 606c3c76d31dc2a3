package pipeline

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"syntic/syntic"
)

// point is a line of metrics.jsonl: a step of a training or of a refinement, or a score.
type point struct {
	Kind    string `json:"kind"` // train, refine or score
	Corpus  string `json:"corpus,omitempty"`
	Setting string `json:"setting,omitempty"`
	Row     string `json:"row,omitempty"`
	Seed    int64  `json:"seed"`

	Step     int     `json:"step"`
	Epoch    float64 `json:"epoch,omitempty"`
	Loss     float64 `json:"loss,omitempty"`
	LR       float64 `json:"lr,omitempty"`
	GradNorm float64 `json:"grad_norm,omitempty"`
	Val      float64 `json:"val_loss,omitempty"`
	Recall   float64 `json:"recall,omitempty"` // of a refinement: R@1 among the negatives

	Metric string   `json:"metric,omitempty"`
	Value  *float64 `json:"value,omitempty"`
}

// points are all of them: refinements, trainings, scores.
func (f *finish) points() ([]point, error) {
	var out []point
	refined := map[string]bool{}
	for _, key := range f.l.rows {
		if name := f.l.of[key].refined(); f.l.have[name] && !refined[name] {
			refined[name] = true
			row := f.l.of[key].refinedFor()
			if err := read(f.p, name, func(x *syntic.Refined) { out = append(out, refinedPoints(key.corpus, row, key.seed, x)...) }); err != nil {
				return nil, err
			}
		}
		out = append(out, trainPoints(key, f.trained[key].Steps)...)
	}
	for _, s := range f.run.Results {
		for _, name := range s.report.Names {
			v := s.Scores[name]
			out = append(out, point{Kind: "score", Setting: s.Setting, Row: s.Row, Seed: s.Seed, Metric: name, Value: &v})
		}
	}
	return out, nil
}

// refinedPoints are those of a refinement; row is empty for that of all rows that change nothing before it.
func refinedPoints(corpus, row string, seed int64, x *syntic.Refined) (out []point) {
	for i, loss := range x.Loss {
		p := point{Kind: "refine", Corpus: corpus, Row: row, Seed: seed, Step: i, Loss: loss}
		if x.Recall != nil {
			p.Recall = x.Recall[i]
		}
		out = append(out, p)
	}
	return out
}

// trainPoints are those of steps of a training.
func trainPoints(key rowKey, steps []syntic.TrainStep) []point {
	out := make([]point, len(steps))
	for i, s := range steps {
		out[i] = point{Kind: "train", Corpus: key.corpus, Row: key.row, Seed: key.seed, Step: s.Step, Epoch: s.Epoch, Loss: s.Loss, LR: s.LR, GradNorm: s.GradNorm, Val: s.Val}
	}
	return out
}

// metrics writes metrics.jsonl in its final order, which is that of the table, and event files of TensorBoard where they are asked for.
func (f *finish) metrics() error {
	points, err := f.points()
	if err != nil {
		return err
	}
	text, err := jsonLines(points)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(f.dir, metricsName), func(w io.Writer) error { _, err := w.Write(text); return err }); err != nil || !f.board {
		return err
	}
	return writeBoard(f.dir, points)
}

// SumsName is the file of the SHA-256 of a finished run's files, as sha256sum writes and checks it. It is written last: a folder without it is of a
// run under way, or of one that was stopped.
const SumsName = "SHA256SUMS"

// writeSums writes SHA256SUMS of what a run leaves for people and for other programs. Stages have their own records, and the drawn world's models
// are part of the program.
func writeSums(dir string) error {
	var lines []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if slices.Contains([]string{stagesName, "models", "tensorboard"}, rel) {
				return fs.SkipDir
			}
			return nil
		}
		if rel == SumsName || rel == eventsName || strings.HasPrefix(d.Name(), ".") || !d.Type().IsRegular() {
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("%x  %s\n", h.Sum(nil), rel))
		return nil
	})
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, SumsName), func(w io.Writer) error { _, err := io.WriteString(w, strings.Join(lines, "")); return err })
}
