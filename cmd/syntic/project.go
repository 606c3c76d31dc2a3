package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
	"syntic/syntic"
	"syntic/syntic/config"
)

type projectOptions struct {
	bank, features, out string
	memory              config.Memory
	raw                 bool
}

func projectCmd() *cobra.Command {
	o := projectOptions{memory: config.Default().Memory}
	cmd := &cobra.Command{
		Use: "project --bank FILE --features FILE --out FILE", Short: "Project features into the space of a bank of texts",
		Long: "Replace each feature v by a blend of the texts' features m most similar to it, by a softmax of the cosines over tau:\n\n" +
			"  p = Σ softmax(⟨v, m⟩ / tau) · m\n\n" +
			"brought back to unit length. This is how the features of images come into the space that a decoder learnt from texts. Files are those of\n" +
			"syntic encode, or any safetensors file with one matrix; rows are brought to unit length first. Names go along.",
		Example: "  syntic encode texts captions.txt --out bank.safetensors\n  syntic encode images photos --out images.safetensors\n" +
			"  syntic project --bank bank.safetensors --features images.safetensors --out projected.safetensors --tau 0.01",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return project(cmd, &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.bank, "bank", "", "`file` of the texts' features")
	f.StringVar(&o.features, "features", "", "`file` of the features to project")
	f.StringVar(&o.out, "out", "", "safetensors `file` of the projected features")
	f.IntVar(&o.memory.TopK, "k", o.memory.TopK, "blend only the `N` most similar texts; 0: all")
	f.Float64Var(&o.memory.Temperature, "tau", o.memory.Temperature, "`temperature` of the softmax")
	f.StringVar(&o.memory.DType, "dtype", o.memory.DType, "how the bank is held: `f32|f16|int8`; what the latter two change is told in the result")
	f.BoolVar(&o.raw, "no-normalise", false, "leave the blends as long as they come out")
	for _, name := range []string{"bank", "features", "out"} {
		cmd.MarkFlagRequired(name)
	}
	return cmd
}

func project(cmd *cobra.Command, o *projectOptions) error {
	if o.memory.TopK < 0 {
		return cli.Usage(fmt.Errorf("--k %d: want 0 (all) or more", o.memory.TopK))
	}
	if !(o.memory.Temperature > 0 && o.memory.Temperature <= 10) {
		return cli.Usage(fmt.Errorf("--tau %g: want more than 0, at most 10", o.memory.Temperature))
	}
	if !slices.Contains([]string{"f32", "f16", "int8"}, o.memory.DType) {
		return cli.Usage(fmt.Errorf("--dtype %q: want f32, f16 or int8", o.memory.DType))
	}
	o.memory.Normalise = !o.raw
	dev, err := openDevice()
	if err != nil {
		return cli.Usage(err)
	}
	if err := writable(o.out); err != nil {
		return cli.BadInput(fmt.Errorf("--out: %w", err))
	}
	bank, features, err := pairOf("--bank", o.bank, "--features", o.features)
	if err != nil {
		return cli.BadInput(err)
	}
	m, err := syntic.NewMemory(dev, bank.Rows, bank.Size)
	if err != nil {
		return cli.BadInput(fmt.Errorf("--bank: %w", err))
	}
	defer m.Release()
	if err := m.Pack(o.memory.DType); err != nil {
		return err
	}
	bars := cli.NewProgress(cmd.ErrOrStderr())
	defer bars.Close()
	if features.Rows, err = m.Project(cmd.Context(), features.Rows, nil, o.memory, bars); err != nil {
		return badInput(err)
	}
	if err := features.Save(o.out); err != nil {
		return err
	}
	return json.NewEncoder(cmd.OutOrStdout()).Encode(struct {
		Out      string          `json:"out"`
		Features int             `json:"features"`
		Size     int             `json:"size"`
		DType    string          `json:"dtype"`
		Rounding syntic.Rounding `json:"rounding"` // of the bank's features, of unit length
	}{o.out, features.Len(), features.Size, m.DType(), m.Rounding()})
}

// pairOf reads two files of features of one size.
func pairOf(flagA, a, flagB, b string) (x, y *syntic.Features, err error) {
	if x, err = syntic.LoadFeatures(a); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", flagA, err)
	}
	if y, err = syntic.LoadFeatures(b); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", flagB, err)
	}
	if x.Size != y.Size {
		return nil, nil, fmt.Errorf("features of %s have size %d, those of %s %d: want them of one model", a, x.Size, b, y.Size)
	}
	return x, y, nil
}
