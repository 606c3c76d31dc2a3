package main

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"syntic/clip/pixels"
	"syntic/cmd/internal/cli"
	"syntic/tensor/safetensors"
)

type pixelsOptions struct {
	out, resize, filter string
	upright             bool
}

// pixelFilters are Pillow's filters by name.
var pixelFilters = map[string]pixels.Filter{"nearest": pixels.Nearest, "box": pixels.Box, "bilinear": pixels.Bilinear, "hamming": pixels.Hamming,
	"bicubic": pixels.Bicubic, "lanczos": pixels.Lanczos}

func pixelsCmd() *cobra.Command {
	var o pixelsOptions
	cmd := &cobra.Command{
		Use: "pixels IMAGE...", Short: "Decode and resize images to the very bytes that Pillow gives",
		Long: "Decode images (JPEG, PNG, WebP, GIF, BMP) to RGB as Pillow's Image.open(f).convert(\"RGB\") does, and resize them as its resize. Each\n" +
			"image gets a line: SHA-256 of its bytes, width, height, path. --out holds them as tensors [H, W, 3] uint8 by file name.\n" +
			"Pixels lie as the file has them, as in Pillow and in the processors of CLIP and DETR; --upright turns them as EXIF asks.\n" +
			"An image that cannot be read gets a line on stderr; then nothing is written and the exit code is 3.",
		Example: "  syntic pixels photos/*.jpg\n  syntic pixels cat.jpg dog.png --out pixels.safetensors --resize 224x224 --filter bicubic",
		Args:    cobra.MinimumNArgs(1),
		RunE:    func(cmd *cobra.Command, paths []string) error { return writePixels(cmd, paths, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.out, "out", "", "safetensors `file` to write")
	f.StringVar(&o.resize, "resize", "", "resize to `WxH` pixels, whatever the proportions")
	f.StringVar(&o.filter, "filter", "bicubic", "`name` of the filter of --resize: nearest, box, bilinear, hamming, bicubic or lanczos")
	f.BoolVar(&o.upright, "upright", false, "turn and mirror images as their EXIF orientation asks")
	return cmd
}

func writePixels(cmd *cobra.Command, paths []string, o pixelsOptions) error {
	width, height, err := o.size()
	if err != nil {
		return cli.Usage(err)
	}
	filter, ok := pixelFilters[o.filter]
	if !ok {
		return cli.Usage(fmt.Errorf("--filter %q: want nearest, box, bilinear, hamming, bicubic or lanczos", o.filter))
	}
	if o.out != "" {
		if err := distinct(paths); err != nil {
			return cli.Usage(err)
		}
		if err := writable(o.out); err != nil {
			return cli.BadInput(fmt.Errorf("--out: %w", err))
		}
	}
	var tensors []safetensors.Tensor
	var bad error // the last image that could not be read; those before it have been told
	for _, path := range paths {
		if err := cmd.Context().Err(); err != nil {
			return err
		}
		im, err := pixels.Open(path)
		if err == nil && o.upright {
			im = im.Upright()
		}
		if err == nil {
			if im = im.RGB(); width > 0 {
				im, err = im.Resize(width, height, filter)
			}
		}
		if err != nil {
			if bad != nil {
				cli.Complain(cmd.ErrOrStderr(), "syntic", bad)
			}
			bad = err
			continue
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%x %d %d %s\n", sha256.Sum256(im.Pix), im.Width, im.Height, path)
		if o.out != "" {
			tensors = append(tensors, safetensors.Tensor{Name: filepath.Base(path), DType: safetensors.U8, Shape: []int{im.Height, im.Width, 3}, Bytes: im.Pix})
		}
	}
	if bad != nil || o.out == "" {
		return cli.BadInput(bad)
	}
	return safetensors.Write(o.out, tensors, nil)
}

// size reads --resize; 0 where it is not given.
func (o *pixelsOptions) size() (width, height int, err error) {
	if o.resize == "" {
		return 0, 0, nil
	}
	w, h, ok := strings.Cut(o.resize, "x")
	width, werr := strconv.Atoi(w)
	height, herr := strconv.Atoi(h)
	if !ok || werr != nil || herr != nil || width < 1 || height < 1 || width > pixels.MaxPixels/height {
		return 0, 0, fmt.Errorf("--resize %q: want WxH of 1 to %d pixels, such as 224x224", o.resize, pixels.MaxPixels)
	}
	return width, height, nil
}

// distinct makes sure that every image has a tensor name of its own.
func distinct(paths []string) error {
	seen := map[string]string{}
	for _, path := range paths {
		name := filepath.Base(path)
		if first, ok := seen[name]; ok {
			return fmt.Errorf("%s and %s have the same file name, which names their tensors in --out: want a file for each", first, path)
		}
		seen[name] = path
	}
	return nil
}
