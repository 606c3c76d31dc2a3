package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"syntic/bench"
	"syntic/cmd/internal/cli"
)

func kernelsCmd() *cobra.Command {
	var asJSON, sizes bool
	cmd := &cobra.Command{
		Use: "kernels [OP...]", Short: "List every kernel, its variants, and which one this machine picks and why",
		Long: "List every op with its variants by falling rank. Of the variants that this machine can run and that take the operands, the one of\n" +
			"highest rank is picked, unless --kernel or SYNTIC_KERNEL names another. \"picked\" counts the op's test sizes at which it is taken;\n" +
			"--sizes shows the pick and the reason at each of them. SYNTIC_ISA=go, avx2 or avx512 lowers the instruction set in use.",
		Example: "  syntic kernels\n  syntic kernels gemm attention --sizes\n  SYNTIC_ISA=avx2 syntic kernels --json",
		RunE: func(cmd *cobra.Command, names []string) error {
			list, err := bench.List(names...)
			if err != nil {
				return cli.Usage(err)
			}
			return showKernels(cmd.OutOrStdout(), list, asJSON, sizes)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print {\"machine\": {…}, \"ops\": [{\"op\", \"variants\", \"picks\"}]}")
	cmd.Flags().BoolVar(&sizes, "sizes", false, "show the pick and its reason at every test size")
	return cmd
}

func showKernels(out io.Writer, list []bench.Op, asJSON, sizes bool) error {
	machine := bench.Describe()
	if asJSON {
		return json.NewEncoder(out).Encode(struct {
			Machine bench.Machine `json:"machine"`
			Ops     []bench.Op    `json:"ops"`
		}{machine, list})
	}
	fmt.Fprintf(out, "%s, instruction set %s%s\n\n", machine.CPU.Name, machine.CPU.Used, lowered(machine))
	if sizes {
		return showPicks(out, list)
	}
	table := cli.NewTable("op", "variant", "device", ">rank", ">picked", "why", "note")
	for _, op := range list {
		name := op.Name
		for _, v := range op.Variants {
			table.Row(name, v.Name, v.Device, v.Rank, picked(op, v), state(op, v), v.Note)
			name = ""
		}
	}
	return table.Write(out)
}

// lowered tells that SYNTIC_ISA holds the instruction set down.
func lowered(m bench.Machine) string {
	if m.CPU.Used == m.CPU.Found {
		return ""
	}
	return fmt.Sprintf(" (SYNTIC_ISA; the machine has %s)", m.CPU.Found)
}

// state says in few words why a variant is picked or not; --sizes says it for each size.
func state(op bench.Op, v bench.Variant) string {
	switch {
	case !v.Available:
		return "not on this machine"
	case op.Override == v.Name:
		return "asked for by name"
	case v.Unordered:
		return "on request only: sums in no fixed order"
	case op.Override != "":
		return "another is asked for"
	case v.Picked > 0:
		return "highest rank that runs here"
	}
	return "lower rank"
}

func picked(op bench.Op, v bench.Variant) string {
	of := 0
	for _, p := range op.Picks {
		if p.Device == v.Device {
			of++
		}
	}
	if of == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", v.Picked, of)
}

func showPicks(out io.Writer, list []bench.Op) error {
	table := cli.NewTable("op", "sizes", "device", "variant", "why")
	for i, op := range list {
		if i > 0 {
			table.Rule()
		}
		name := op.Name
		for _, p := range op.Picks {
			table.Row(name, strings.Trim(fmt.Sprint(p.Dims), "[]"), p.Device, cmp.Or(p.Variant, "none"), p.Why)
			name = ""
		}
	}
	return table.Write(out)
}
