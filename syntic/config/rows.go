package config

import (
	"fmt"
	"strings"
)

// Row is a row of the ablation table: a name, what the table calls it, and what it changes in the recipe.
type Row struct {
	Name  string   // as in eval.rows
	Label string   // as in the table
	Set   []string // overrides, a.b=c
}

// Rows are all rows, in the order of the table. The same decoder, captions and scores serve all of them.
var Rows = []Row{
	{"syntic", "SynTIC", nil},
	{"no_refine", "without refinement", []string{"refine.enabled=false"}},
	{"no_projection", "without projection", []string{"project.enabled=false", "project.train=false"}},
	{"no_objects", "without objects", []string{"objects.enabled=false"}},
	{"decap", "DeCap (texts, projection at test)", []string{"train.features=text", "refine.enabled=false", "project.train=false", "objects.enabled=false"}},
	{"capdec", "CapDec (texts with noise)", []string{"train.features=text", "refine.enabled=false", "project.enabled=false", "project.train=false",
		"objects.enabled=false", "train.noise=true"}},
}

// Settings are all settings of the table: what is trained on and tested on.
var Settings = []string{"in_domain", "cross_domain", "zero_shot"}

// Full are the overrides of a full run: every row, every setting, three seeds.
func Full() []string {
	names := make([]string, len(Rows))
	for i, row := range Rows {
		names[i] = row.Name
	}
	return []string{"seeds=3", "eval.rows=" + strings.Join(names, ","), "eval.settings=" + strings.Join(Settings, ",")}
}

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
