package main

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
	"syntic/syntic/pipeline"
	"syntic/tensor/wholefile"
)

// maxPNG bounds the file that replay reads, far above any image of maxSide.
const maxPNG = 256 << 20

func replayCmd() *cobra.Command {
	var sd, out string
	cmd := &cobra.Command{
		Use: "replay IMAGE.png", Short: "Make an image of syntic generate again, from what its PNG says", Args: cobra.ExactArgs(1),
		Long: "Make an image of syntic generate again, from the parameters in its PNG, and compare the pixels, which must be the same. The model\n" +
			"must be the one that made it: its hash is in the image too. Pixels are the same on the same device with the same kernels.",
		Example: "  syntic replay ball.png\n  syntic replay drawn-07.png --sd models/stable-diffusion-v1-4 --out again.png",
		RunE:    func(cmd *cobra.Command, args []string) error { return replay(cmd, args[0], sd, out) },
	}
	f := cmd.Flags()
	f.StringVar(&sd, "sd", "", "`folder` or file of the model, where it no longer lies where the image says")
	f.StringVar(&out, "out", "", "`file` of the new image, a .png (default: IMAGE-replay.png)")
	return cmd
}

func replay(cmd *cobra.Command, path, sd, out string) error {
	if out == "" {
		out = strings.TrimSuffix(path, filepath.Ext(path)) + "-replay.png"
	}
	if !strings.EqualFold(filepath.Ext(out), ".png") {
		return cli.Usage(fmt.Errorf("--out %q: want a name that ends in .png", out))
	}
	before, p, err := readDrawing(path)
	if err != nil {
		return cli.BadInput(fmt.Errorf("%s: %w", path, reason(err)))
	}
	if err := writable(out); err != nil {
		return cli.BadInput(fmt.Errorf("--out: %w", err))
	}
	if sd != "" {
		p.Model = sd
	}
	dev, err := openDevice()
	if err != nil {
		return cli.Usage(err)
	}
	hash, err := pipeline.HashPainter(cmd.Context(), p.Model)
	if err != nil {
		return cli.BadInput(fmt.Errorf("the model of %s: %w: name its folder with --sd", path, err))
	}
	if hash != p.ModelHash {
		return cli.BadInput(fmt.Errorf("%s was made with a model of hash %.19s…; %s has %.19s…: name the right one with --sd", path, p.ModelHash, p.Model, hash))
	}
	e, err := openEasel(cmd.Context(), dev, p.Model, p.Sampler)
	if err != nil {
		return err
	}
	defer e.Close()
	if f := e.painter.VAE.Factor(); p.width%f != 0 || p.height%f != 0 {
		return cli.BadInput(fmt.Errorf("%s: size %s: this model's images are multiples of %d", path, p.Size, f))
	}
	bars := cli.NewProgress(cmd.ErrOrStderr())
	defer bars.Close()
	return e.paint(cmd.Context(), bars, []drawing{{out, *p}}, func(d drawing, data []byte) error {
		if err := wholefile.WriteBytes(out, data); err != nil {
			return cli.BadInput(fmt.Errorf("--out: cannot write %s: %w", out, reason(err)))
		}
		fmt.Fprintln(cmd.OutOrStdout(), out)
		again, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			return err
		}
		if n, most := differing(before, again); n > 0 {
			return fmt.Errorf("%s differs from %s in %d pixels, by at most %d of 255: was it made on another device or with other kernels, or changed since?", out, path, n, most)
		}
		return nil
	})
}

// readDrawing reads an image of generate and how it was made.
func readDrawing(path string) (image.Image, *parameters, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if info.Size() > maxPNG {
		return nil, nil, fmt.Errorf("%d bytes: want a PNG of syntic generate", info.Size())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	text, err := textOf(data, parametersKey)
	if err != nil {
		return nil, nil, err
	}
	p, err := parseParameters(text)
	if err != nil {
		return nil, nil, err
	}
	c, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, nil, err
	}
	if c.Width != p.width || c.Height != p.height {
		return nil, nil, fmt.Errorf("the image is %dx%d, its parameters say %s: it was changed", c.Width, c.Height, p.Size)
	}
	im, err := png.Decode(bytes.NewReader(data))
	return im, p, err
}

// differing counts the pixels in which two images of one size differ, and the largest difference of a channel, of 255.
func differing(a, b image.Image) (n, most int) {
	r := a.Bounds()
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			r1, g1, b1, a1 := a.At(x, y).RGBA()
			r2, g2, b2, a2 := b.At(x, y).RGBA()
			d := 0
			for _, c := range [][2]uint32{{r1, r2}, {g1, g2}, {b1, b2}, {a1, a2}} {
				e := int(c[0]>>8) - int(c[1]>>8)
				d = max(d, e, -e)
			}
			if d > 0 {
				n++
			}
			most = max(most, d)
		}
	}
	return n, most
}
