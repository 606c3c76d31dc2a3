package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
	"syntic/syntic/metric"
	"syntic/tensor/wholefile"
)

type evalOptions struct {
	refs, results, perImage string
	json                    bool
	metric                  metric.Options
}

func evalCmd() *cobra.Command {
	var o evalOptions
	cmd := &cobra.Command{
		Use: "eval --refs FILE --results FILE", Short: "Score captions: BLEU, ROUGE-L, CIDEr-D",
		Long: "Score a COCO result file against COCO captions annotations, as pycocoevalcap does: BLEU-1 to BLEU-4, ROUGE-L and\n" +
			"CIDEr-D (named CIDEr). Both files may be gzipped. The table shows scores times 100, JSON shows plain fractions.",
		Example: "  syntic eval --refs captions_val2014.json --results captions.json\n  syntic eval --refs refs.json.gz --results captions.json --json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return eval(o, cmd.OutOrStdout()) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.refs, "refs", "", "annotations `file`: {\"images\", \"annotations\": [{\"image_id\", \"caption\"}]}")
	flags.StringVar(&o.results, "results", "", "result `file`: [{\"image_id\", \"caption\"}]")
	flags.BoolVar(&o.json, "json", false, "print {\"scores\": {…}, \"images\": N}")
	flags.BoolVar(&o.metric.AllowMissing, "allow-missing", false, "score the images that have a result, instead of refusing")
	flags.StringVar(&o.perImage, "per-image", "", "write the scores of every image to this JSON `file`")
	cmd.MarkFlagRequired("refs")
	cmd.MarkFlagRequired("results")
	return cmd
}

func eval(o evalOptions, out io.Writer) error {
	refs, err := metric.LoadReferences(o.refs)
	if err != nil {
		return cli.BadInput(err)
	}
	results, err := metric.LoadResults(o.results)
	if err != nil {
		return cli.BadInput(err)
	}
	report, err := metric.Evaluate(refs, results, o.metric)
	if err != nil {
		return cli.BadInput(err)
	}
	if o.perImage != "" {
		if err := writePerImage(o.perImage, report); err != nil {
			return cli.BadInput(fmt.Errorf("--per-image: %w", err))
		}
	}
	if o.json {
		text, err := json.Marshal(report)
		if err != nil {
			return err
		}
		_, err = out.Write(append(text, '\n'))
		return err
	}
	return evalTable(report, out)
}

// evalResamples is enough for the second digit of a 95 % interval.
const evalResamples = 1000

func evalTable(r *metric.Report, out io.Writer) error {
	intervals := map[string]metric.Interval{}
	for k, in := range metric.BootstrapBLEU(r.BLEU, evalResamples, 0) {
		intervals[fmt.Sprintf("Bleu_%d", k+1)] = in
	}
	for _, name := range []string{"ROUGE_L", "CIDEr"} {
		intervals[name] = metric.Bootstrap(r.PerImage[name], evalResamples, 0)
	}
	t := cli.NewTable("metric", ">score × 100", ">95 % interval")
	for _, name := range metric.Names() {
		in := intervals[name]
		t.Row(name, fmt.Sprintf("%.2f", 100*r.Scores[name]), fmt.Sprintf("%.2f – %.2f", 100*in.Low, 100*in.High))
	}
	if err := t.Write(out); err != nil {
		return err
	}
	missing := ""
	if r.Missing > 0 {
		missing = fmt.Sprintf("; %d without a result left out: not comparable with scores over all %d", r.Missing, r.Images+r.Missing)
	}
	_, err := fmt.Fprintf(out, "%d images%s. Intervals: bootstrap over images, %d resamples.\n", r.Images, missing, evalResamples)
	return err
}

func writePerImage(path string, r *metric.Report) error {
	var b bytes.Buffer
	if err := r.WritePerImage(&b); err != nil {
		return err
	}
	return wholefile.WriteBytes(path, b.Bytes())
}
