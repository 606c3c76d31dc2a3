package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
	"syntic/syntic/parity"
	"syntic/syntic/pipeline"
	"syntic/tensor/safetensors"
)

type forwardOptions struct {
	model, in, out string
	layers         bool
}

func forwardCmd() *cobra.Command {
	var o forwardOptions
	var modules strings.Builder
	var names []string
	for _, m := range parity.Modules() {
		names = append(names, m.Name)
		fmt.Fprintf(&modules, "\n  %-14s %s\n  %-14s -> %s", m.Name, m.Inputs, "", m.Outputs)
	}
	cmd := &cobra.Command{
		Use: "forward MODULE --model DIR --in FILE --out FILE", Short: "Run one model on tensors from a file, layer by layer",
		Long: "Run one module of a model on the tensors of a safetensors file and write what it gives, in the names, shapes and layouts of the\n" +
			"original libraries (images [B, 3, H, W], ids int64), to hold it against another engine with syntic compare. --layers adds what\n" +
			"every layer gives. Tensors of --in that the module does not read are left alone.\n\nModules:" + modules.String(),
		Example: "  syntic forward clip.vision --model clip-vit-base-patch32 --in pixels.safetensors --out ours.safetensors --layers\n" +
			"  syntic forward sd.unet --model stable-diffusion-v1-4 --in unet.safetensors --out ours.safetensors\n" +
			"  syntic compare ours.safetensors theirs.safetensors",
		Args: cobra.ExactArgs(1), ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error { return forward(cmd, args[0], names, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.model, "model", pipeline.World, "`folder` of the model, or of a pipeline with the model in it, or a single-file checkpoint; world: the drawn world's own")
	f.StringVar(&o.in, "in", "", "safetensors `file` of the inputs")
	f.StringVar(&o.out, "out", "", "safetensors `file` of the outputs")
	f.BoolVar(&o.layers, "layers", false, "write what every layer gives, too")
	cmd.MarkFlagRequired("in")
	cmd.MarkFlagRequired("out")
	return cmd
}

func forward(cmd *cobra.Command, module string, names []string, o forwardOptions) error {
	if !slices.Contains(names, module) {
		return cli.Usage(fmt.Errorf("module %q: want one of %s", module, strings.Join(names, ", ")))
	}
	dev, err := openDevice()
	if err != nil {
		return cli.Usage(err)
	}
	if err := writable(o.out); err != nil {
		return cli.BadInput(fmt.Errorf("--out: %w", err))
	}
	family, _, _ := strings.Cut(module, ".")
	if o.model == pipeline.World && family == "decoder" {
		return cli.Usage(fmt.Errorf("the drawn world has no decoder of its own: want --model, the folder of one that syntic run trained or of GPT-2"))
	}
	in, err := safetensors.Open(o.in)
	if err != nil {
		return cli.BadInput(fmt.Errorf("--in: %w", err))
	}
	defer in.Close()
	dir, done, err := modelFolder(cmd, "--model", o.model, family)
	if err != nil {
		return err
	}
	defer done()
	out, err := parity.Forward(dev, module, dir, in, o.layers)
	if err != nil {
		return cli.BadInput(err)
	}
	if err := parity.Write(o.out, out); err != nil {
		return err
	}
	table := cli.NewTable("tensor", "shape")
	for _, t := range out {
		table.Row(t.Name, fmt.Sprint(t.Shape))
	}
	return table.Write(cmd.OutOrStdout())
}
