package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
	"syntic/syntic/parity"
	"syntic/tensor/safetensors"
)

type compareOptions struct {
	tolerance    float64
	strict, json bool
}

func compareCmd() *cobra.Command {
	var o compareOptions
	cmd := &cobra.Command{
		Use: "compare A B", Short: "Compare two files of tensors: errors, and the first layer that differs",
		Long: "Compare the tensors of safetensors file A with those of the same name in B, which is taken for right: the largest difference (max abs),\n" +
			"that over the largest value of B's tensor (max rel), and the cosine of the angle between the two. Tensors come in the order in which\n" +
			"syntic forward computed them, where one of the files is its; else by name. Exit code 1 when a tensor's max rel is above the tolerance,\n" +
			"its shapes differ, it has numbers that are not finite, or the files have no tensor in common.",
		Example: "  syntic compare ours.safetensors theirs.safetensors\n  syntic compare --tolerance 1e-4 --json ours.safetensors theirs.safetensors",
		Args:    cobra.ExactArgs(2),
		RunE:    func(cmd *cobra.Command, args []string) error { return compare(cmd.OutOrStdout(), args[0], args[1], o) },
	}
	f := cmd.Flags()
	f.Float64Var(&o.tolerance, "tolerance", 1e-5, "largest max rel that passes, `X`")
	f.BoolVar(&o.strict, "strict", false, "a tensor that only one of the files has is a difference, too")
	f.BoolVar(&o.json, "json", false, "print {\"tensors\": [{\"name\", \"shape\", \"max_abs\", \"max_rel\", \"cosine\", \"beyond\"}], \"only_a\", \"only_b\", \"first\"}")
	return cmd
}

func compare(out io.Writer, a, b string, o compareOptions) error {
	if !(o.tolerance >= 0) || math.IsInf(o.tolerance, 0) {
		return cli.Usage(fmt.Errorf("--tolerance %g: want a number from 0", o.tolerance))
	}
	got, err := safetensors.Open(a)
	if err != nil {
		return cli.BadInput(err)
	}
	defer got.Close()
	want, err := safetensors.Open(b)
	if err != nil {
		return cli.BadInput(err)
	}
	defer want.Close()
	c, err := parity.Compare(got, want, o.tolerance)
	if err != nil {
		return cli.BadInput(err)
	}
	if o.json {
		err = json.NewEncoder(out).Encode(c)
	} else {
		err = showComparison(out, a, b, c)
	}
	if err != nil {
		return err
	}
	switch {
	case c.First != "":
		return fmt.Errorf("%s differs from %s beyond %g, first in %s", a, b, o.tolerance, c.First)
	case len(c.Tensors) == 0:
		return fmt.Errorf("%s and %s have no tensor in common", a, b)
	case o.strict && len(c.OnlyGot)+len(c.OnlyIn) > 0:
		return errors.New("the files do not hold the same tensors")
	}
	return nil
}

func showComparison(out io.Writer, a, b string, c *parity.Comparison) error {
	table := cli.NewTable("tensor", "shape", ">max abs", ">max rel", ">cosine", "")
	for _, d := range c.Tensors {
		note := d.Problem
		if d.NotFinite > 0 {
			note = fmt.Sprintf("%d elements are not finite", d.NotFinite)
		} else if note == "" && d.Beyond {
			note = "beyond the tolerance"
		}
		table.Row(d.Name, fmt.Sprint(d.Shape), fmt.Sprintf("%.2e", d.MaxAbs), fmt.Sprintf("%.2e", d.MaxRel), fmt.Sprintf("%.9f", d.Cosine), note)
	}
	if err := table.Write(out); err != nil {
		return err
	}
	for _, only := range []struct {
		path  string
		names []string
	}{{a, c.OnlyGot}, {b, c.OnlyIn}} {
		for _, name := range only.names {
			if _, err := fmt.Fprintf(out, "only in %s: %s\n", only.path, name); err != nil {
				return err
			}
		}
	}
	first := "no tensor differs beyond the tolerance"
	if c.First != "" {
		first = "the first tensor beyond the tolerance is " + c.First
	}
	_, err := fmt.Fprintln(out, first)
	return err
}
