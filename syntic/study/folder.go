package study

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"syntic/syntic/config"
	"syntic/syntic/metric"
	"syntic/syntic/pipeline"
)

// Folder is a run on disk.
type Folder struct {
	Dir    string
	Recipe *config.Recipe
	Done   bool      // it ended: its files are whole
	Time   time.Time // when it ended, or was last begun
	Bytes  int64     // of all files, stages and models included
	Scores []pipeline.Score

	reports map[string]*metric.Report
	refs    map[string]*metric.References
}

// NoRun is the error of a folder that holds no run, or not the one that is wanted. It is bad input.
type NoRun struct{ Dir, What string }

func (e *NoRun) Error() string { return e.Dir + ": " + e.What }

// BadInput tells the command line that the user's folder is at fault.
func (e *NoRun) BadInput() bool { return true }

// Open reads what a run left in a folder. A run that is under way or was stopped has no scores.
func Open(dir string) (*Folder, error) {
	f := &Folder{Dir: dir, reports: map[string]*metric.Report{}, refs: map[string]*metric.References{}}
	lock := filepath.Join(dir, config.LockName)
	info, err := os.Stat(lock)
	if err != nil {
		return nil, &NoRun{dir, "no " + config.LockName + ": want the folder of a run, as syntic run --out writes it"}
	}
	f.Time = info.ModTime()
	if f.Recipe, err = config.Load(lock, nil); err != nil {
		return nil, &NoRun{dir, err.Error()}
	}
	if info, err := os.Stat(filepath.Join(dir, pipeline.SumsName)); err == nil {
		f.Done, f.Time = true, info.ModTime()
	}
	text, err := os.ReadFile(filepath.Join(dir, "results.json"))
	switch {
	case errors.Is(err, os.ErrNotExist) || !f.Done:
		return f, nil
	case err != nil:
		return nil, err
	}
	var results struct {
		Results []pipeline.Score `json:"results"`
	}
	if err := json.Unmarshal(text, &results); err != nil {
		return nil, &NoRun{dir, "results.json: " + err.Error()}
	}
	f.Scores = results.Results
	return f, nil
}

// List opens the runs in a folder, and in the folders of that, by name: those of sweeps and ablations lie one deeper. What is no run is left out.
func List(dir string) ([]*Folder, error) {
	if _, err := os.ReadDir(dir); err != nil {
		return nil, &NoRun{dir, "cannot be read (" + err.Error() + ")"}
	}
	var out []*Folder
	for _, pattern := range []string{"*", filepath.Join("*", "*")} {
		locks, err := filepath.Glob(filepath.Join(dir, pattern, config.LockName))
		if err != nil {
			return nil, err
		}
		for _, lock := range locks {
			if f, err := Open(filepath.Dir(lock)); err == nil {
				f.Bytes = pipeline.FolderBytes(f.Dir)
				out = append(out, f)
			}
		}
	}
	slices.SortFunc(out, func(a, b *Folder) int { return a.Time.Compare(b.Time) })
	return out, nil
}

// Score is that of a setting, row and seed, or nil.
func (f *Folder) Score(setting, row string, seed int64) *pipeline.Score {
	for i, s := range f.Scores {
		if s.Setting == setting && s.Row == row && s.Seed == seed {
			return &f.Scores[i]
		}
	}
	return nil
}

// Reports scores a row's captions again, each seed's, from the captions and references in the folder.
func (f *Folder) Reports(setting, row string) ([]*metric.Report, error) {
	var out []*metric.Report
	for k := range f.Recipe.Seeds {
		seed := f.Recipe.Seed + int64(k)
		if f.Score(setting, row, seed) == nil {
			return nil, &NoRun{f.Dir, fmt.Sprintf("no scores of row %s, setting %s, seed %d", row, setting, seed)}
		}
		path := pipeline.CaptionsOf(setting, row, seed)
		r := f.reports[path]
		if r == nil {
			refs, err := f.references(setting)
			if err != nil {
				return nil, err
			}
			results, err := metric.LoadResults(filepath.Join(f.Dir, path))
			if err != nil {
				return nil, err
			}
			if r, err = metric.Evaluate(refs, results, metric.Options{}); err != nil {
				return nil, err
			}
			f.reports[path] = r
		}
		out = append(out, r)
	}
	return out, nil
}

func (f *Folder) references(setting string) (*metric.References, error) {
	name := pipeline.ReferencesOf(f.Recipe, setting)
	if f.refs[name] == nil {
		r, err := metric.LoadReferences(filepath.Join(f.Dir, name))
		if err != nil {
			return nil, err
		}
		f.refs[name] = r
	}
	return f.refs[name], nil
}

// Toy tells whether the run has to do with the drawn world.
func (f *Folder) Toy() bool { return (&pipeline.Run{Recipe: f.Recipe}).Toy() }
