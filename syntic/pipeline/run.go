package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

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
}

// Do runs a recipe in a folder: what is finished there is not made again. Besides stages and models it writes results.json, captions.json,
// references.json, recipe.lock.yaml, report.html and model, the folder that [OpenModel] reads. All but report.html, which shows times and the
// text machine, are a function of the recipe alone, whatever the sizes of batches and shards and the number of processors.
//
// Corpora and models that cannot be read, and a folder that cannot be written, are bad input. A cancelled ctx ends the run with its error;
// the folder then goes on from where it was.
func Do(ctx context.Context, dev *tensor.Device, dir string, r *config.Recipe, progress plan.Progress, machine string) (*Run, error) {
	w := &work{dev: dev, r: r}
	defer w.close()
	if err := w.open(); err != nil { // before anything is written
		return nil, err
	}
	if err := ours(dir); err != nil {
		return nil, err
	}
	unlock, err := plan.Lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if w.folders, err = locate(filepath.Join(dir, "models"), r, w.needs); err != nil {
		return nil, plan.Explain(dir, err)
	}
	l, err := w.layout()
	if err != nil {
		return nil, err
	}
	p, err := plan.New(filepath.Join(dir, "stages"), l.stages)
	if err != nil {
		return nil, err
	}
	stages, err := p.Run(ctx, plan.Options{Progress: progress})
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f := &finish{w: w, l: l, p: p, dir: dir, machine: machine,
		run: &Run{Recipe: r, Stages: stages, Report: filepath.Join(dir, "report.html")}}
	if err := f.all(ctx); err != nil {
		return nil, plan.Explain(dir, err)
	}
	return f.run, nil
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
	if err := w.loadCorpora(); err != nil {
		return err
	}
	if err := w.loadSets(); err != nil {
		return err
	}
	return checkModels(w.r, w.needs)
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
		case name == "stages" || name == "recipe.lock.yaml":
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
