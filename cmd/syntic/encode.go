package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"syntic/clip"
	"syntic/clip/bpe"
	"syntic/clip/pixels"
	"syntic/cmd/internal/cli"
	"syntic/syntic"
	"syntic/syntic/dataset"
	"syntic/syntic/pipeline"
)

// maxBatch is the largest --batch.
const maxBatch = 1 << 16

type encodeOptions struct {
	clip, out, list string
	batch           int
	skip, plain     bool
}

func encodeCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "encode", Short: "Encode images or texts with CLIP into a file of features",
		Long: "Encode images or texts with CLIP. The result is a safetensors file with one tensor, \"features\" [N, E], rows of unit length, and in its\n" +
			"metadata under \"names\" a JSON list of the images' paths, or of the texts. syntic project and syntic refine read such files."}
	cmd.AddCommand(encodeImagesCmd(), encodeTextsCmd())
	return cmd
}

// flags are those that both kinds have.
func (o *encodeOptions) flags(cmd *cobra.Command, batch int) {
	f := cmd.Flags()
	f.StringVar(&o.clip, "clip", pipeline.World, "`folder` of the CLIP model, in Hugging Face's or OpenAI's layout; world: the drawn world's own")
	f.StringVar(&o.out, "out", "", "safetensors `file` of the features")
	f.IntVar(&o.batch, "batch", batch, "encode `N` together; it changes no bit of the result")
	f.BoolVar(&o.plain, "no-names", false, "leave the names out of the file")
	cmd.MarkFlagRequired("out")
}

func encodeImagesCmd() *cobra.Command {
	var o encodeOptions
	cmd := &cobra.Command{
		Use: "images PATH... --out FILE", Short: "Encode images",
		Long: "Encode images: files, folders with all images in them, and with --list the paths in a file, which come first. Images are resized, cut\n" +
			"and normalised as the model's preprocessor_config.json says. An image that cannot be read ends it with exit code 3 and nothing is\n" +
			"written; with --skip it is told on stderr and left out.",
		Example: "  syntic encode images --clip clip-vit-base-patch32 val2014 --out images.safetensors\n" +
			"  syntic encode images --clip clip-vit-large-patch14 --list images.txt --skip --out images.safetensors",
		RunE: func(cmd *cobra.Command, args []string) error { return encodeImages(cmd, args, &o) },
	}
	o.flags(cmd, 32)
	cmd.Flags().StringVar(&o.list, "list", "", "a `file` with the path of an image a line")
	cmd.Flags().BoolVar(&o.skip, "skip", false, "leave out images that cannot be read")
	return cmd
}

func encodeTextsCmd() *cobra.Command {
	var o encodeOptions
	cmd := &cobra.Command{
		Use: "texts FILE... --out FILE", Short: "Encode texts",
		Long: "Encode texts: one a line, a JSON list, or captions in any of the forms of syntic data formats, all captions of all splits; - is stdin,\n" +
			"one a line. Texts too long for the model are cut.",
		Example: "  syntic encode texts --clip clip-vit-base-patch32 captions.txt --out texts.safetensors\n" +
			"  syntic encode texts --clip clip-vit-base-patch32 captions_train2014.json --out bank.safetensors",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return encodeTexts(cmd, args, &o) },
	}
	o.flags(cmd, 256)
	return cmd
}

// open checks what can be checked before the work and reads the model.
func (o *encodeOptions) open(cmd *cobra.Command) (m *clip.Model, tok *bpe.Tokenizer, done func(), err error) {
	if o.batch < 1 || o.batch > maxBatch {
		return nil, nil, nil, cli.Usage(fmt.Errorf("--batch %d: want 1 to %d", o.batch, maxBatch))
	}
	dev, err := openDevice()
	if err != nil {
		return nil, nil, nil, cli.Usage(err)
	}
	if err := writable(o.out); err != nil {
		return nil, nil, nil, cli.BadInput(fmt.Errorf("--out: %w", err))
	}
	dir, remove, err := modelFolder(cmd, "--clip", o.clip, "clip")
	if err != nil {
		return nil, nil, nil, err
	}
	defer remove()
	if m, err = clip.Load(dir, dev); err != nil {
		return nil, nil, nil, cli.BadInput(fmt.Errorf("--clip: %w", err))
	}
	if tok, err = bpe.ForModel(dir, bpe.OpenAI); err != nil {
		m.Close()
		return nil, nil, nil, cli.BadInput(fmt.Errorf("--clip: %w", err))
	}
	return m, tok, m.Close, nil
}

func encodeImages(cmd *cobra.Command, args []string, o *encodeOptions) error {
	if len(args) == 0 && o.list == "" {
		return cli.Usage(fmt.Errorf("no images: want paths or --list"))
	}
	paths, err := listImages(args, o.list)
	if err != nil {
		return cli.BadInput(err)
	}
	m, _, done, err := o.open(cmd)
	if err != nil {
		return err
	}
	defer done()
	bars := cli.NewProgress(cmd.ErrOrStderr())
	defer bars.Close()
	bar := bars.Stage("encode", len(paths))
	defer bar.Done()
	open, bad, told := newOpener(paths), make([]bool, len(paths)), 0
	rows, err := clip.EncodeImages(cmd.Context(), m, len(paths), func(i int) (*pixels.Image, error) {
		im, err := open.take(i)
		if err != nil && o.skip {
			cli.Complain(bars, "syntic", fmt.Errorf("skipped: %w", err))
			bad[i] = true
			return pixels.NewImage(1, 1, 3), nil // its row is dropped below
		}
		return im, cli.BadInput(err)
	}, o.batch, func(n int) { bar.Add(n - told); told = n })
	if err != nil {
		return err
	}
	f := &syntic.Features{Size: m.Config.Projection}
	for i, path := range paths {
		if !bad[i] {
			f.Rows, f.Names = append(f.Rows, rows[i*f.Size:(i+1)*f.Size]...), append(f.Names, path)
		}
	}
	if len(f.Names) == 0 {
		return cli.BadInput(fmt.Errorf("no image of %d could be read", len(paths)))
	}
	return o.save(cmd.OutOrStdout(), f)
}

func encodeTexts(cmd *cobra.Command, args []string, o *encodeOptions) error {
	var texts []string
	for _, path := range args {
		found, err := textsOf(cmd.InOrStdin(), path)
		if err != nil {
			return cli.BadInput(err)
		}
		texts = append(texts, found...)
	}
	m, tok, done, err := o.open(cmd)
	if err != nil {
		return err
	}
	defer done()
	bars := cli.NewProgress(cmd.ErrOrStderr())
	defer bars.Close()
	bar, told := bars.Stage("encode", len(texts)), 0
	defer bar.Done()
	rows, err := clip.EncodeTexts(cmd.Context(), m, tok, texts, o.batch, func(n int) { bar.Add(n - told); told = n })
	if err != nil {
		return badInput(err)
	}
	return o.save(cmd.OutOrStdout(), &syntic.Features{Rows: rows, Size: m.Config.Projection, Names: texts})
}

// textsOf reads the texts of a file, or the lines of stdin for "-".
func textsOf(stdin io.Reader, path string) (texts []string, err error) {
	if path == "-" {
		data, err := io.ReadAll(stdin)
		if err != nil {
			return nil, err
		}
		for _, line := range strings.Split(string(data), "\n") {
			if line = strings.TrimSpace(line); line != "" {
				texts = append(texts, line)
			}
		}
	} else {
		set, err := dataset.Load(path, dataset.Options{})
		if err != nil {
			return nil, err
		}
		for _, im := range set.Images {
			texts = append(texts, im.Captions...)
		}
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("%s: no texts", path)
	}
	return texts, nil
}

func (o *encodeOptions) save(out io.Writer, f *syntic.Features) error {
	if o.plain {
		f.Names = nil
	}
	return saveFeatures(out, o.out, f)
}

// saveFeatures writes features and prints what was written.
func saveFeatures(out io.Writer, path string, f *syntic.Features) error {
	if err := f.Save(path); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(struct {
		Out      string `json:"out"`
		Features int    `json:"features"`
		Size     int    `json:"size"`
	}{path, f.Len(), f.Size})
}
