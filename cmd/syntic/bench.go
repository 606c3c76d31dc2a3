package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"syntic/bench"
	"syntic/cmd/internal/cli"
	"syntic/tensor"
)

func benchCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "bench", Short: "Measure the engine on this machine", Args: cobra.NoArgs}
	cmd.AddCommand(benchKernelCmd(), benchModelCmd(), benchPipelineCmd(), benchCompareCmd(), benchPlotCmd(), benchTuneCmd(), benchPeersCmd(), benchServeCmd())
	return cmd
}

func benchKernelCmd() *cobra.Command {
	o := bench.Options{}
	var asJSON bool
	cmd := &cobra.Command{
		Use: "kernel [OP...]", Short: "Time every variant of an op at the sizes of the models and of the tests",
		Long: "Time every variant of the ops, or of all ops, that this machine's CPU (--device cuda: its GPU) can run: the median of repeated calls after a warm-up, operations and\n" +
			"bytes a second as the op's cost counts them, and the share of the ceiling: the least time that this machine could need, over the\n" +
			"median. The ceiling is measured first: float32 multiply-adds on registers alone, bytes read from memory. A size that fits in a\n" +
			"cache may read faster than memory and pass 100 %. * marks the variant that is picked by default. Leave the machine alone meanwhile.",
		Example: "  syntic bench kernel gemm conv2d --sizes real\n  syntic bench kernel gemm --sizes '1,512,512,512,0,0,0' --time 1s\n  syntic bench kernel --sizes real --json > results.jsonl",
		RunE: func(cmd *cobra.Command, names []string) error {
			dev, err := benchDevice()
			if err != nil {
				return err
			}
			o.Device = dev.String()
			return benchKernel(cmd.Context(), names, o, dev, asJSON, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Sizes, "sizes", "all", "`which` sizes: test, real, all, or numbers as the op takes them, sizes with semicolons between")
	flags.DurationVar(&o.Time, "time", 100*time.Millisecond, "spent on each variant at each size, at least")
	flags.BoolVar(&o.Reference, "reference", false, "also the float64 loops that tests compare with, which are slow")
	flags.BoolVar(&asJSON, "json", false, "print JSON lines: {\"machine\", \"ceiling\"}, then one result each")
	return cmd
}

func benchKernel(ctx context.Context, names []string, o bench.Options, dev *tensor.Device, asJSON bool, out io.Writer) error {
	if o.Time < 0 {
		return cli.Usage(fmt.Errorf("--time %v: want 0 or more", o.Time))
	}
	list, err := bench.List(names...)
	if err != nil {
		return cli.Usage(err)
	}
	for _, op := range list { // before anything is measured
		if _, err := bench.Sizes(op.Name, o.Sizes); err != nil {
			return cli.Usage(fmt.Errorf("--sizes: %w", err))
		}
	}
	machine := bench.Describe()
	measure := bench.Measure
	if !dev.IsCPU() {
		measure = func() (bench.Ceiling, error) { return bench.MeasureDevice(dev) }
	}
	ceiling, err := measure()
	if err != nil {
		return err
	}
	if asJSON {
		lines := json.NewEncoder(out)
		if err := lines.Encode(benchHead(machine, dev, ceiling)); err != nil {
			return err
		}
		for _, op := range list {
			if err := bench.Run(ctx, op.Name, o, ceiling, func(r bench.Result) error { return lines.Encode(r) }); err != nil {
				return err
			}
		}
		return nil
	}
	if !dev.IsCPU() {
		fmt.Fprintln(out, gpuLine(dev, ceiling))
	} else {
		fmt.Fprintf(out, "%s, instruction set %s, %d threads; ceiling %.4g GFLOP/s, %.3g GB/s read\n", machine.CPU.Name, machine.CPU.Used, machine.Threads, ceiling.FLOPs/1e9, ceiling.Bytes/1e9)
	}
	for _, op := range list {
		if err := benchTable(ctx, op.Name, o, ceiling, out); err != nil {
			return err
		}
	}
	return nil
}

// benchHead is the first line of results: where they are from.
func benchHead(m bench.Machine, dev *tensor.Device, c bench.Ceiling) map[string]any {
	head := map[string]any{"machine": m, "ceiling": c}
	if !dev.IsCPU() {
		head["device"] = dev.String() + " " + dev.Name()
	}
	return head
}

func benchTable(ctx context.Context, op string, o bench.Options, ceiling bench.Ceiling, out io.Writer) error {
	table := cli.NewTable(op, "sizes", "variant", ">median", ">fastest", ">GFLOP/s", ">GB/s", ">share", "of")
	last, clocks := "", ""
	err := bench.Run(ctx, op, o, ceiling, func(r bench.Result) error {
		name, dims := r.Size, strings.Trim(fmt.Sprint(r.Dims), "[]")
		if dims == last {
			name, dims = "", ""
		} else {
			last = dims
		}
		mark := ""
		if r.Picked {
			mark = " *"
		}
		clocks = r.Clocks
		table.Row(name, dims, r.Variant+mark, seconds(r.Seconds), seconds(r.Fastest), fmt.Sprintf("%.4g", r.GFLOPs), fmt.Sprintf("%.3g", r.GBytes), fmt.Sprintf("%.0f %%", 100*r.Share), r.Limit)
		return nil
	})
	if last != "" { // what was measured before an interrupt is shown
		fmt.Fprintln(out)
		if err := table.Write(out); err != nil {
			return err
		}
		if clocks != "" {
			fmt.Fprintln(out, "behind the last call:", clocks)
		}
	}
	return err
}

// benchDevice is the device to measure: the CPU unless a GPU is asked for by name.
func benchDevice() (*tensor.Device, error) {
	name := globals.Device
	if name == "auto" {
		name = "cpu"
	}
	dev, err := tensor.Open(name)
	return dev, cli.Usage(err)
}

// gpuLine says what a GPU was seen to do, what its data sheet says, and that times of the emulator mean nothing.
func gpuLine(dev *tensor.Device, c bench.Ceiling) string {
	line := fmt.Sprintf("%s %s; measured ceiling %.4g GFLOP/s, of 16 bits %.4g, %.4g GB/s copied", dev, dev.Name(), c.FLOPs/1e9, c.Half/1e9, c.Bytes/1e9)
	if n, ok := bench.Nominal(dev.Name()); ok {
		line += fmt.Sprintf("; data sheet %.4g, %.4g, %.4g", n.FLOPs/1e9, n.Half/1e9, n.Bytes/1e9)
	} else {
		line += "; what its data sheet says is not known here"
	}
	if dev.Emulated() {
		line += "; EMULATED: the times mean nothing"
	}
	return line
}

// seconds writes a time with three digits and its unit.
func seconds(s float64) string {
	switch {
	case s < 1e-6:
		return fmt.Sprintf("%.3g ns", s*1e9)
	case s < 1e-3:
		return fmt.Sprintf("%.3g µs", s*1e6)
	case s < 1:
		return fmt.Sprintf("%.3g ms", s*1e3)
	}
	return fmt.Sprintf("%.3g s", s)
}
