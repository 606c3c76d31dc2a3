package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"syntic/syntic/plan"
)

// eventsName is the diary of a folder: one JSON object a line, with its time, added to by every run in it.
const eventsName = "events.jsonl"

type events struct {
	mu   sync.Mutex
	file *os.File
}

// event is a line of events.jsonl.
type event struct {
	Time    string  `json:"time"`  // UTC
	Event   string  `json:"event"` // start, begin, end (of a stage), finish, stop, fail
	Stage   string  `json:"stage,omitempty"`
	Items   int     `json:"items,omitempty"`   // of the stage that are to be made
	Made    int     `json:"made,omitempty"`    // shards
	Taken   int     `json:"taken,omitempty"`   // shards of other runs
	Seconds float64 `json:"seconds,omitempty"` // spent by this run
	Machine string  `json:"machine,omitempty"`
	Error   string  `json:"error,omitempty"`
}

func openEvents(dir string) (*events, error) {
	f, err := os.OpenFile(filepath.Join(dir, eventsName), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	return &events{file: f}, err
}

func (e *events) close() { e.file.Close() }

// add writes a line in one piece. A diary that cannot be written stops no run.
func (e *events) add(v event) {
	v.Time = time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	text, err := json.Marshal(v)
	if err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	_, _ = e.file.Write(append(text, '\n'))
}

func (e *events) start(j Job) { e.add(event{Event: "start", Machine: j.Machine}) }

// end says what became of the run.
func (e *events) end(stages []plan.Result, err error) {
	v := event{Event: "finish"}
	for _, s := range stages {
		v.Made, v.Taken = v.Made+s.Made, v.Taken+s.Taken
	}
	switch {
	case errors.Is(err, context.Canceled):
		v.Event = "stop"
	case err != nil:
		v.Event, v.Error = "fail", err.Error()
	}
	e.add(v)
}

// watch notes the stages that p is told of.
func (e *events) watch(p plan.Progress) plan.Progress { return watched{plan.OrQuiet(p), e} }

type watched struct {
	plan.Progress
	log *events
}

func (w watched) Stage(name string, total int) plan.Bar {
	w.log.add(event{Event: "begin", Stage: name, Items: total})
	return &watchedBar{w.Progress.Stage(name, total), w.log, name, time.Now(), sync.Once{}}
}

type watchedBar struct {
	plan.Bar
	log   *events
	name  string
	began time.Time
	once  sync.Once
}

func (b *watchedBar) Skip(n int) { plan.Skip(b.Bar, n) }

func (b *watchedBar) Done() {
	b.once.Do(func() { b.log.add(event{Event: "end", Stage: b.name, Seconds: time.Since(b.began).Seconds()}) })
	b.Bar.Done()
}
