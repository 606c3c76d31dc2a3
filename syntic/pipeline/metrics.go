package pipeline

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"syntic/syntic"
	"syntic/syntic/report/tensorboard"
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
			row := key.row
			if name == key.refined() {
				row = "" // that of all rows that change nothing before it
			}
			if err := read(f.p, name, func(x *syntic.Refined) {
				for i, loss := range x.Loss {
					p := point{Kind: "refine", Corpus: key.corpus, Row: row, Seed: key.seed, Step: i, Loss: loss}
					if x.Recall != nil {
						p.Recall = x.Recall[i]
					}
					out = append(out, p)
				}
			}); err != nil {
				return nil, err
			}
		}
		for _, s := range f.trained[key].Steps {
			out = append(out, point{Kind: "train", Corpus: key.corpus, Row: key.row, Seed: key.seed, Step: s.Step, Epoch: s.Epoch, Loss: s.Loss, LR: s.LR,
				GradNorm: s.GradNorm, Val: s.Val})
		}
	}
	for _, s := range f.run.Results {
		for _, name := range s.report.Names {
			v := s.Scores[name]
			out = append(out, point{Kind: "score", Setting: s.Setting, Row: s.Row, Seed: s.Seed, Metric: name, Value: &v})
		}
	}
	return out, nil
}

// metrics writes metrics.jsonl, and event files of TensorBoard where they are asked for.
func (f *finish) metrics() error {
	points, err := f.points()
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(f.dir, "metrics.jsonl"), func(w io.Writer) error {
		b := bufio.NewWriter(w)
		e := json.NewEncoder(b)
		for _, p := range points {
			if err := e.Encode(p); err != nil {
				return err
			}
		}
		return b.Flush()
	}); err != nil || !f.board {
		return err
	}
	return writeBoard(filepath.Join(f.dir, "tensorboard"), points, time.Now())
}

// writeBoard writes an event file for each training, each refinement and each row's scores, in a folder of its own: what TensorBoard calls a run.
func writeBoard(dir string, points []point, at time.Time) error {
	var runs []string
	scalars := map[string][]tensorboard.Scalar{}
	for _, p := range points {
		name := fmt.Sprintf("%s-%s-%d", p.Corpus, p.Row, p.Seed)
		switch p.Kind {
		case "refine":
			if name = fmt.Sprintf("%s-refine-%d", p.Corpus, p.Seed); p.Row != "" {
				name = fmt.Sprintf("%s-refine-%s-%d", p.Corpus, p.Row, p.Seed)
			}
		case "score":
			name = fmt.Sprintf("%s-%s-%d", p.Setting, p.Row, p.Seed)
		}
		if _, ok := scalars[name]; !ok {
			runs = append(runs, name)
		}
		add := func(tag string, v float64) {
			scalars[name] = append(scalars[name], tensorboard.Scalar{Tag: tag, Step: int64(p.Step), Value: float32(v)})
		}
		switch p.Kind {
		case "score":
			add("score/"+p.Metric, *p.Value)
			continue
		case "refine":
			add("refine/loss", p.Loss)
			continue
		}
		add("train/loss", p.Loss)
		add("train/lr", p.LR)
		add("train/grad_norm", p.GradNorm)
		if p.Val != 0 {
			add("train/val_loss", p.Val)
		}
	}
	for _, name := range runs {
		if err := writeFile(filepath.Join(dir, name, tensorboard.FileName), func(w io.Writer) error {
			b := bufio.NewWriter(w)
			if err := tensorboard.Write(b, at, scalars[name]); err != nil {
				return err
			}
			return b.Flush()
		}); err != nil {
			return err
		}
	}
	return nil
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
