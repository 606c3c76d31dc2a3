package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"syntic/bench"
	"syntic/cmd/internal/cli"
	"syntic/tensor"
)

// recordFlags say where records go.
type recordFlags struct {
	format, save, roofline string
	json                   bool
}

func (o *recordFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "table", "`what` to print: table, json (a line a record) or gobench (for benchstat)")
	f.BoolVar(&o.json, "json", false, "the same as --format json")
	f.StringVar(&o.save, "save", "", "append the records to a `file` of JSON lines, as soon as each is there")
	f.StringVar(&o.roofline, "roofline", "", "draw the records under this machine's ceilings: an SVG `file`")
}

// recordSink takes records as they are measured.
type recordSink struct {
	o      *recordFlags
	out    io.Writer
	file   *os.File
	all    []bench.Record
	headed bool
}

// open checks the flags and opens the file.
func (o *recordFlags) open(out io.Writer) (*recordSink, error) {
	if o.json {
		o.format = "json"
	}
	if o.format != "table" && o.format != "json" && o.format != "gobench" {
		return nil, cli.Usage(fmt.Errorf("--format %q: want table, json or gobench", o.format))
	}
	s := &recordSink{o: o, out: out}
	if o.save != "" {
		var err error
		if s.file, err = os.OpenFile(o.save, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666); err != nil {
			return nil, cli.BadInput(fmt.Errorf("--save: %w", err))
		}
	}
	if o.roofline != "" {
		if err := writable(o.roofline); err != nil {
			return nil, cli.BadInput(fmt.Errorf("--roofline: %w", err))
		}
	}
	return s, nil
}

// add keeps a record and prints it where it needs no table.
func (s *recordSink) add(r bench.Record) error {
	s.all = append(s.all, r)
	if s.file != nil {
		if err := json.NewEncoder(s.file).Encode(r); err != nil {
			return err
		}
	}
	switch s.o.format {
	case "json":
		return json.NewEncoder(s.out).Encode(r)
	case "gobench":
		if !s.headed {
			s.headed = true
			if err := bench.GoBenchHead(s.out, r.Machine); err != nil {
				return err
			}
		}
		return r.GoBench(s.out)
	}
	return nil
}

// close draws and closes what was asked for.
func (s *recordSink) close() error {
	if s.file != nil {
		if err := s.file.Close(); err != nil {
			return err
		}
	}
	if s.o.roofline == "" || len(s.all) == 0 {
		return nil
	}
	svg, err := bench.Roofline(s.all)
	if err != nil {
		return cli.BadInput(fmt.Errorf("--roofline: %w", err))
	}
	return os.WriteFile(s.o.roofline, []byte(svg), 0o666)
}

// paceFlags say how long to measure.
type paceFlags struct{ pace bench.Pace }

func (o *paceFlags) register(cmd *cobra.Command, seconds int) {
	f := cmd.Flags()
	f.DurationVar(&o.pace.Time, "time", time.Duration(seconds)*time.Second, "spent on the samples of a case, all its engines together")
	f.IntVar(&o.pace.Rounds, "rounds", 5, "samples of each engine at least; three where these would take more than four times --time")
	f.DurationVar(&o.pace.Sample, "sample", 20*time.Millisecond, "length of a sample: quicker calls are timed several together")
}

func (o *paceFlags) check() error {
	if o.pace.Time < 0 || o.pace.Rounds < 1 || o.pace.Sample < 0 {
		return cli.Usage(fmt.Errorf("--time %v --rounds %d --sample %v: want 0 or more, 1 or more, 0 or more", o.pace.Time, o.pace.Rounds, o.pace.Sample))
	}
	return nil
}

type benchModelOptions struct {
	recordFlags
	paceFlags
	threads []int
	ops     bool
}

func benchModelCmd() *cobra.Command {
	var o benchModelOptions
	cmd := &cobra.Command{
		Use: "model [NAME[/SHAPE[/CLASS]]...]", Short: "Time whole models, and ops at the sizes of the method",
		Long: "Time whole models of the true sizes, and ops at the sizes at which the method needs them, with random weights, mapped from a temporary file\n" +
			"as a checkpoint's are (those of Stable Diffusion's UNet are made in memory); without a name list what there is. CLASS is f32 or bf16 (operands of products rounded to bfloat16, weights stored so); a part may be *.\n" +
			"Each case runs in a process of its own, so that its memory is its own: until calls get no faster, then samples. Operations and bytes are those\n" +
			"of the ops called, as Op.Cost counts them. Share is the least time that this machine could need, by a ceiling measured first, over the median.\n" +
			"On a GPU times are those of its own clock, between events around each call, which finds the caches full of other memory; first is the first call by the wall clock,\n" +
			"with kernels loaded and graphs recorded; sd-unet is measured as a captured graph too; clocks are told, and what held them down.\n" +
			"Gain is the speed with more threads over that with the first number. Memory is the most that was resident, and how much of it came after weights\n" +
			"and inputs were there. Leave the machine alone meanwhile.",
		Example: "  syntic bench model clip-image/b32 detr --threads 1,2\n  syntic bench model sd-unet --ops\n" +
			"  syntic bench model infonce/*/f32 --save infonce.jsonl && syntic bench plot infonce.jsonl --out infonce.svg",
		RunE: func(cmd *cobra.Command, names []string) error {
			return benchModel(cmd, names, &o)
		},
	}
	o.recordFlags.register(cmd)
	o.paceFlags.register(cmd, 3)
	cmd.Flags().IntSliceVar(&o.threads, "threads", nil, "`numbers` of CPU threads, each measured in turn (default: all that the system allows)")
	cmd.Flags().BoolVar(&o.ops, "ops", false, "also which ops the time went to")
	return cmd
}

func benchModel(cmd *cobra.Command, names []string, o *benchModelOptions) error {
	found, err := bench.FindWorkloads(names...)
	if err != nil {
		return cli.Usage(err)
	}
	if len(names) == 0 {
		return listWorkloads(cmd.OutOrStdout(), found)
	}
	if err := o.check(); err != nil {
		return err
	}
	if len(o.threads) == 0 {
		o.threads = []int{runtime.GOMAXPROCS(0)}
	}
	for _, n := range o.threads {
		if n < 1 {
			return cli.Usage(fmt.Errorf("--threads %d: want 1 or more", n))
		}
	}
	dev, err := benchDevice()
	if err != nil {
		return err
	}
	if !dev.IsCPU() {
		for _, g := range bench.Graphs(found) {
			if !slices.ContainsFunc(found, func(w bench.Workload) bool { return w.String() == g.String() }) {
				found = append(found, g)
			}
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	sink, err := o.recordFlags.open(cmd.OutOrStdout())
	if err != nil {
		return err
	}
	measured := measureModels(cmd.Context(), self, dev, found, o, sink, cmd.ErrOrStderr())
	if o.format == "table" && len(sink.all) > 0 { // what was measured before an interrupt is shown
		if err := modelTable(cmd.OutOrStdout(), sink.all); err != nil {
			return err
		}
		if o.ops {
			if err := opTable(cmd.OutOrStdout(), sink.all); err != nil {
				return err
			}
		}
	}
	if err := sink.close(); err != nil {
		return err
	}
	return measured
}

func measureModels(ctx context.Context, self string, dev *tensor.Device, found []bench.Workload, o *benchModelOptions, sink *recordSink, log io.Writer) error {
	ceilings := map[int]bench.Ceiling{}
	for _, threads := range o.threads {
		measure := func() (bench.Ceiling, error) { return bench.MeasureWith(threads) }
		if !dev.IsCPU() {
			measure = func() (bench.Ceiling, error) { return bench.MeasureDevice(dev) }
		}
		c, err := measure()
		if err != nil {
			return err
		}
		if !dev.IsCPU() {
			fmt.Fprintln(log, gpuLine(dev, c))
		}
		ceilings[threads] = c
	}
	for i, w := range found {
		for _, threads := range o.threads {
			on := fmt.Sprintf("%d threads", threads)
			if !dev.IsCPU() {
				on = dev.String()
			}
			fmt.Fprintf(log, "%d/%d %s, %s\n", i+1, len(found), w, on)
			e := bench.OurEngine(self, threads, dev.String(), w.DType, os.Getenv(cli.KernelEnv))
			r, err := bench.MeasureModel(ctx, e, w, threads, o.pace, ceilings[threads])
			if err != nil {
				return fmt.Errorf("%s: %w", w, err)
			}
			if err := sink.add(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func listWorkloads(out io.Writer, found []bench.Workload) error {
	table := cli.NewTable("workload", ">items a call", "item", "counted as")
	for _, w := range found {
		table.Row(w, fmt.Sprintf("%.0f", w.Items), w.Unit, w.Kind)
	}
	return table.Write(out)
}

// modelTable prints records of ours.
func modelTable(out io.Writer, all []bench.Record) error {
	if all[0].Device != "" {
		return gpuTable(out, all)
	}
	m, c := all[0].Machine, all[len(all)-1].Ceiling
	fmt.Fprintf(out, "%s, instruction set %s, commit %s; ceiling with %d threads %.4g GFLOP/s, bf16 %.4g, %.3g GB/s read\n", m.CPU.Name, m.CPU.Used, shortCommit(m),
		all[len(all)-1].Threads, c.FLOPs/1e9, c.Half/1e9, c.Bytes/1e9)
	table := cli.NewTable("case", ">threads", ">median", ">gain", ">quartiles", ">n", ">rate", ">GFLOP/s", ">share", "of", ">in bf16", ">memory", ">of it grown", ">allocs")
	for i := range all {
		r := &all[i]
		share, half := "", ""
		if r.Limit != "" {
			share, half = fmt.Sprintf("%.0f %%", 100*r.Share), fmt.Sprintf("%.0f %%", 100*r.HalfShare())
		}
		if !strings.HasSuffix(r.Case, "/bf16") {
			half = ""
		}
		table.Row(r.Case, r.Threads, seconds(r.Median), gain(all[:i], r), fmt.Sprintf("%s–%s", seconds(r.Low), seconds(r.High)), r.N, fmt.Sprintf("%.4g %s/s", r.PerSecond, r.Unit), fmt.Sprintf("%.4g", r.GFLOPs),
			share, r.Limit, half, cli.Bytes(r.Peak), cli.Bytes(r.Growth()), fmt.Sprintf("%.0f", r.Allocs))
	}
	return table.Write(out)
}

// gpuTable prints records of ours on a GPU.
func gpuTable(out io.Writer, all []bench.Record) error {
	c := all[0].Ceiling
	fmt.Fprintf(out, "%s, commit %s; measured ceiling %.4g GFLOP/s, of 16 bits %.4g, %.4g GB/s copied\n", all[0].Device, shortCommit(all[0].Machine), c.FLOPs/1e9, c.Half/1e9, c.Bytes/1e9)
	table := cli.NewTable("case", ">median", ">quartiles", ">n", ">first", ">rate", ">GFLOP/s", ">share", "of", ">in 16 bits", ">host memory")
	for i := range all {
		r := &all[i]
		share, half := "", ""
		if r.Limit != "" {
			share = fmt.Sprintf("%.0f %%", 100*r.Share)
		}
		if strings.HasSuffix(r.Case, "/bf16") {
			half = fmt.Sprintf("%.0f %%", 100*r.HalfShare())
		}
		table.Row(r.Case, seconds(r.Median), fmt.Sprintf("%s–%s", seconds(r.Low), seconds(r.High)), r.N, seconds(r.First), fmt.Sprintf("%.4g %s/s", r.PerSecond, r.Unit), fmt.Sprintf("%.4g", r.GFLOPs),
			share, r.Limit, half, cli.Bytes(r.Peak))
	}
	if err := table.Write(out); err != nil {
		return err
	}
	if all[0].Emulated {
		fmt.Fprintln(out, "EMULATED: the times mean nothing")
	}
	last := ""
	for _, r := range all {
		if r.Clocks != last {
			fmt.Fprintf(out, "behind %s: %s\n", r.Case, r.Clocks)
		}
		last = r.Clocks
	}
	return nil
}

// gain is how much faster a case is than with the first number of threads that it was measured with, such as 1.93 ×.
func gain(before []bench.Record, r *bench.Record) string {
	for _, o := range before {
		if o.Case == r.Case && o.Threads != r.Threads {
			return fmt.Sprintf("%.2f ×", o.Median/r.Median)
		}
	}
	return ""
}

func shortCommit(m bench.Machine) string {
	switch {
	case m.Commit == "":
		return "unknown"
	case m.Modified:
		return m.Commit[:min(9, len(m.Commit))] + ", changed"
	}
	return m.Commit[:min(9, len(m.Commit))]
}

// opTable prints which ops the time went to, one call of each case.
func opTable(out io.Writer, all []bench.Record) error {
	for _, r := range all {
		if r.Tally == nil || len(r.Tally.ByKind) == 0 {
			continue
		}
		fmt.Fprintf(out, "\n%s, %d threads\n", r.Case, r.Threads)
		total := 0.0
		for _, k := range r.Tally.ByKind {
			total += k.Seconds
		}
		table := cli.NewTable("op", "variant", ">calls", ">time", ">of all", ">GFLOP/s", ">GB/s")
		for _, k := range r.Tally.ByKind {
			table.Row(k.Op, k.Variant, k.Calls, seconds(k.Seconds), fmt.Sprintf("%.1f %%", 100*k.Seconds/total), fmt.Sprintf("%.4g", k.FLOPs/k.Seconds/1e9), fmt.Sprintf("%.3g", k.Bytes/k.Seconds/1e9))
		}
		if err := table.Write(out); err != nil {
			return err
		}
	}
	return nil
}

// benchServeCmd is the process in which a case is measured; it is started by the other verbs.
func benchServeCmd() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Answer requests to measure, one JSON object a line", Args: cobra.NoArgs, Hidden: true,
		Long: "Answer requests on standard input, one JSON object a line, as bench/peers/README.md describes them: the engine's side of bench model and bench peers.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			dev, err := benchDevice()
			if err != nil {
				return err
			}
			return bench.Serve(cmd.InOrStdin(), cmd.OutOrStdout(), dev)
		},
	}
}
