package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
	"syntic/syntic/world/pretrain"
	"syntic/tensor"
)

func worldCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "world", Short: "The embedded world: train its tiny models anew", Args: cobra.NoArgs}
	cmd.AddCommand(worldTrainCmd(), worldPackCmd())
	return cmd
}

func worldTrainCmd() *cobra.Command {
	var o pretrain.Options
	var steps int
	var seed uint64
	cmd := &cobra.Command{
		Use: "train MODEL", Short: "Train one of the world's models from nothing: " + pretrain.Names(),
		Args: cobra.ExactArgs(1), Annotations: cli.Resumable,
		Example: "  syntic world train vae --dir train/vae\n  syntic world train unet --dir train/unet --models train",
		RunE: func(cmd *cobra.Command, args []string) error {
			dev, err := openDevice()
			if err != nil {
				return cli.Usage(err)
			}
			bars := cli.NewProgress(cmd.ErrOrStderr())
			defer bars.Close()
			o.Progress = bars
			if o.Dir == "" {
				o.Dir = filepath.Join("train", args[0])
			}
			return trainWorld(cmd.Context(), dev, args[0], steps, seed, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Dir, "dir", "", "`folder` of the training (default train/MODEL)")
	f.StringVar(&o.Models, "models", "train", "`folder` where models that this one builds on were trained")
	f.StringVar(&o.From, "from", "", "`folder` of a model whose weights the VAE or the UNet begins with (default: random weights)")
	f.IntVar(&steps, "steps", 0, "steps in all (default: the recipe of the committed weights)")
	f.Uint64Var(&seed, "seed", 1, "seed of weights and noise")
	f.DurationVar(&o.Checkpoint, "checkpoint", 2*time.Minute, "time between checkpoints")
	f.IntVar(&o.ScoreEvery, "score-every", 1000, "steps between scores on held-out scenes")
	return cmd
}

func trainWorld(ctx context.Context, dev *tensor.Device, name string, steps int, seed uint64, o pretrain.Options) error {
	job, err := pretrain.New(dev, name, steps, seed, o)
	if err != nil {
		return cli.BadInput(err)
	}
	if err := pretrain.Run(ctx, dev, job, o); err != nil {
		return fmt.Errorf("world train %s: %w", name, err)
	}
	return nil
}

func worldPackCmd() *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use: "pack", Short: "Collect finished trainings as the weights that the program embeds", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return cli.BadInput(pretrain.Pack(from, to)) },
	}
	cmd.Flags().StringVar(&from, "from", "train", "`folder` of the trainings")
	cmd.Flags().StringVar(&to, "to", filepath.Join("syntic", "world", "weights", "data"), "`folder` of package weights")
	return cmd
}
