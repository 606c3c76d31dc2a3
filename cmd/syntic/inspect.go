package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
	"syntic/syntic/inspect"
)

func inspectCmd() *cobra.Command {
	var asJSON, tensors bool
	cmd := &cobra.Command{
		Use: "inspect DIR|FILE", Short: "Tell what a model is, and whether it can be loaded", Args: cobra.ExactArgs(1),
		Long: "Tell a model's architecture, parameters, dtypes and memory, and the names of tensors that are missing, unexpected or misshapen.\n" +
			"DIR is a folder of CLIP, DETR, GPT-2 or Stable Diffusion as the hub has it, or a run of syntic; FILE a safetensors file, an index of shards\n" +
			"or a checkpoint of torch.save, which is read without being run. A model that cannot be loaded ends with exit code 3.",
		Example: "  syntic inspect clip-vit-base-patch32\n  syntic inspect sd-v1-4.safetensors --json\n  syntic inspect pytorch_model.bin --tensors",
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := inspect.Inspect(args[0], tensors)
			if err != nil {
				return cli.BadInput(err)
			}
			if err := showReport(cmd.OutOrStdout(), r, asJSON); err != nil {
				return err
			}
			return cli.BadInput(r.Fits())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&tensors, "tensors", false, "list all tensors")
	return cmd
}

func showReport(out io.Writer, r *inspect.Report, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	t := cli.NewTable("", "")
	t.Row(r.Path, r.Architecture)
	for _, p := range r.Parts {
		t.Rule()
		if p.Name != "" {
			t.Row("part", p.Name)
		}
		t.Row("files", strings.Join(p.Files, ", "))
		if p.Architecture != r.Architecture {
			t.Row("kind", p.Architecture)
		}
		if p.Naming != "" {
			t.Row("names of", p.Naming)
		}
		if p.Config != "" {
			t.Row("sizes", p.Config)
		}
		t.Row("parameters", fmt.Sprintf("%d in %d tensors", p.Parameters, p.Tensors))
		var types []string
		for _, d := range slices.Sorted(maps.Keys(p.DTypes)) {
			types = append(types, fmt.Sprintf("%s %d", d, p.DTypes[d]))
		}
		t.Row("dtypes", strings.Join(types, ", "))
		t.Row("in files", cli.Bytes(p.Bytes))
		if p.Loads {
			t.Row("memory", fmt.Sprintf("%s mapped, %s besides (other layouts)", cli.Bytes(p.Mapped), cli.Bytes(p.Own)))
		}
		for _, l := range []struct {
			what  string
			names []string
		}{{"missing", p.Missing}, {"unexpected", p.Unexpected}, {"misshapen", p.Misshapen}} {
			for _, name := range l.names {
				t.Row(l.what, name)
			}
		}
		switch {
		case p.Loads:
			t.Row("loads", "yes")
		case p.Problem != "":
			t.Row("loads", "no: "+p.Problem)
		case len(p.Missing)+len(p.Unexpected)+len(p.Misshapen) > 0:
			t.Row("loads", "no")
		default:
			t.Row("loads", "not tried: not the checkpoint of a folder with a configuration")
		}
		for _, i := range p.List {
			t.Row(i.Name, fmt.Sprintf("%s %v", i.DType, i.Shape))
		}
	}
	return t.Write(out)
}
