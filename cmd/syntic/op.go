package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"syntic/bench"
	"syntic/cmd/internal/cli"
	"syntic/tensor/safetensors"
)

type opOptions struct {
	in, out, variant  string
	set, shapes, with []string
	list, json        bool
}

func opCmd() *cobra.Command {
	var o opOptions
	cmd := &cobra.Command{
		Use: "op NAME --in FILE --out FILE", Short: "Run one op on tensors from a file",
		Long: "Run one op of the engine on the tensors of a safetensors file, which have the names of its operands, and write what it gives.\n" +
			"syntic op --list shows every op's operands and options; package kernels says what each computes. Layouts are the op's own: images\n" +
			"[B, H, W, C], weights of convolutions [O, KH, KW, I]. An output whose shape no input tells needs --shape. Optional outputs are\n" +
			"computed --with their name. --variant reference is the float64 loop that all others are tested against.",
		Example: "  syntic op --list\n  syntic op softmax --in x.safetensors --out y.safetensors --variant reference\n" +
			"  syntic op gemm --in ab.safetensors --out c.safetensors --set TransB=true --set Alpha=0.5\n" +
			"  syntic op resize --in x.safetensors --out y.safetensors --set Kind=bicubic --shape Out=1x64x64x3",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.list {
				return listOps(cmd.OutOrStdout(), args, o.json)
			}
			return callOp(cmd.OutOrStdout(), args, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.in, "in", "", "safetensors `file` of the inputs")
	f.StringVar(&o.out, "out", "", "safetensors `file` of the outputs")
	f.StringVar(&o.variant, "variant", "", "the implementation, by `name` (default: what the machine picks)")
	f.StringArrayVar(&o.set, "set", nil, "an option, `NAME=VALUE` (repeatable)")
	f.StringArrayVar(&o.shapes, "shape", nil, "the shape of an output, `NAME=2x3x4` (repeatable)")
	f.StringSliceVar(&o.with, "with", nil, "an optional output to compute, `NAME` (repeatable)")
	f.BoolVar(&o.list, "list", false, "list the ops, or those named, with their operands and options")
	f.BoolVar(&o.json, "json", false, "with --list: print a JSON list")
	return cmd
}

func listOps(out io.Writer, names []string, asJSON bool) error {
	list, err := bench.Signatures(names...)
	if err != nil {
		return cli.Usage(err)
	}
	if asJSON {
		return json.NewEncoder(out).Encode(list)
	}
	table := cli.NewTable("op", "", "name", "", "default")
	for _, op := range list {
		name := op.Op
		row := func(kind, field, what, value string) {
			table.Row(name, kind, field, what, value)
			name = ""
		}
		for _, f := range op.Inputs {
			row("input", f.Name, optional(f, ""), "")
		}
		for _, f := range op.Outputs {
			what := "shape " + f.Shape
			if f.Shape == "" {
				what = "shape given"
			}
			row("output", f.Name, optional(f, what), "")
		}
		for _, f := range op.Options {
			row("option", f.Name, f.Kind, f.Default)
		}
	}
	return table.Write(out)
}

// optional says what is particular about an operand.
func optional(f bench.Field, what string) string {
	var parts []string
	if f.Optional {
		parts = append(parts, "optional")
	}
	switch {
	case f.InPlace:
		return strings.Join(append(parts, "an input, changed in place"), ", ")
	case f.MayRead:
		parts = append(parts, "may be an input")
	}
	if what != "" {
		parts = append(parts, what)
	}
	return strings.Join(parts, ", ")
}

func callOp(out io.Writer, args []string, o opOptions) error {
	switch {
	case len(args) != 1:
		return cli.Usage(fmt.Errorf("%d ops: want the name of one, see syntic op --list", len(args)))
	case o.in == "" || o.out == "":
		return cli.Usage(errors.New("want --in and --out"))
	case o.json:
		return cli.Usage(errors.New("--json goes with --list"))
	}
	if _, err := bench.Signatures(args[0]); err != nil {
		return cli.Usage(err)
	}
	call, err := o.call()
	if err != nil {
		return cli.Usage(err)
	}
	if err := writable(o.out); err != nil {
		return cli.BadInput(fmt.Errorf("--out: %w", err))
	}
	in, err := safetensors.Open(o.in)
	if err != nil {
		return cli.BadInput(fmt.Errorf("--in: %w", err))
	}
	defer in.Close()
	found, err := bench.CallOp(args[0], in, call)
	if err != nil {
		return cli.BadInput(err)
	}
	if err := safetensors.Write(o.out, found, nil); err != nil {
		return err
	}
	table := cli.NewTable("tensor", "shape")
	for _, t := range found {
		table.Row(t.Name, fmt.Sprint(t.Shape))
	}
	return table.Write(out)
}

// call reads the flags.
func (o *opOptions) call() (bench.CallOptions, error) {
	dev, err := openDevice()
	if err != nil {
		return bench.CallOptions{}, err
	}
	c := bench.CallOptions{Variant: o.variant, Device: dev.String(), Set: map[string]string{}, Shapes: map[string][]int{}, With: o.with}
	for _, text := range o.set {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return c, fmt.Errorf("--set %q: want NAME=VALUE", text)
		}
		c.Set[name] = value
	}
	for _, text := range o.shapes {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return c, fmt.Errorf("--shape %q: want NAME=2x3x4", text)
		}
		c.Shapes[name] = nil
		for _, part := range strings.Split(value, "x") {
			n, err := strconv.Atoi(part)
			if err != nil || n < 1 {
				return c, fmt.Errorf("--shape %q: want NAME=2x3x4", text)
			}
			c.Shapes[name] = append(c.Shapes[name], n)
		}
	}
	return c, nil
}
