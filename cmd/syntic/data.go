package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
	"syntic/syntic/dataset"
)

func dataCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "data", Short: "Look into files of captions and folders of images before a run uses them"}
	cmd.AddCommand(dataCheckCmd(), dataFormatsCmd())
	return cmd
}

type dataCheckOptions struct {
	format, images string
	lists          dataset.Lists
	restval        bool
	json, decode   bool
}

func dataCheckCmd() *cobra.Command {
	var o dataCheckOptions
	cmd := &cobra.Command{
		Use: "check FILE...", Short: "Count and check captions: images, captions and words of every split, and whether they are the known ones",
		Long: "Read files of captions as a run would, all of them as one corpus: gzipped or not, in any format of syntic data formats, recognised by\n" +
			"what they hold. The table shows images, captions and words of each split, and the SHA-256 of its captions, which is the same in every\n" +
			"format, with the name of the split that has it in the literature. Files that are wrong end with exit code 3 and one line: an image\n" +
			"twice, an empty caption, bytes that are not UTF-8, JSON that ends too early.",
		Example: "  syntic data check dataset_coco.json\n" +
			"  syntic data check captions_train2014.json captions_val2014.json --val-list karpathy_val_images.txt --test-list karpathy_test_images.txt\n" +
			"  syntic data check Flickr8k.token.txt --images Flicker8k_Dataset",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, paths []string) error { return dataCheck(cmd, paths, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "auto", "read the files as this `format`, whatever they look like (see syntic data formats)")
	f.StringVar(&o.lists.Train, "train-list", "", "`file` that names the training images")
	f.StringVar(&o.lists.Val, "val-list", "", "`file` that names the validation images")
	f.StringVar(&o.lists.Test, "test-list", "", "`file` that names the test images")
	f.BoolVar(&o.restval, "restval", true, "count the split restval as training captions, as data.restval does")
	f.StringVar(&o.images, "images", "", "`folder` or tar (or a pattern of tars) with the pictures: look for all of them")
	f.BoolVar(&o.decode, "decode", false, "with --images: decode every picture as well")
	f.BoolVar(&o.json, "json", false, "print one object")
	return cmd
}

// dataReport is what data check finds.
type dataReport struct {
	Files   []dataFile      `json:"files"`
	Splits  []dataSplit     `json:"splits"`
	Train   int             `json:"training_captions"`
	Restval bool            `json:"restval"`
	Images  *dataStoreCount `json:"pictures,omitempty"`
}

type dataFile struct {
	Path   string         `json:"path"`
	Format dataset.Format `json:"format"`
	Bytes  int64          `json:"bytes"` // unpacked
	SHA256 string         `json:"sha256,omitempty"`
}

type dataSplit struct {
	dataset.Count
	Known string `json:"known,omitempty"`
}

type dataStoreCount struct {
	Path    string `json:"path"`
	Found   int    `json:"found"`
	Decoded int    `json:"decoded"`
}

func dataCheck(cmd *cobra.Command, paths []string, o dataCheckOptions) error {
	format, err := dataset.ParseFormat(o.format)
	if err != nil {
		return cli.Usage(fmt.Errorf("--format: %w", err))
	}
	if o.decode && o.images == "" {
		return cli.Usage(fmt.Errorf("--decode: want --images as well"))
	}
	r := dataReport{Restval: o.restval}
	var sets []*dataset.Set
	for _, path := range paths {
		if err := cmd.Context().Err(); err != nil {
			return err
		}
		s, err := dataset.Load(path, dataset.Options{Format: format})
		if err != nil {
			return cli.BadInput(err)
		}
		sets = append(sets, s)
		r.Files = append(r.Files, dataFile{path, s.Format, s.Bytes, s.SHA256})
	}
	s, err := dataset.Join(sets...)
	if err == nil && !o.lists.None() {
		err = o.lists.Apply(s)
	}
	if err != nil {
		return cli.BadInput(err)
	}
	for _, c := range s.Counts() {
		r.Splits = append(r.Splits, dataSplit{c, s.Identify(c)})
	}
	r.Train = len(s.Texts(o.restval))
	if o.images != "" {
		if r.Images, err = checkPictures(cmd, s, o); err != nil {
			return cli.BadInput(err)
		}
	}
	if o.json {
		e := json.NewEncoder(cmd.OutOrStdout())
		e.SetEscapeHTML(false)
		return e.Encode(r)
	}
	return r.show(cmd.OutOrStdout(), s)
}

// checkPictures looks for the picture of every image that has a name or id.
func checkPictures(cmd *cobra.Command, s *dataset.Set, o dataCheckOptions) (*dataStoreCount, error) {
	store, err := dataset.OpenStore(o.images)
	if err != nil {
		return nil, err
	}
	pictures, err := store.FindAll(s.Images)
	if err != nil {
		return nil, err
	}
	out := &dataStoreCount{Path: o.images, Found: len(pictures)}
	if !o.decode {
		return out, nil
	}
	for _, p := range pictures {
		if err := cmd.Context().Err(); err != nil {
			return nil, err
		}
		if _, err := p.Open(); err != nil {
			return nil, err
		}
		out.Decoded++
	}
	return out, nil
}

func (r *dataReport) show(w io.Writer, s *dataset.Set) error {
	files := cli.NewTable("file", "format", ">bytes", "SHA-256")
	for _, f := range r.Files {
		files.Row(f.Path, f.Format, f.Bytes, short(f.SHA256))
	}
	if err := files.Write(w); err != nil {
		return err
	}
	fmt.Fprintln(w)
	table := cli.NewTable("split", ">images", ">captions", ">words", ">distinct", ">longest", "SHA-256 of captions", "known as")
	for i, c := range r.Splits {
		if i > 0 && c.Split == "all" {
			table.Rule()
		}
		name, known := c.Split, c.Known
		if name == "" {
			name = "(none)"
		}
		if known == "" {
			known = "-"
		}
		table.Row(name, c.Images, c.Captions, c.Words, c.Distinct, c.Longest, short(c.SHA256), known)
	}
	if err := table.Write(w); err != nil {
		return err
	}
	var notes []string
	how := "no split restval here"
	switch {
	case !s.HasSplits():
		how = "no splits: all"
	case len(s.Split(dataset.Restval)) > 0:
		how = "restval " + map[bool]string{true: "used", false: "not used"}[r.Restval]
	}
	notes = append(notes, fmt.Sprintf("training captions: %d (%s)", r.Train, how))
	if r.Images != nil {
		notes = append(notes, fmt.Sprintf("%d pictures found in %s, %d decoded", r.Images.Found, r.Images.Path, r.Images.Decoded))
	}
	_, err := fmt.Fprintf(w, "\n%s\n", strings.Join(notes, "; "))
	return err
}

// short is the beginning of a hash, enough for the eye; --json has all of it.
func short(sum string) string { return sum[:min(16, len(sum))] }

func dataFormatsCmd() *cobra.Command {
	return &cobra.Command{
		Use: "formats", Short: "The formats of captions that can be read", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t := cli.NewTable("format", "what it is")
			for _, f := range dataset.Formats() {
				t.Row(string(f), f.Describe())
			}
			return t.Write(cmd.OutOrStdout())
		},
	}
}
