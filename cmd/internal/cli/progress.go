package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"syntic/syntic/plan"
)

// linesEvery is the time between plain progress lines of a stage.
const linesEvery = 5 * time.Second

// Progress shows stages on stderr: bars with rate and remaining time on a terminal, otherwise a plain line a stage
// every 5 seconds and one at its end. It implements plan.Progress. Close it before the last line is printed.
type Progress struct {
	out  io.Writer
	bars *mpb.Progress // nil: plain lines
	now  func() time.Time
	mu   sync.Mutex // one plain line at a time
	tick *time.Ticker
	end  chan struct{}
	open map[*lines]bool
}

// NewProgress shows progress on out, with bars if out is a terminal.
func NewProgress(out io.Writer) *Progress { return newProgress(out, terminal(out)) }

func newProgress(out io.Writer, bars bool) *Progress {
	p := &Progress{out: out, now: time.Now, open: map[*lines]bool{}}
	if bars {
		p.bars = mpb.New(mpb.WithOutput(out), mpb.WithRefreshRate(120*time.Millisecond))
		return p
	}
	p.tick, p.end = time.NewTicker(linesEvery), make(chan struct{})
	go func() {
		for {
			select {
			case <-p.tick.C:
				p.report()
			case <-p.end:
				return
			}
		}
	}()
	return p
}

// terminal tells whether bars can be drawn on w: a terminal that moves its cursor and has a size.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	return hasSize(f)
}

// Write prints text above the bars, so that a log may share the stream with them.
func (p *Progress) Write(text []byte) (int, error) {
	if p.bars != nil {
		return p.bars.Write(text)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(text)
}

// Close ends what is still open and waits until the last bar is drawn.
func (p *Progress) Close() {
	if p.bars != nil {
		p.bars.Shutdown()
		return
	}
	p.tick.Stop()
	select {
	case <-p.end:
	default:
		close(p.end)
	}
}

// Stage implements plan.Progress.
func (p *Progress) Stage(name string, total int) plan.Bar {
	if p.bars == nil {
		l := &lines{p: p, name: name, total: total, began: p.now()}
		p.mu.Lock()
		p.open[l] = true
		p.mu.Unlock()
		return l
	}
	label := decor.Name(name, decor.WCSyncSpaceR)
	if total <= 0 {
		return bar{p.bars.New(0, mpb.SpinnerStyle(), mpb.PrependDecorators(label),
			mpb.AppendDecorators(decor.CurrentNoUnit("%d", decor.WCSyncSpace), decor.AverageSpeed(0, "  %.1f/s"))), true, nil}
	}
	skipped, began := new(atomic.Int64), p.now()
	rate := func(s decor.Statistics) float64 {
		return float64(s.Current-skipped.Load()) / max(p.now().Sub(began).Seconds(), 1e-9)
	}
	speed := func(s decor.Statistics) string { return fmt.Sprintf("  %.1f/s", rate(s)) }
	left := func(s decor.Statistics) string {
		if r := rate(s); r > 0 {
			return remaining(s.Total-s.Current, r).String()
		}
		return ""
	}
	return bar{p.bars.New(int64(total), mpb.BarStyle().Lbound("▕").Filler("█").Tip("█").Padding("░").Rbound("▏"),
		mpb.PrependDecorators(label, decor.CountersNoUnit("%d/%d", decor.WCSyncSpace)),
		mpb.AppendDecorators(decor.NewPercentage("%d", decor.WCSyncSpace), decor.Any(speed, decor.WCSyncSpace),
			decor.OnAbort(decor.OnComplete(decor.Any(left, decor.WCSyncSpace), "done"), "stopped"))), false, skipped}
}

// remaining is the time that n more steps take at a rate per second.
func remaining(n int64, rate float64) time.Duration {
	return time.Duration(float64(n) / rate * float64(time.Second)).Round(time.Second)
}

// bar is a stage on a terminal.
type bar struct {
	b       *mpb.Bar
	free    bool // no total
	skipped *atomic.Int64
}

func (b bar) Skip(n int) {
	if b.skipped != nil {
		b.skipped.Add(int64(n))
	}
	b.Add(n)
}

func (b bar) Add(n int) { b.b.IncrBy(n) }

func (b bar) Done() {
	switch {
	case b.free:
		b.b.SetTotal(-1, true) // what was added is the total
	case !b.b.Completed():
		b.b.Abort(false) // not complete: leave the bar as far as it came
	}
}

// lines is a stage told in plain lines; p.mu guards it.
type lines struct {
	p        *Progress
	name     string
	total, n int
	skipped  int // of n, done by an earlier run
	began    time.Time
	done     bool
}

func (l *lines) Add(n int) {
	l.p.mu.Lock()
	l.n += n
	l.p.mu.Unlock()
}

func (l *lines) Skip(n int) {
	l.p.mu.Lock()
	l.n, l.skipped = l.n+n, l.skipped+n
	l.p.mu.Unlock()
}

func (l *lines) Done() {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	if l.done {
		return
	}
	l.done = true
	delete(l.p.open, l)
	fmt.Fprintln(l.p.out, l.text())
}

// report prints a line for each open stage that began at least a tick ago.
func (p *Progress) report() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.open {
		if p.now().Sub(l.began) >= linesEvery/2 {
			fmt.Fprintln(p.out, l.text())
		}
	}
}

// text is "generate: 1200/4000 (30 %), 27.1/s, 1m43s left".
func (l *lines) text() string {
	spent := l.p.now().Sub(l.began)
	rate := float64(l.n-l.skipped) / max(spent.Seconds(), 1e-9)
	s := fmt.Sprintf("%s: %d", l.name, l.n)
	if l.total > 0 {
		s += fmt.Sprintf("/%d (%d %%)", l.total, 100*l.n/l.total)
	}
	if l.n > l.skipped {
		s += fmt.Sprintf(", %.1f/s", rate)
	}
	switch {
	case l.done:
		s += ", " + spent.Round(100*time.Millisecond).String() + " spent"
	case l.total > l.n && rate > 0:
		s += ", " + remaining(int64(l.total-l.n), rate).String() + " left"
	}
	return s
}
