package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
	"syntic/syntic/config"
)

func configCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "The keys of recipes: what each means, its value, where that came from"}
	cmd.AddCommand(explainCmd())
	return cmd
}

func explainCmd() *cobra.Command {
	var flags recipeFlags
	var open, json bool
	cmd := &cobra.Command{
		Use: "explain [KEY...]", Short: "Explain keys of a recipe: value, origin, default, what the paper leaves open",
		Long: "Say of each key, or of all keys of a section such as refine, what it means, which values it takes, its value in the recipe and the file and line\n" +
			"that set it, the default and where that comes from, what is known of the paper where it leaves the key open, and which rows set it.",
		Example: "  syntic config explain refine.temperature\n  syntic config explain refine memory --recipe my.yaml\n  syntic config explain --open --recipe coco",
		RunE: func(cmd *cobra.Command, names []string) error {
			r, err := flags.load()
			if err != nil {
				return err
			}
			keys, err := chosenKeys(r, names, open)
			if err != nil {
				return err
			}
			if json {
				return explainJSON(cmd.OutOrStdout(), r, keys)
			}
			return explain(cmd.OutOrStdout(), r, keys)
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&open, "open", false, "all keys that the paper leaves open")
	cmd.Flags().BoolVar(&json, "json", false, "print one list of objects")
	return cmd
}

// chosenKeys are those of names: keys or sections.
func chosenKeys(r *config.Recipe, names []string, open bool) ([]config.Key, error) {
	if len(names) == 0 && !open {
		return nil, cli.Usage(fmt.Errorf("no key: want some, such as refine.steps or refine, or --open"))
	}
	var out []config.Key
	for _, name := range names {
		before := len(out)
		for _, k := range r.Keys() {
			if strings.HasPrefix(k.Path, name+".") {
				out = append(out, k)
			}
		}
		if len(out) > before {
			continue
		}
		k, err := r.Find(name)
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	for _, k := range r.Keys() {
		if open && config.LeftOpen(k.Path) != "" && !slices.ContainsFunc(out, func(o config.Key) bool { return o.Path == k.Path }) {
			out = append(out, k)
		}
	}
	return out, nil
}

// explained is a key as JSON shows it.
type explained struct {
	Key     string            `json:"key"`
	Value   any               `json:"value"`
	From    string            `json:"from"`
	Meaning string            `json:"meaning"`
	Takes   string            `json:"takes"`
	Default any               `json:"default"`
	Why     string            `json:"why_the_default"`
	Open    string            `json:"paper_leaves_open,omitempty"`
	Rows    map[string]string `json:"rows,omitempty"` // that set it, and to what
}

func explainKey(r *config.Recipe, k config.Key) explained {
	e := explained{Key: k.Path, Value: k.Value, From: r.Origin(k.Path), Meaning: k.Doc, Takes: k.Wanted(), Why: k.Why, Open: config.LeftOpen(k.Path), Rows: map[string]string{}}
	if d, err := config.Default().Find(k.Path); err == nil {
		e.Default = d.Value
	}
	for _, row := range config.Rows {
		for _, set := range row.Set {
			if key, value, _ := strings.Cut(set, "="); key == k.Path {
				e.Rows[row.Name] = value
			}
		}
	}
	return e
}

func explainJSON(w io.Writer, r *config.Recipe, keys []config.Key) error {
	out := []explained{}
	for _, k := range keys {
		out = append(out, explainKey(r, k))
	}
	return writeJSON(w, out)
}

func explain(w io.Writer, r *config.Recipe, keys []config.Key) error {
	for i, k := range keys {
		e := explainKey(r, k)
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s = %s\n", e.Key, shown(e.Value))
		lines := [][2]string{{"from", e.From}, {"means", e.Meaning}, {"takes", e.Takes}, {"default", shown(e.Default) + "  (" + e.Why + ")"}}
		if e.Open != "" {
			lines = append(lines, [2]string{"paper", "left open: " + e.Open})
		}
		var rows []string
		for _, row := range config.Rows {
			if v, ok := e.Rows[row.Name]; ok {
				rows = append(rows, row.Name+" "+v)
			}
		}
		if rows != nil {
			lines = append(lines, [2]string{"rows", "set by " + strings.Join(rows, ", ")})
		}
		for _, l := range lines {
			if _, err := fmt.Fprintf(w, "  %-8s %s\n", l[0], l[1]); err != nil {
				return err
			}
		}
	}
	return nil
}

func shown(v any) string {
	switch v := v.(type) {
	case string:
		if v == "" {
			return `""`
		}
	case []string:
		return "[" + strings.Join(v, ", ") + "]"
	}
	return fmt.Sprint(v)
}
