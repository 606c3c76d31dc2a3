package plan

// Progress is told how far a long piece of work has come. Library code takes one and reports to it;
// the command line draws bars or prints lines with it. Implementations are safe for concurrent use.
type Progress interface {
	// Stage begins a named piece of work of total steps (images, captions, training steps).
	// A total of 0 or less means that the number of steps is not known.
	Stage(name string, total int) Bar
}

// Bar is one stage under way. Its methods may be called from several goroutines.
type Bar interface {
	// Add tells that n more steps are done.
	Add(n int)
	// Done ends the stage, whether or not all its steps were added. Only the first call counts.
	Done()
}

// Skip tells a bar that n steps were done by an earlier run: they count as done, but not in the rate. A bar without that notion adds them.
func Skip(b Bar, n int) {
	if s, ok := b.(interface{ Skip(n int) }); ok {
		s.Skip(n)
		return
	}
	b.Add(n)
}

// Quiet is the Progress that shows nothing.
var Quiet Progress = quiet{}

// OrQuiet returns p, or Quiet if p is nil, so that library code need not check.
func OrQuiet(p Progress) Progress {
	if p == nil {
		return Quiet
	}
	return p
}

type quiet struct{}

func (quiet) Stage(string, int) Bar { return quiet{} }
func (quiet) Add(int)               {}
func (quiet) Done()                 {}
