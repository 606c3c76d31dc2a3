package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"syntic/syntic"
	"syntic/syntic/config"
	"syntic/syntic/dataset"
	"syntic/syntic/plan"
	"syntic/tensor"
)

// Run is a run that has ended.
type Run struct {
	Recipe  *config.Recipe
	Results []Score       // in the order of settings, rows and seeds
	Table   *Table        // means over seeds, with intervals
	Stages  []plan.Result // with their times
	Report  string        // path of report.html
	Figures *Figures      // numbers of the report's figures; nil where nothing is captioned

	curve []syntic.TrainStep // of the first row and seed
}

// Steps is how many steps the first row's training had.
func (r *Run) Steps() int { return len(r.curve) }

// Losses are the means of the first and of the last steps of the first row's training: ten of them, or half.
func (r *Run) Losses() (first, last float64) {
	n := min(10, max(1, len(r.curve)/2), len(r.curve))
	for i := range n {
		first += r.curve[i].Loss / float64(n)
		last += r.curve[len(r.curve)-1-i].Loss / float64(n)
	}
	return first, last
}

// Job is a run that is to be done: a recipe in a folder. What is finished there is not made again.
type Job struct {
	Device   *tensor.Device
	Dir      string
	Recipe   *config.Recipe
	Progress plan.Progress
	Machine  string   // in words, for the report
	Reuse    []string // folders of other runs: stages that are finished there are taken, not made
	Train    bool     // only train: no test images, captions or scores
	Board    bool     // write event files of TensorBoard as well
}

// Do is Job.Do without the rarer choices.
func Do(ctx context.Context, dev *tensor.Device, dir string, r *config.Recipe, progress plan.Progress, machine string) (*Run, error) {
	return Job{Device: dev, Dir: dir, Recipe: r, Progress: progress, Machine: machine}.Do(ctx)
}

// Do does the run. Besides stages and models it writes results.json, captions.json, references.json, recipe.lock.yaml, metrics.jsonl, CARD.md,
// report.html, model, the folder that [OpenModel] reads, and last SHA256SUMS. All but report.html and events.jsonl, which show times and the text
// machine, are a function of the recipe alone, whatever the sizes of batches and shards and the number of processors.
//
// Corpora and models that cannot be read, and a folder that cannot be written, are bad input. A cancelled ctx ends the run with its error;
// the folder then goes on from where it was.
func (j Job) Do(ctx context.Context) (*Run, error) {
	w := &work{dev: j.Device, r: j.Recipe, trainOnly: j.Train}
	defer w.close()
	if err := w.open(); err != nil { // before anything is written
		return nil, err
	}
	if err := ours(j.Dir); err != nil {
		return nil, err
	}
	unlock, err := plan.Lock(j.Dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	l, p, err := j.plan(w, filepath.Join(j.Dir, "models"))
	if err != nil {
		return nil, plan.Explain(j.Dir, err)
	}
	if err := j.begin(); err != nil {
		return nil, plan.Explain(j.Dir, err)
	}
	w.rec = &recorder{j.Dir, j.Board}
	log, err := openEvents(j.Dir)
	if err != nil {
		return nil, plan.Explain(j.Dir, err)
	}
	defer log.close()
	log.start(j)
	stages, err := p.Run(ctx, plan.Options{Progress: log.watch(j.Progress), From: stagesOf(j.Reuse)})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		log.end(stages, err)
		return nil, err
	}
	f := &finish{w: w, l: l, p: p, dir: j.Dir, machine: j.Machine, board: j.Board,
		run: &Run{Recipe: j.Recipe, Stages: stages, Report: filepath.Join(j.Dir, "report.html")}}
	err = f.all(ctx)
	log.end(stages, err)
	return f.run, plan.Explain(j.Dir, err)
}

// begin marks the folder as that of a run of this recipe that has not ended. What an earlier run of another recipe left for people goes: it would not
// be of the recipe that stands beside it. The same recipe goes on with its metrics.jsonl.
func (j Job) begin() error {
	if err := os.Remove(filepath.Join(j.Dir, SumsName)); err != nil && !os.IsNotExist(err) {
		return err
	}
	lock := filepath.Join(j.Dir, config.LockName)
	old, err := os.ReadFile(lock)
	same := err == nil && bytes.Equal(old, j.Recipe.Lock())
	if same && !j.Train {
		return nil
	}
	names := []string{"results.json", "captions.json", "references.json", "captions", "scores", "CARD.md", "report.html", filepath.Join("model", "model.json")}
	if !same {
		names = append(names, metricsName, "tensorboard")
	}
	for _, name := range names {
		if err := os.RemoveAll(filepath.Join(j.Dir, name)); err != nil {
			return err
		}
	}
	return writeFile(lock, func(w io.Writer) error { _, err := w.Write(j.Recipe.Lock()); return err })
}

// plan lays out the stages, with the drawn world's models in the folder models.
func (j Job) plan(w *work, models string) (l *layout, p *plan.Pipeline, err error) {
	if w.folders, err = locate(models, j.Recipe, w.needs); err != nil {
		return nil, nil, err
	}
	if l, err = w.layout(); err != nil {
		return nil, nil, err
	}
	p, err = plan.New(filepath.Join(j.Dir, stagesName), l.stages)
	return l, p, err
}

// stagesName is the folder of a run that holds its stages.
const stagesName = "stages"

func stagesOf(runs []string) []string {
	out := make([]string, len(runs))
	for i, dir := range runs {
		out[i] = filepath.Join(dir, stagesName)
	}
	return out
}

// Siblings are the other runs in the folder that dir lies in.
func Siblings(dir string) []string {
	list, err := os.ReadDir(filepath.Dir(filepath.Clean(dir)))
	if err != nil {
		return nil
	}
	var out []string
	for _, f := range list {
		other := filepath.Join(filepath.Dir(filepath.Clean(dir)), f.Name())
		if info, err := os.Stat(filepath.Join(other, stagesName)); err == nil && info.IsDir() && f.Name() != filepath.Base(dir) {
			out = append(out, other)
		}
	}
	return out
}

// open reads the corpora, lists the images and looks whether the models are there.
func (w *work) open() (err error) {
	d := w.r.Data
	if w.files.format, err = dataset.ParseFormat(d.Format); err != nil {
		return badInput("data.format: %w", err)
	}
	w.files.lists = dataset.Lists{Train: d.TrainList, Val: d.ValList, Test: d.TestList}
	if w.needs, err = needsOf(w.r); err != nil {
		return err
	}
	if err := w.missing(); err != nil {
		return err
	}
	if err := w.loadParts(); err != nil {
		return err
	}
	if err := w.loadCorpora(); err != nil {
		return err
	}
	if err := w.loadSets(); err != nil {
		return err
	}
	return checkModels(w.r, w.needs)
}

// loadParts reads the vocabularies of the rows, and hashes what their decoders start from.
func (w *work) loadParts() error {
	w.entities, w.starts = map[string]*syntic.Entities{}, map[string]string{}
	for _, name := range w.r.Eval.Rows {
		row, err := w.r.Row(name)
		if err != nil {
			return err
		}
		if v := row.Objects.Vocabulary; (row.Patches.Enabled || row.Objects.Enabled && row.Objects.Source != "detector") && w.entities[v] == nil {
			if w.entities[v], err = vocabularyOf(v); err != nil {
				return err
			}
		}
		if start := row.Decoder.Start; start != "scratch" && w.starts[start] == "" {
			if w.starts[start], err = hashFolder(start); err != nil {
				return badInput("decoder.start: %w: want scratch, or a folder of GPT-2", err)
			}
		}
	}
	return nil
}

// ours refuses a folder that holds other things than a run, so that none of them is mixed with a run's files or overwritten.
func ours(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil // not there yet, or plan.Lock says what is wrong
	}
	foreign := ""
	for _, f := range list {
		switch name := f.Name(); {
		case name == stagesName || name == config.LockName:
			return nil
		case strings.HasPrefix(name, ".") || name == "lost+found" || name == "models": // models: the run ended before its first stage
		case foreign == "":
			foreign = name
		}
	}
	if foreign != "" {
		return &plan.FolderError{Dir: dir, Err: fmt.Errorf("holds %s, but no run", foreign), Advice: "choose an empty or new folder, or that of a run"}
	}
	return nil
}
