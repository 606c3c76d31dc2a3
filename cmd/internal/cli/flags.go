package cli

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
)

// KernelEnv is the variable that chooses kernel variants, "op=variant" separated by commas. --kernel adds to it and wins.
const KernelEnv = "SYNTIC_KERNEL"

// Globals are the flags that every verb has.
type Globals struct {
	Kernels []string // op=variant, in the order given
	Device  string   // auto, cpu, cuda or cuda:N
	Threads int      // GOMAXPROCS; 0 leaves the runtime's choice
	// UseKernel, if set, is called once for each --kernel before the verb runs. An error is wrong usage.
	UseKernel func(op, variant string) error
	// EnvError, if set, tells what is wrong with the choices in KernelEnv.
	EnvError func() error
}

var deviceForm = regexp.MustCompile(`^(auto|cpu|cuda(:\d{1,3})?)$`)

// Register adds the global flags to root and applies them before any verb runs.
func (g *Globals) Register(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.StringArrayVar(&g.Kernels, "kernel", nil, "use this `op=variant` of a kernel, or *=variant of all that have it (repeatable; see syntic kernels)")
	flags.StringVar(&g.Device, "device", "auto", "where to compute: `auto|cpu|cuda[:N]`")
	flags.IntVar(&g.Threads, "threads", 0, "`number` of CPU threads (0: all that the system allows)")
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return g.apply() }
	cobra.EnableTraverseRunHooks = true // a verb's own PersistentPreRun does not replace this one
}

func (g *Globals) apply() error {
	if !deviceForm.MatchString(g.Device) {
		return Usage(fmt.Errorf("--device %q: want auto, cpu, cuda or cuda:N", g.Device))
	}
	if g.Threads < 0 {
		return Usage(fmt.Errorf("--threads %d: want 0 (all) or a positive number", g.Threads))
	}
	if g.Threads > 0 {
		runtime.GOMAXPROCS(g.Threads)
	}
	if g.EnvError != nil {
		if err := g.EnvError(); err != nil {
			return Usage(err)
		}
	}
	for _, choice := range g.Kernels {
		op, variant, found := strings.Cut(choice, "=")
		if !found || op == "" || variant == "" {
			return Usage(fmt.Errorf("--kernel %q: want op=variant, such as attention=naive", choice))
		}
		if g.UseKernel == nil {
			continue
		}
		if err := g.UseKernel(op, variant); err != nil {
			return Usage(err)
		}
	}
	if len(g.Kernels) > 0 { // child processes make the same choice
		all := strings.Join(g.Kernels, ",")
		if before := os.Getenv(KernelEnv); before != "" {
			all = before + "," + all
		}
		return os.Setenv(KernelEnv, all)
	}
	return nil
}
