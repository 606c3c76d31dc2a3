package pipeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"syntic/syntic"
	"syntic/syntic/report/tensorboard"
)

// metricsName is the file of curves and scores, one JSON object a line.
const metricsName = "metrics.jsonl"

// recorder writes metrics.jsonl, and event files of TensorBoard where they are asked for, as training goes, so that a run under way can be watched and a
// killed one has what it did. A training that goes on from a checkpoint goes on from there in both: steps that are done again are not there twice. When
// a run ends, metrics.jsonl is written anew in its final order.
type recorder struct {
	dir   string
	board bool
}

// names tells whether two points are of the same curve.
func (p point) names(o point) bool {
	return p.Kind == o.Kind && p.Corpus == o.Corpus && p.Row == o.Row && p.Seed == o.Seed && p.Setting == o.Setting
}

// jsonLines are points as metrics.jsonl holds them.
func jsonLines(points []point) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for _, p := range points {
		if err := e.Encode(p); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// begin brings metrics.jsonl to the points that a curve begins with, behind whole lines of others, and opens it to be added to.
func (r *recorder) begin(curve point, points []point) (*os.File, error) {
	path := filepath.Join(r.dir, metricsName)
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var kept []byte
	for line := range bytes.Lines(old) {
		var p point
		if bytes.HasSuffix(line, []byte("\n")) && json.Unmarshal(line, &p) == nil && !p.names(curve) {
			kept = append(kept, line...)
		}
	}
	text, err := jsonLines(points)
	if err != nil {
		return nil, err
	}
	if err := writeFile(path, func(w io.Writer) error { _, err := w.Write(append(kept, text...)); return err }); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o666)
}

// refined records a refinement, which is a curve of few steps and comes whole.
func (r *recorder) refined(corpus, row string, seed int64, x *syntic.Refined) error {
	if r == nil {
		return nil
	}
	f, err := r.begin(point{Kind: "refine", Corpus: corpus, Row: row, Seed: seed}, refinedPoints(corpus, row, seed, x))
	if err != nil {
		return err
	}
	return f.Close()
}

// training gives what is to be called with the curve of a training as it grows, and what ends that.
func (r *recorder) training(key rowKey) (log func([]syntic.TrainStep) error, done func() error) {
	if r == nil {
		return nil, func() error { return nil }
	}
	var file, board *os.File
	n := 0
	log = func(curve []syntic.TrainStep) (err error) {
		points := trainPoints(key, curve[n:])
		n = len(curve)
		if file == nil {
			if file, err = r.begin(point{Kind: "train", Corpus: key.corpus, Row: key.row, Seed: key.seed}, points); err == nil && r.board {
				board, err = r.beginBoard(key, points)
			}
			return err
		}
		text, err := jsonLines(points)
		if err == nil {
			_, err = file.Write(text)
		}
		if err != nil || board == nil {
			return err
		}
		return appendScalars(board, points)
	}
	done = func() error {
		var errs []error
		for _, f := range []*os.File{file, board} {
			if f != nil {
				errs = append(errs, f.Close())
			}
		}
		return errors.Join(errs...)
	}
	return log, done
}

// beginBoard opens the event file of a training, cut to the steps that points are of, or made anew where it does not hold all of those.
func (r *recorder) beginBoard(key rowKey, points []point) (*os.File, error) {
	path := eventFile(r.dir, runOf(trainPoints(key, make([]syntic.TrainStep, 1))[0]))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	old, err := io.ReadAll(f)
	if err == nil {
		size, have := tensorboard.Before(old, int64(len(points)))
		want := 0
		for _, p := range points {
			want += len(p.scalars())
		}
		if have != want {
			size = 0
		}
		if err = f.Truncate(int64(size)); err == nil {
			_, err = f.Seek(int64(size), io.SeekStart)
		}
		if err == nil && size == 0 {
			if err = tensorboard.Begin(f, time.Now()); err == nil {
				err = appendScalars(f, points)
			}
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// appendScalars writes what TensorBoard shows of points in one piece, so that a killed run leaves whole records.
func appendScalars(w io.Writer, points []point) error {
	var b bytes.Buffer
	for _, p := range points {
		if err := tensorboard.Append(&b, time.Now(), p.scalars()); err != nil {
			return err
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// runOf is what TensorBoard calls the run of a point: a training, a refinement, the scores of a row.
func runOf(p point) string {
	switch {
	case p.Kind == "refine" && p.Row == "":
		return fmt.Sprintf("%s-refine-%d", p.Corpus, p.Seed)
	case p.Kind == "refine":
		return fmt.Sprintf("%s-refine-%s-%d", p.Corpus, p.Row, p.Seed)
	case p.Kind == "score":
		return fmt.Sprintf("%s-%s-%d", p.Setting, p.Row, p.Seed)
	}
	return fmt.Sprintf("%s-%s-%d", p.Corpus, p.Row, p.Seed)
}

func eventFile(dir, run string) string {
	return filepath.Join(dir, "tensorboard", run, tensorboard.FileName)
}

// scalars are what TensorBoard shows of a point.
func (p point) scalars() (out []tensorboard.Scalar) {
	add := func(tag string, v float64) {
		out = append(out, tensorboard.Scalar{Tag: tag, Step: int64(p.Step), Value: float32(v)})
	}
	switch p.Kind {
	case "score":
		add("score/"+p.Metric, *p.Value)
		return out
	case "refine":
		add("refine/loss", p.Loss)
		return out
	}
	add("train/loss", p.Loss)
	add("train/lr", p.LR)
	add("train/grad_norm", p.GradNorm)
	if p.Val != 0 {
		add("train/val_loss", p.Val)
	}
	return out
}

// writeBoard writes an event file for each training, each refinement and each row's scores, in a folder of its own: what TensorBoard calls a run. A file
// that has as many records is left as it is: it was written as the training went, with the times of its steps.
func writeBoard(dir string, points []point) error {
	var runs []string
	scalars := map[string][]tensorboard.Scalar{}
	for _, p := range points {
		name := runOf(p)
		if _, ok := scalars[name]; !ok {
			runs = append(runs, name)
		}
		scalars[name] = append(scalars[name], p.scalars()...)
	}
	for _, name := range runs {
		path := eventFile(dir, name)
		if old, err := os.ReadFile(path); err == nil {
			if size, have := tensorboard.Before(old, 1<<62); size == len(old) && have == len(scalars[name]) {
				continue
			}
		}
		var b bytes.Buffer
		if err := tensorboard.Write(&b, time.Now(), scalars[name]); err != nil {
			return err
		}
		if err := writeFile(path, func(w io.Writer) error { _, err := w.Write(b.Bytes()); return err }); err != nil {
			return err
		}
	}
	return nil
}
