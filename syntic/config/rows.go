package config

import (
	"fmt"
	"strings"
)

// Row is a row of the table: a name, what the table calls it, and what it changes in the recipe.
type Row struct {
	Name    string   // as in eval.rows
	Label   string   // as in the table
	Paper   string   // that it comes from
	Same    string   // what is exactly as there
	Differs string   // what is not
	Main    bool     // of the table of --full: SynTIC, without its parts, and what it is compared with
	Set     []string // overrides, a.b=c
}

const (
	synTIC   = "SynTIC (Liu et al. 2024)"
	openKeys = "the numbers that the paper leaves open are keys with defaults of ours"
)

// Settings are all settings of the table: what is trained on and tested on.
var Settings = []string{"in_domain", "cross_domain", "zero_shot"}

// Full are the overrides of a full run: every row of the main table, every setting, three seeds.
func Full() []string {
	var names []string
	for _, row := range Rows {
		if row.Main {
			names = append(names, row.Name)
		}
	}
	return []string{"seeds=3", "eval.rows=" + strings.Join(names, ","), "eval.settings=" + strings.Join(Settings, ",")}
}

// Quick is the preset with every step once, of syntic run --quick. Whatever goes by it is labelled so.
const Quick = "toy-quick"

// FindRow returns the row of that name.
func FindRow(name string) (Row, error) {
	names := make([]string, len(Rows))
	for i, row := range Rows {
		if names[i] = row.Name; row.Name == name {
			return row, nil
		}
	}
	return Row{}, fmt.Errorf("no row %q: nearest is %q, there are %s", name, nearest(name, names), strings.Join(names, ", "))
}

// Row returns a copy of r with the overrides of the row of that name.
func (r *Recipe) Row(name string) (*Recipe, error) {
	row, err := FindRow(name)
	if err != nil {
		return nil, err
	}
	out := r.clone()
	for _, set := range row.Set {
		if err := out.set(set, "row "+name); err != nil {
			return nil, err
		}
	}
	return out, out.Validate()
}
