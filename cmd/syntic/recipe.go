package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
	"syntic/syntic/config"
)

// recipeFlags are the flags of every verb that takes a recipe.
type recipeFlags struct {
	source string
	sets   []string
}

func (f *recipeFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.source, "recipe", "toy", "`file or preset` with the choices of the run (toy, coco, flickr30k)")
	cmd.Flags().StringArrayVar(&f.sets, "set", nil, "override `key=value`, such as refine.steps=20 (repeatable)")
}

func (f *recipeFlags) load() (*config.Recipe, error) {
	r, err := config.Load(f.source, f.sets)
	return r, cli.BadInput(err)
}

func recipeCmd() *cobra.Command {
	var flags recipeFlags
	var keys bool
	cmd := &cobra.Command{
		Use: "recipe", Short: "Show or check a recipe: every key, its value and where the value came from", Args: cobra.NoArgs,
		Example: "  syntic recipe --recipe coco > my.yaml\n  syntic recipe --recipe my.yaml --set refine.steps=20 --keys",
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := flags.load()
			if err != nil {
				return err
			}
			return showRecipe(r, keys, cmd.OutOrStdout())
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&keys, "keys", false, "a table instead of YAML")
	return cmd
}

func showRecipe(r *config.Recipe, keys bool, w io.Writer) error {
	if !keys {
		_, err := w.Write(r.Lock())
		return err
	}
	table := cli.NewTable("key", "value", "from", "meaning")
	for _, k := range r.Keys() {
		table.Row(k.Path, fmt.Sprint(k.Value), r.Origin(k.Path), k.Doc)
	}
	return table.Write(w)
}
