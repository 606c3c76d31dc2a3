package plan

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// Driver brings shards to workers. Local is the driver of one process; a queue or a cluster is another.
type Driver interface {
	// Run calls do for each shard of todo at least once, here or elsewhere, and returns when all are done, or with the
	// first error. do may be called for the same shard twice and from several goroutines for different shards.
	Run(ctx context.Context, stage *Stage, todo []Shard, do func(context.Context, Shard) error) error
}

// Local does one shard after the other in this process. The engine uses all cores within a shard.
type Local struct{}

// Run implements Driver.
func (Local) Run(ctx context.Context, _ *Stage, todo []Shard, do func(context.Context, Shard) error) error {
	for _, shard := range todo {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := do(ctx, shard); err != nil {
			return err
		}
	}
	return nil
}

// Options of Run; the zero value is one process that shows nothing.
type Options struct {
	Progress Progress
	Driver   Driver
	From     []string // folders of stages of other runs: what is finished there and is what this run would make is taken, not made
	Locked   bool     // the caller holds the folder's lock, or several processes share the folder: take no lock, clean nothing
}

// Result says what became of a stage.
type Result struct {
	Stage   string
	ID      string  // of the plan
	Digest  string  // SHA-256 over the hashes of all shards in order: equal digests, equal output
	Shards  int     // number of shards
	Made    int     // of them, made by this run; the others were done before
	Taken   int     // of them, taken by this run from another
	Items   int     // number of items
	Bytes   int64   // of all shards
	Seconds float64 // that making all shards took, whenever that was
}

// Run brings all stages of the pipeline to their end, in order, and does only what is not done. It returns the results
// of the stages that ended, also with an error. A damaged or missing shard is made again.
func (p *Pipeline) Run(ctx context.Context, o Options) ([]Result, error) {
	if !o.Locked {
		unlock, err := Lock(p.dir)
		if err != nil {
			return nil, err
		}
		defer unlock()
		if err := clean(p.dir); err != nil {
			return nil, folderError(p.dir, err)
		}
	}
	if o.Driver == nil {
		o.Driver = Local{}
	}
	var results []Result
	for _, s := range p.stages {
		result, err := p.runStage(ctx, s, o)
		if err != nil {
			return results, fmt.Errorf("stage %s: %w", s.Name, folderError(p.dir, err))
		}
		results = append(results, result)
	}
	return results, nil
}

// Run plans stages in dir and runs them: New, then Pipeline.Run.
func Run(ctx context.Context, dir string, stages []Stage, o Options) (*Pipeline, []Result, error) {
	p, err := New(dir, stages)
	if err != nil {
		return nil, nil, err
	}
	results, err := p.Run(ctx, o)
	return p, results, err
}

func (p *Pipeline) runStage(ctx context.Context, s *planned, o Options) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	if err := s.writePlan(); err != nil {
		return Result{}, err
	}
	var todo []Shard
	items, taken := 0, 0
	for i := range s.Shards() {
		_, ok, err := s.done(i)
		if err == nil && !ok {
			if ok, err = s.adopt(&p.mu, i, o.From); ok {
				taken++
			}
		}
		if err != nil {
			return Result{}, err
		} else if !ok {
			todo = append(todo, s.Shard(i))
			items += s.Shard(i).Count
		}
	}
	if len(todo) > 0 {
		bar := OrQuiet(o.Progress).Stage(s.Name, items)
		err := o.Driver.Run(ctx, &s.Stage, todo, func(ctx context.Context, shard Shard) error { return p.make(ctx, s, shard, bar.Add) })
		bar.Done()
		if err != nil {
			return Result{}, err
		}
	}
	r, err := s.result(len(todo))
	r.Taken = taken
	return r, err
}

// make makes one shard and commits it.
func (p *Pipeline) make(ctx context.Context, s *planned, shard Shard, tick func(int)) error {
	err := s.commit(&p.mu, shard, func(w io.Writer) error { return s.Make(ctx, shard, p, w, tick) })
	var damaged *DamagedError
	if err == nil || ctx.Err() != nil && errors.Is(err, ctx.Err()) || errors.As(err, &damaged) {
		return err
	}
	return fmt.Errorf("shard %d (items %d to %d): %w", shard.Index, shard.First, shard.First+shard.Count-1, err)
}

// result sums up the records of a finished stage.
func (s *planned) result(made int) (Result, error) {
	out := Result{Stage: s.Name, ID: s.id, Shards: s.Shards(), Made: made, Items: s.Items}
	digest := sha256.New()
	for i := range s.Shards() {
		r, ok, err := s.done(i)
		if err != nil {
			return out, err
		}
		if !ok {
			return out, fmt.Errorf("shard %d is not done, though its driver said so", i)
		}
		fmt.Fprintln(digest, r.SHA256)
		out.Bytes += r.Bytes
		out.Seconds += r.Seconds
	}
	out.Digest = hex.EncodeToString(digest.Sum(nil))
	return out, nil
}
