package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"syntic/syntic/config"
	"syntic/syntic/pipeline"
	"syntic/syntic/plan"
	"syntic/tensor"
)

// MeasurePipeline carries out a recipe repeats times, each in an empty folder, and gives a record for each stage: seconds an item, the stage's items and their unit.
func MeasurePipeline(ctx context.Context, r *config.Recipe, repeats int, progress plan.Progress) ([]Record, error) {
	var all []Record
	at := map[string]int{}
	for range repeats {
		stages, err := pipelineOnce(ctx, r, progress)
		if err != nil {
			return nil, err
		}
		for _, s := range stages {
			if s.Items == 0 || !(s.Seconds > 0) {
				continue
			}
			i, known := at[s.Stage]
			if !known {
				i, at[s.Stage] = len(all), len(all)
				all = append(all, Record{Time: time.Now().UTC().Truncate(time.Second), Case: fmt.Sprintf("pipeline/%s/%d", s.Stage, s.Items), Engine: Ours, Unit: "item", Items: 1, Calls: s.Items,
					Machine: Describe()})
				all[i].Threads, all[i].Version = all[i].Machine.Threads, all[i].Machine.Commit
			}
			all[i].Samples = append(all[i].Samples, s.Seconds/float64(s.Items))
		}
	}
	for i := range all {
		all[i].rates("other")
	}
	return all, nil
}

func pipelineOnce(ctx context.Context, r *config.Recipe, progress plan.Progress) ([]plan.Result, error) {
	dir, err := os.MkdirTemp("", "syntic-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	run, err := pipeline.Do(ctx, tensor.CPU(), filepath.Join(dir, "run"), r, progress, "")
	if err != nil {
		return nil, err
	}
	return run.Stages, nil
}
