package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"syntic/bench"
	"syntic/cmd/internal/cli"
)

func benchTuneCmd() *cobra.Command {
	var sizes string
	var formats []string
	var tries int
	cmd := &cobra.Command{
		Use: "tune [NAME[/SHAPE[/CLASS]]...]", Short: "Measure where cuBLASLt multiplies faster than our kernels, and keep it",
		Long: "Measure the products of workloads (bench model lists them), or of --sizes, by our own kernels and by the ways that NVIDIA's library cuBLASLt proposes, on\n" +
			"a GPU, and write what was found to the record of this kind of device: from then on, where the library was faster at a class of products, it computes them, in\n" +
			"the way that was fastest, which gives the same bits each time. A class is the formats, the layout, what is added, N and K, and M and the batch up to the next power\n" +
			"of two. Without a record, or without the library, our kernels compute everything. A way whose result differs from ours, or from its own the second time, is\n" +
			"not taken. For operands rounded to bf16, f16 or tf32, which are asked for by name, the record counts where *=mma_bf16 is asked for, and so on.\n" +
			"The record is a file of JSON lines in the user's cache folder; SYNTIC_CUBLASLT_RECORD names another. SYNTIC_LIBCUBLASLT names the library.",
		Example: "  syntic bench tune clip-image sd-unet --device cuda\n  syntic bench tune --sizes real --formats bf16 --device cuda",
		RunE: func(cmd *cobra.Command, names []string) error {
			return benchTune(cmd, names, sizes, formats, tries)
		},
	}
	cmd.Flags().StringVar(&sizes, "sizes", "", "`which` sizes as bench kernel takes them, instead of those of workloads")
	cmd.Flags().StringSliceVar(&formats, "formats", []string{"f32", "bf16"}, "to which operands are rounded: f32 (not at all), bf16, f16, tf32")
	cmd.Flags().IntVar(&tries, "tries", 0, "calls of each, of which the median counts (0: half a second, 5 at least)")
	return cmd
}

func benchTune(cmd *cobra.Command, names []string, sizes string, formats []string, tries int) error {
	list, err := bench.ProductFormats(formats...)
	if err != nil {
		return cli.Usage(fmt.Errorf("--formats: %w", err))
	}
	if (sizes == "") == (len(names) == 0) || tries < 0 {
		return cli.Usage(fmt.Errorf("want workloads or --sizes, and --tries 0 or more"))
	}
	dev, err := benchDevice()
	if err != nil {
		return err
	}
	if dev.IsCPU() {
		return cli.Usage(fmt.Errorf("bench tune measures a library of GPUs: want --device cuda"))
	}
	var products [][]int
	if sizes != "" {
		found, err := bench.Sizes("gemm", sizes)
		if err != nil {
			return cli.Usage(fmt.Errorf("--sizes: %w", err))
		}
		for _, s := range found {
			products = append(products, s.Dims)
		}
	} else {
		found, err := bench.FindWorkloads(names...)
		if err != nil {
			return cli.Usage(err)
		}
		for _, w := range found {
			fmt.Fprintf(cmd.ErrOrStderr(), "products of %s\n", w)
			of, err := bench.ProductsOf(dev, w)
			if err != nil {
				return fmt.Errorf("%s: %w", w, err)
			}
			products = append(products, of...)
		}
	}
	return tuneTable(cmd, dev.Emulated(), func(each func(bench.Tuned) error) (string, error) {
		return bench.Tune(cmd.Context(), dev, list, products, tries, each)
	})
}

func tuneTable(cmd *cobra.Command, emulated bool, tune func(each func(bench.Tuned) error) (string, error)) error {
	table := cli.NewTable("products", "our fastest", ">time", ">cuBLASLt", ">ways", "taken")
	path, err := tune(func(t bench.Tuned) error {
		row := []any{t.Class, t.Own, "", "", strconv.Itoa(t.Ways), "no: " + t.Why}
		if t.Own != "" {
			row[2] = seconds(t.OwnSeconds)
		}
		if t.Ways > 0 {
			row[3], row[5] = seconds(t.Seconds), "no: slower"
		}
		if t.Faster() {
			row[5] = fmt.Sprintf("yes: %.2f × as fast", t.OwnSeconds/t.Seconds)
		}
		table.Row(row...)
		return nil
	})
	if werr := table.Write(cmd.OutOrStdout()); err == nil {
		err = werr
	}
	if path != "" {
		fmt.Fprintln(cmd.OutOrStdout(), "record:", path)
	} else {
		fmt.Fprintln(cmd.OutOrStdout(), "no record: nothing was measured of cuBLASLt")
	}
	if emulated {
		fmt.Fprintln(cmd.OutOrStdout(), "EMULATED: the times mean nothing")
	}
	return err
}
