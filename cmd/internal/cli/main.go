package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Resumable is the annotation of verbs that go on where they stopped when they are run again with the same arguments:
// cmd.Annotations = cli.Resumable. After Ctrl-C the user is told so.
var Resumable = map[string]string{"resumable": "true"}

// Main runs the verb of root that args name, without the program's name, and returns the exit code.
//
// Results go to stdout. A failure is one line on stderr, "syntic: …". The first SIGINT or SIGTERM cancels the verb's
// context, so that it stops at the next item boundary, and the exit code is 130; the second ends the process at once.
func Main(root *cobra.Command, args []string, stdout, stderr io.Writer) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() {
		if _, open := <-signals; !open {
			return
		}
		fmt.Fprintln(stderr, "\nsyntic: stopping; once more to stop at once")
		cancel()
		<-signals
		os.Exit(ExitInterrupted)
	}()

	command, err := execute(ctx, root, args, stdout, stderr)
	if err == nil {
		return ExitOK
	}
	name := root.Name()
	if ctx.Err() != nil {
		if command != nil && command.Annotations["resumable"] != "" {
			fmt.Fprintf(stderr, "%s: interrupted; what was finished is kept, go on with: %s %s\n", name, name, quote(args))
		} else {
			fmt.Fprintf(stderr, "%s: interrupted\n", name)
		}
		return ExitInterrupted
	}
	Complain(stderr, name, err)
	return Code(err)
}

// Complain prints a failure as Main does, for verbs that go on after one: a line "name: …".
func Complain(stderr io.Writer, name string, err error) {
	fmt.Fprintf(stderr, "%s: %s\n", name, oneLine(err.Error()))
}

// execute runs root. What cobra itself refuses, before any RunE began, is marked as wrong usage and says where help is.
func execute(ctx context.Context, root *cobra.Command, args []string, stdout, stderr io.Writer) (*cobra.Command, error) {
	began := false
	prepare(root, &began)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	command, err := root.ExecuteContextC(ctx)
	if err != nil && !began && Code(err) == ExitFailed {
		err = Usage(fmt.Errorf("%w; see %s --help", err, command.CommandPath()))
	}
	return command, err
}

// prepare makes every verb note that it began, and makes every group of verbs refuse a name it does not have.
func prepare(cmd *cobra.Command, began *bool) {
	switch run := cmd.RunE; {
	case run != nil:
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*began = true
			return run(cmd, args)
		}
	case cmd.Run == nil:
		cmd.Args, cmd.SuggestionsMinimumDistance = cobra.ArbitraryArgs, 2
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				return fmt.Errorf("unknown command %q, did you mean %s?", args[0], strings.Join(near, " or "))
			}
			return fmt.Errorf("unknown command %q", args[0])
		}
	}
	for _, sub := range cmd.Commands() {
		prepare(sub, began)
	}
}

// quote writes arguments as a shell would read them back.
func quote(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = arg
		if arg == "" || strings.ContainsAny(arg, " \t\n\"'`$&|;<>()*?[]{}\\~#!") {
			words[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
