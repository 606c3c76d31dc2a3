package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

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
	cmd.Flags().StringVar(&f.source, "recipe", "toy", "`file or preset` with the choices of the run (syntic recipe --list shows all presets)")
	cmd.Flags().StringArrayVar(&f.sets, "set", nil, "override `key=value`, such as refine.steps=20 (repeatable)")
}

func (f *recipeFlags) load() (*config.Recipe, error) {
	r, err := config.Load(f.source, f.sets)
	return r, cli.BadInput(err)
}

// folder is where a run of the recipe goes unless --out says: runs and the name of the preset or of the file.
func (f *recipeFlags) folder() string {
	name := filepath.Base(f.source)
	return filepath.Join("runs", strings.TrimSuffix(name, filepath.Ext(name)))
}

func recipeCmd() *cobra.Command {
	var flags recipeFlags
	var keys, rows, list bool
	cmd := &cobra.Command{
		Use: "recipe", Short: "Show or check a recipe: every key, its value and where the value came from", Args: cobra.NoArgs,
		Example: "  syntic recipe --recipe coco > my.yaml\n  syntic recipe --recipe my.yaml --set refine.steps=20 --keys\n" +
			"  syntic recipe --list\n  syntic recipe --rows",
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case list:
				return listRecipes(cmd.OutOrStdout())
			case rows:
				return showRows(cmd.OutOrStdout())
			}
			r, err := flags.load()
			if err != nil {
				return err
			}
			return showRecipe(r, keys, cmd.OutOrStdout())
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&keys, "keys", false, "a table instead of YAML")
	cmd.Flags().BoolVar(&rows, "rows", false, "the rows that eval.rows may name: paper, what is as there, what differs, which keys they set")
	cmd.Flags().BoolVar(&list, "list", false, "the embedded recipes and what each is for")
	return cmd
}

func showRecipe(r *config.Recipe, keys bool, w io.Writer) error {
	if !keys {
		_, err := w.Write(r.Lock())
		return err
	}
	table := cli.NewTable("key", "value", "from", "meaning", "why the default")
	for _, k := range r.Keys() {
		table.Row(k.Path, fmt.Sprint(k.Value), r.Origin(k.Path), k.Doc, k.Why)
	}
	return table.Write(w)
}

// showRows tells what each row of the table is.
func showRows(w io.Writer) error {
	for i, row := range config.Rows {
		if i > 0 {
			fmt.Fprintln(w)
		}
		sets := strings.Join(row.Set, " ")
		if sets == "" {
			sets = "nothing: the recipe as it is"
		}
		if _, err := fmt.Fprintf(w, "%s: %s\n  paper    %s\n  as there %s\n  differs  %s\n  sets     %s\n", row.Name, row.Label, row.Paper, row.Same, row.Differs, sets); err != nil {
			return err
		}
	}
	return nil
}

func listRecipes(w io.Writer) error {
	t := cli.NewTable("recipe", "what it is")
	for _, name := range config.Presets() {
		t.Row(name, config.Summary(name))
	}
	return t.Write(w)
}
