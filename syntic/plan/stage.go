package plan

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"sync"
)

// format is part of every plan, so that a change of the protocol changes every id.
const format = "syntic-plan-1"

// Stage is a piece of work whose output is a pure function of the fields before Make.
type Stage struct {
	Name      string            // lower-case letters, digits, - and _
	After     []string          // names of earlier stages that Make reads
	Inputs    map[string]string // what else Make reads: name to SHA-256, or another text that changes with it
	Config    map[string]any    // choices that the output depends on; values that JSON can hold
	Version   int               // raised when Make's code changes its output
	SeedRule  string            // how item i gets its random numbers, in words
	Items     int               // number of items, at least 1
	ShardSize int               // items in a shard; 0: all in one

	// Piece, unless nil, tells what of Inputs a shard reads where that is less than all, in the place of those entries: the shard is then a function of
	// that, of its place and of the fields above but Items, and another plan's shard that agrees in them will do. Only for stages with no After.
	Piece func(s Shard) map[string]string

	// Make writes the bytes of shard s to out and calls tick as items are done. It reads earlier stages through in.
	// It may be called again for the same shard, on another machine too, and must then write the same bytes.
	Make func(ctx context.Context, s Shard, in *Pipeline, out io.Writer, tick func(items int)) error
}

// Shard is the items First to First+Count-1 of a stage.
type Shard struct{ Index, First, Count int }

// Shards is the number of shards of the stage.
func (s *Stage) Shards() int { return (s.Items + s.size() - 1) / s.size() }

// Shard returns shard i.
func (s *Stage) Shard(i int) Shard {
	first := i * s.size()
	return Shard{i, first, min(s.size(), s.Items-first)}
}

func (s *Stage) size() int {
	if s.ShardSize <= 0 {
		return max(s.Items, 1)
	}
	return s.ShardSize
}

// Pipeline is stages with their plans in one folder.
type Pipeline struct {
	dir    string
	stages []*planned
	byName map[string]*planned
	mu     sync.Mutex // guards planned.seen
}

type planned struct {
	Stage
	id   string
	text []byte // the plan as it is written
	dir  string
	seen map[int]bool // shards whose hash has been checked by this process
}

// planFile is the plan of a stage; its JSON is canonical: fixed field order, sorted keys of maps.
type planFile struct {
	Format    string            `json:"format"`
	Stage     string            `json:"stage"`
	Version   int               `json:"version"`
	After     map[string]string `json:"after,omitempty"` // stage to id
	Inputs    map[string]string `json:"inputs,omitempty"`
	Config    map[string]any    `json:"config,omitempty"`
	SeedRule  string            `json:"seed_rule,omitempty"`
	Items     int               `json:"items"`
	ShardSize int               `json:"shard_size"`
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// New plans stages in dir; it touches no file. A stage may only come after stages that stand before it in the list.
func New(dir string, stages []Stage) (*Pipeline, error) {
	p := &Pipeline{dir: dir, byName: map[string]*planned{}}
	for _, s := range stages {
		if !nameForm.MatchString(s.Name) || p.byName[s.Name] != nil {
			return nil, fmt.Errorf("stage %q: want a new name of lower-case letters, digits, - and _", s.Name)
		}
		if s.Items < 1 || s.Make == nil {
			return nil, fmt.Errorf("stage %s: %d items: want at least one, and Make", s.Name, s.Items)
		}
		if s.Piece != nil && len(s.After) > 0 {
			return nil, fmt.Errorf("stage %s: Piece and After: want one of them", s.Name)
		}
		file := planFile{format, s.Name, s.Version, map[string]string{}, s.Inputs, s.Config, s.SeedRule, s.Items, s.size()}
		for _, name := range s.After {
			before := p.byName[name]
			if before == nil {
				return nil, fmt.Errorf("stage %s: comes after %q: want a stage before it in the list", s.Name, name)
			}
			file.After[name] = before.id
		}
		text, err := json.MarshalIndent(file, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("stage %s: %w", s.Name, err)
		}
		text = append(text, '\n')
		sum := sha256.Sum256(text)
		id := hex.EncodeToString(sum[:])
		item := &planned{s, id, text, filepath.Join(dir, s.Name+"-"+id[:12]), map[int]bool{}}
		p.stages = append(p.stages, item)
		p.byName[s.Name] = item
	}
	return p, nil
}

// ID is the plan's SHA-256 of a stage, in hexadecimal.
func (p *Pipeline) ID(stage string) string { return p.stage(stage).id }

// Dir is the folder of a stage.
func (p *Pipeline) Dir(stage string) string { return p.stage(stage).dir }

// Stage returns the stage of that name. A name that is not in the list is a programming error and panics.
func (p *Pipeline) Stage(stage string) *Stage { return &p.stage(stage).Stage }

func (p *Pipeline) stage(name string) *planned {
	s := p.byName[name]
	if s == nil {
		panic("plan: no stage " + name)
	}
	return s
}
