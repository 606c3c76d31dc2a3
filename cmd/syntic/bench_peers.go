package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"syntic/bench"
	"syntic/cmd/internal/cli"
)

type benchPeersOptions struct {
	recordFlags
	paceFlags
	python, scripts, from string
	cases                 []string
	all, detail           bool
}

func benchPeersCmd() *cobra.Command {
	var o benchPeersOptions
	cmd := &cobra.Command{
		Use: "peers --python PATH", Short: "The engine against PyTorch, ONNX Runtime, oneDNN, OpenBLAS, FAISS and others, in turns", Args: cobra.NoArgs,
		Long: "Measure the engine and other engines on the same workloads in one run: each runs in a process of its own that stays alive, and they take turns, a\n" +
			"sample each in every round, in an order that changes. PATH is a Python with the packages of bench/peers/requirements.txt; an engine\n" +
			"that is not installed is named and left out. Ratios are our items a second over theirs, of the medians, with a 95 % bootstrap\n" +
			"interval: above 1, ours is faster. Only the settings known to be best are measured without --all. Leave the machine alone meanwhile.",
		Example: "  syntic bench peers --python .venv/bin/python --save bench/results/peers.jsonl\n" +
			"  syntic bench peers --python .venv/bin/python --case gemm --case clip-image/b1 --all --details\n  syntic bench peers --from bench/results/peers.jsonl",
		RunE: func(cmd *cobra.Command, _ []string) error { return benchPeers(cmd, &o) },
	}
	o.recordFlags.register(cmd)
	o.paceFlags.register(cmd, 6)
	f := cmd.Flags()
	f.StringVar(&o.python, "python", "", "`path` of the Python that runs the peers")
	f.StringVar(&o.scripts, "scripts", filepath.Join("bench", "peers"), "`folder` with the peers' scripts")
	f.StringArrayVar(&o.cases, "case", nil, "only the rows of this `name`, or name/shape, or name/shape/class (repeatable)")
	f.BoolVar(&o.all, "all", false, "also the engines and settings known to be slower")
	f.BoolVar(&o.detail, "details", false, "also a table of every engine")
	f.StringVar(&o.from, "from", "", "measure nothing: print the table of a `file` of records")
	return cmd
}

func benchPeers(cmd *cobra.Command, o *benchPeersOptions) error {
	out := cmd.OutOrStdout()
	if o.from != "" {
		records, err := bench.ReadRecords(o.from)
		if err != nil {
			return err
		}
		return o.show(out, records, nil)
	}
	rows, err := bench.FindRows(o.cases...)
	if err != nil {
		return cli.Usage(err)
	}
	if err := o.check(); err != nil {
		return err
	}
	if o.python == "" {
		return cli.Usage(errors.New("--python is missing: want the path of a Python with the packages of bench/peers/requirements.txt"))
	}
	if _, err := os.Stat(filepath.Join(o.scripts, "peer.py")); err != nil {
		return cli.BadInput(fmt.Errorf("--scripts: %w: want the folder bench/peers of the source", err))
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	sink, err := o.recordFlags.open(out)
	if err != nil {
		return err
	}
	setup := bench.Setup{Self: self, Python: o.python, Scripts: o.scripts, Threads: runtime.GOMAXPROCS(0), Kernels: os.Getenv(cli.KernelEnv)}
	absent, measured := o.measure(cmd, setup, rows, sink)
	if o.format == "table" && len(sink.all) > 0 { // what was measured before an interrupt is shown
		if err := o.show(out, sink.all, absent); err != nil {
			return err
		}
	}
	if err := sink.close(); err != nil {
		return err
	}
	return measured
}

func (o *benchPeersOptions) measure(cmd *cobra.Command, setup bench.Setup, rows []bench.Row, sink *recordSink) (absent []string, err error) {
	log := cmd.ErrOrStderr()
	ceiling, err := bench.Measure()
	if err != nil {
		return nil, err
	}
	for i, row := range rows {
		fmt.Fprintf(log, "%d/%d %s, %s\n", i+1, len(rows), row.Title, row.Case)
		records, missing, err := bench.MeasureRow(cmd.Context(), setup, row, o.all, o.pace, ceiling)
		if err != nil {
			return absent, err
		}
		for _, r := range records {
			if err := sink.add(r); err != nil {
				return absent, err
			}
		}
		for _, m := range missing {
			absent = append(absent, fmt.Sprintf("%s, %s: %s: %s", row.Title, row.Class(), m.Engine, m.Why))
			fmt.Fprintf(log, "  %s: %s\n", m.Engine, m.Why)
		}
	}
	return absent, nil
}

// show prints the table of records and what is missing from it.
func (o *benchPeersOptions) show(out io.Writer, records []bench.Record, absent []string) error {
	list := bench.Standings(records)
	if len(list) == 0 {
		return cli.BadInput(errors.New("no record of a row of the table: want those of syntic bench peers"))
	}
	m, c := list[0].Ours.Machine, list[0].Ours.Ceiling
	fmt.Fprintf(out, "%s, instruction set %s, %d threads, commit %s; ceiling %.4g GFLOP/s, bf16 %.4g, %.3g GB/s read\n\n", m.CPU.Name, m.CPU.Used, list[0].Ours.Threads, shortCommit(m), c.FLOPs/1e9, c.Half/1e9, c.Bytes/1e9)
	table := cli.NewTable("workload", "class", ">ours", ">a call", "best peer", ">theirs", ">ratio", ">95 %", ">goal", "", ">of limit", ">to f32 peer", ">memory: ours", ">theirs", ">grown: ours", ">theirs")
	for _, s := range list {
		share, cross := "", ""
		if s.Ours.Limit != "" {
			share = fmt.Sprintf("%.0f %%", 100*s.Ours.Share)
		}
		if s.Ours.Limit == "memory" {
			share += fmt.Sprintf(" of %.3g GB/s", s.Ours.Ceiling.Bytes/1e9)
		}
		if s.Class() == bench.InBF16 && s.Ours.Tally != nil && s.Ours.HalfShare() < 0.9 {
			share += fmt.Sprintf(" (%.0f %% in bf16)", 100*s.Ours.HalfShare())
		}
		if s.Cross > 0 {
			cross = fmt.Sprintf("%.2f", s.Cross)
		}
		rate := fmt.Sprintf("%.4g %s/s", s.Ours.PerSecond, s.Ours.Unit)
		if len(s.Peers) == 0 {
			table.Row(s.Title, s.Class(), rate, seconds(s.Ours.Median), strings.Join(engines(s.Row), ", ")+": none", "", "", "", s.Goals(), "", share, cross, cli.Bytes(s.Ours.Peak), "", cli.Bytes(s.Ours.Growth()))
			continue
		}
		best := s.Peers[0]
		met := "short"
		if s.Met() {
			met = "met"
		}
		if s.Goals() == "" {
			met = ""
		}
		table.Row(s.Title, s.Class(), rate, seconds(s.Ours.Median), best.Engine, fmt.Sprintf("%.4g", best.PerSecond), fmt.Sprintf("%.2f", best.Ratio), fmt.Sprintf("%.2f–%.2f", best.Low, best.High), s.Goals(), met, share, cross,
			cli.Bytes(s.Ours.Peak), cli.Bytes(best.Peak), cli.Bytes(s.Ours.Growth()), cli.Bytes(best.Growth()))
	}
	if err := table.Write(out); err != nil {
		return err
	}
	if o.detail {
		if err := showEngines(out, list); err != nil {
			return err
		}
	}
	if len(absent) > 0 {
		fmt.Fprintln(out, "\nwithout result:")
		for _, a := range absent {
			fmt.Fprintln(out, " ", a)
		}
	}
	return nil
}

// engines are the names of a row's peers.
func engines(r bench.Row) (names []string) {
	for _, p := range r.Peers {
		name, _, _ := strings.Cut(p, "@")
		names = append(names, name)
	}
	return names
}

// showEngines prints a line for every engine of every row.
func showEngines(out io.Writer, list []bench.Standing) error {
	fmt.Fprintln(out)
	table := cli.NewTable("case", "engine", "setting", ">median", ">fastest", ">n", ">rate", ">GFLOP/s", ">ratio", ">memory", ">grown")
	for _, s := range list {
		o := s.Ours
		table.Row(o.Case, o.Engine, "", seconds(o.Median), seconds(o.Min), o.N, fmt.Sprintf("%.4g %s/s", o.PerSecond, o.Unit), fmt.Sprintf("%.4g", o.GFLOPs), "", cli.Bytes(o.Peak), cli.Bytes(o.Growth()))
		for _, p := range s.Peers {
			table.Row(p.Case, p.Engine, strings.Trim(p.Version+", "+p.Note, ", "), seconds(p.Median), seconds(p.Min), p.N, fmt.Sprintf("%.4g %s/s", p.PerSecond, p.Unit), "", fmt.Sprintf("%.2f", p.Ratio), cli.Bytes(p.Peak), cli.Bytes(p.Growth()))
		}
	}
	return table.Write(out)
}
