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

// Rows are all rows, in the order of the table. The same decoder, captions and scores serve all of them.
var Rows = []Row{
	{"syntic", "SynTIC", synTIC, "refined features of synthetic images, projected on the training texts; objects' features as a second token; four layers, four heads",
		openKeys, true, nil},
	{"no_refine", "without refinement", synTIC, "all but the refinement", openKeys, true, []string{"refine.enabled=false"}},
	{"no_projection", "without projection", synTIC, "all but the projection, in training and at test", openKeys, true, []string{"project.enabled=false", "project.train=false"}},
	{"no_objects", "without objects", synTIC, "all but the objects' token", openKeys, true, []string{"objects.enabled=false"}},
	{"decap", "DeCap (texts, projection at test)", "DeCap (Li et al. 2023)",
		"the decoder's prefix is one token, a linear layer of the text's feature; test images are projected on the training texts at 1/100, all of them; label smoothing .1",
		"the recipe's width, learning rate, beams and count of texts; DeCap's are those of the preset coco but for greedy search and 500,000 texts in the memory", true,
		[]string{"train.features=text", "refine.enabled=false", "project.train=false", "objects.enabled=false"}},
	{"capdec", "CapDec (texts with noise)", "CapDec (Nukrai et al. 2022)", "Gaussian noise on the unit text feature, which is then brought back to unit length; no projection",
		"one linear layer and the small decoder in place of an 8-layer mapper of 40 tokens and GPT-2 large; noise of train.noise_std, CapDec's own in the preset coco", true,
		[]string{"train.features=text", "refine.enabled=false", "project.enabled=false", "project.train=false", "objects.enabled=false", "train.noise=true"}},
	{"syntic_tt", "SynTIC, target texts in the memory", "SynTIC-TT (Liu et al. 2024); DeCap's name for it (Li et al. 2023)",
		"the decoder is SynTIC's; at test the memory holds training texts of the domain that is tested", "in-domain it is SynTIC itself", false, []string{"memory.source=target"}},
}

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
