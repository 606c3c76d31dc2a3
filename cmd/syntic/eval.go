package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
	"syntic/syntic/metric"
	"syntic/syntic/metric/meteor"
	"syntic/tensor/wholefile"
)

type evalOptions struct {
	refs, results, against string
	perImage               string
	json, allowMissing     bool
	tokenised              bool
	resamples              int
	meteor                 string

	clip, images string
	batch        int

	spice, java, spiceMemory string
	spiceTimeout             time.Duration
}

func evalCmd() *cobra.Command {
	var o evalOptions
	cmd := &cobra.Command{
		Use: "eval --refs FILE --results FILE", Short: "Score captions: BLEU, METEOR, ROUGE-L, CIDEr-D, CLIPScore, SPICE; compare two systems",
		Long: "Score a COCO result file against COCO captions annotations, as pycocoevalcap does: BLEU-1 to BLEU-4, METEOR, ROUGE-L and\n" +
			"CIDEr-D (named CIDEr), without Java. Files may be gzipped. The table shows scores times 100, JSON shows plain fractions.\n\n" +
			"METEOR 1.5 needs its paraphrase table: --meteor names meteor-1.5.jar, its folder or paraphrase-en.gz. Without, the score has\n" +
			"another name, METEOR_exact_stem_synonym, and is not comparable with published METEOR.\n" +
			"--clip and --images add CLIPScore and RefCLIPScore. --spice runs the SPICE program that you have, with your Java.\n" +
			"--against compares two result files on the same images: differences, paired bootstrap intervals and p-values.",
		Example: "  syntic eval --refs captions_val2014.json --results captions.json --meteor meteor-1.5.jar\n" +
			"  syntic eval --refs refs.json.gz --results captions.json --json --per-image scores.json\n" +
			"  syntic eval --refs refs.json --results ours.json --against theirs.json\n" +
			"  syntic eval --refs refs.json --results captions.json --clip clip-vit-base-patch32 --images val2014",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return eval(cmd, &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.refs, "refs", "", "annotations `file`: {\"images\", \"annotations\": [{\"image_id\", \"caption\"}]}")
	f.StringVar(&o.results, "results", "", "result `file`: [{\"image_id\", \"caption\"}]")
	f.StringVar(&o.against, "against", "", "a second result `file`, to compare the first with")
	f.BoolVar(&o.json, "json", false, "print {\"scores\": {…}, \"images\": N}")
	f.BoolVar(&o.allowMissing, "allow-missing", false, "score the images that have references and a result, instead of refusing where some lack one")
	f.BoolVar(&o.tokenised, "tokenised", false, "take captions and references as they are, tokens with spaces between, and tokenise nothing")
	f.StringVar(&o.perImage, "per-image", "", "write the scores of every image of --results to this JSON `file`")
	f.IntVar(&o.resamples, "resamples", 1000, "`N` bootstrap resamples of the images for intervals and p-values")
	f.StringVar(&o.meteor, "meteor", "", "`path` of METEOR's English paraphrase table: paraphrase-en.gz, METEOR's folder or its jar")
	f.StringVar(&o.clip, "clip", "", "`folder` of the CLIP model for CLIPScore, OpenAI's ViT-B/32 to be comparable; world: the drawn world's own")
	f.StringVar(&o.images, "images", "", "`folder` of the images, for CLIPScore")
	f.IntVar(&o.batch, "batch", 32, "encode `N` images or texts together; it changes no bit of the result")
	f.StringVar(&o.spice, "spice", "", "`path` of spice-1.0.jar, with its lib folder beside it; runs it with Java")
	f.StringVar(&o.java, "java", "java", "the `command` that runs SPICE")
	f.StringVar(&o.spiceMemory, "spice-memory", "8G", "`size` of SPICE's Java heap")
	f.DurationVar(&o.spiceTimeout, "spice-timeout", 3*time.Hour, "stop SPICE after this `time`")
	cmd.MarkFlagRequired("refs")
	cmd.MarkFlagRequired("results")
	return cmd
}

func (o *evalOptions) check() error {
	switch {
	case o.resamples < 1 || o.resamples > 1_000_000:
		return fmt.Errorf("--resamples %d: want 1 to 1000000", o.resamples)
	case o.batch < 1 || o.batch > maxBatch:
		return fmt.Errorf("--batch %d: want 1 to %d", o.batch, maxBatch)
	case (o.clip == "") != (o.images == ""):
		return errors.New("CLIPScore needs both --clip and --images")
	}
	return nil
}

func eval(cmd *cobra.Command, o *evalOptions) error {
	if err := o.check(); err != nil {
		return cli.Usage(err)
	}
	refs, err := metric.LoadReferences(o.refs)
	if err != nil {
		return cli.BadInput(err)
	}
	systems, err := o.systems()
	if err != nil {
		return cli.BadInput(err)
	}
	var reports []*metric.Report
	for _, results := range systems {
		r, err := metric.Evaluate(refs, results, metric.Options{AllowMissing: o.allowMissing, Tokenised: o.tokenised, METEOR: &meteor.Options{Paraphrases: o.meteor}})
		if err != nil {
			return cli.BadInput(err)
		}
		reports = append(reports, r)
	}
	if o.clip != "" {
		if err := o.addCLIPScore(cmd, refs, systems, reports); err != nil {
			return err
		}
	}
	if o.spice != "" {
		if err := o.addSPICE(cmd, reports); err != nil {
			return err
		}
	}
	if o.perImage != "" {
		if err := writePerImage(o.perImage, reports[0]); err != nil {
			return cli.BadInput(fmt.Errorf("--per-image: %w", err))
		}
	}
	out := cmd.OutOrStdout()
	if len(reports) == 2 {
		return o.compare(reports[0], reports[1], out)
	}
	if o.json {
		return writeJSON(out, reports[0])
	}
	return o.table(reports[0], out)
}

// systems reads one or two result files. With --allow-missing two are brought to the images that both have.
func (o *evalOptions) systems() ([]*metric.Results, error) {
	a, err := metric.LoadResults(o.results)
	if err != nil || o.against == "" {
		return []*metric.Results{a}, err
	}
	b, err := metric.LoadResults(o.against)
	if err != nil {
		return nil, err
	}
	if o.allowMissing {
		inA, inB := imagesOf(a), imagesOf(b)
		a.Rows, b.Rows = onlyRows(a.Rows, inB), onlyRows(b.Rows, inA)
		if len(a.Rows) == 0 {
			return nil, fmt.Errorf("%s and %s have no image in common", o.results, o.against)
		}
	}
	return []*metric.Results{a, b}, nil
}

func imagesOf(r *metric.Results) map[metric.ImageID]bool {
	in := map[metric.ImageID]bool{}
	for _, row := range r.Rows {
		in[row.ImageID] = true
	}
	return in
}

func onlyRows(rows []metric.Result, in map[metric.ImageID]bool) []metric.Result {
	var kept []metric.Result
	for _, r := range rows {
		if in[r.ImageID] {
			kept = append(kept, r)
		}
	}
	return kept
}

func writeJSON(out io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = out.Write(append(text, '\n'))
	return err
}

func (o *evalOptions) table(r *metric.Report, out io.Writer) error {
	intervals := r.Intervals(o.resamples, 0)
	t := cli.NewTable("metric", ">score × 100", ">95 % interval")
	for _, name := range r.Names {
		in := intervals[name]
		t.Row(name, hundred(r.Scores[name]), hundred(in.Low)+" – "+hundred(in.High))
	}
	if err := t.Write(out); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "%s. Intervals: bootstrap over images, %d resamples.\n%s", scored(r), o.resamples, notes(r))
	return err
}

func hundred(x float64) string {
	if math.IsNaN(x) {
		return "undefined"
	}
	return fmt.Sprintf("%.2f", 100*x)
}

// scored says on which images a report is.
func scored(r *metric.Report) string {
	s := fmt.Sprintf("%d images", r.Images)
	if r.Missing > 0 {
		s += fmt.Sprintf("; %d without a result left out: not comparable with scores over all %d", r.Missing, r.Images+r.Missing)
	}
	if r.Extra > 0 {
		s += fmt.Sprintf("; %d without references left out", r.Extra)
	}
	if r.AsIs {
		s += "; captions taken as tokenised"
	}
	return s
}

// notes says what the scores are of, where the name alone does not.
func notes(r *metric.Report) string {
	var b strings.Builder
	stages := strings.Join(r.Stages, ", ")
	if len(r.Stages) == 4 {
		fmt.Fprintf(&b, "METEOR 1.5, stages: %s.\n", stages)
	} else if r.Stages != nil {
		fmt.Fprintf(&b, "METEOR's stages: %s. Without its paraphrase table (--meteor) it is not METEOR 1.5 and not comparable.\n", stages)
	}
	if r.CLIP != "" {
		fmt.Fprintf(&b, "CLIPScore with %s.\n", r.CLIP)
	}
	return b.String()
}

func writePerImage(path string, r *metric.Report) error {
	var b bytes.Buffer
	if err := r.WritePerImage(&b); err != nil {
		return err
	}
	return wholefile.WriteBytes(path, b.Bytes())
}
