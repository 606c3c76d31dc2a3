// Command syntic learns to caption images from captions alone: it draws a synthetic image for each caption, refines and
// projects its features, trains a small decoder on them, and captions images it has never seen (SynTIC, arXiv 2312.08865).
//
// Each verb is a file of its own with a function that returns its *cobra.Command; verbs lists them. Results go to stdout,
// progress and errors to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 bad input, 130 interrupted.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
	"syntic/tensor"
)

// verbs is every command in the order help shows them. A new verb is a file beside this one and a line here.
var verbs = []func() *cobra.Command{
	runCmd,
	trainCmd,
	reproduceCmd,
	ablateCmd,
	sweepCmd,
	runsCmd,
	captionCmd,
	generateCmd,
	replayCmd,
	encodeCmd,
	detectCmd,
	refineCmd,
	projectCmd,
	evalCmd,
	inspectCmd,
	convertCmd,
	tokensCmd,
	recipeCmd,
	configCmd,
	dataCmd,
	worldCmd,
	forwardCmd,
	opCmd,
	pixelsCmd,
	compareCmd,
	benchCmd,
	kernelsCmd,
	doctorCmd,
}

// globals are the values of the flags that every verb has.
var globals = cli.Globals{UseKernel: tensor.UseKernel, EnvError: tensor.KernelEnvError}

func main() { os.Exit(cli.Main(rootCmd(), os.Args[1:], os.Stdout, os.Stderr)) }

func rootCmd() *cobra.Command {
	root := &cobra.Command{
		Use:   "syntic",
		Short: "Learn to caption images from text alone",
		Long: "Learn to caption images from text alone, with synthetic pairs (SynTIC, arXiv 2312.08865): draw an image for each caption, bring the\n" +
			"features of both together, train a small decoder, caption images never seen.\n\n" +
			"Start with syntic run: minutes on two cores, nothing to download. Then syntic caption describes images of your own, and\n" +
			"syntic generate draws texts of yours. Results go to stdout, progress and errors to stderr.\n" +
			"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 bad input, 130 interrupted.",
		Version: cli.Version(),
	}
	root.SetVersionTemplate("syntic {{.Version}}\n")
	globals.Register(root)
	cobra.EnableCommandSorting = false
	for _, verb := range verbs {
		root.AddCommand(verb())
	}
	return root
}
