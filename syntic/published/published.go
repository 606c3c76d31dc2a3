// Package published holds scores that others published, to stand beside a run's own. They are facts, each with its source; what is not known is left
// empty. Scores are × 100.
package published

import (
	"bytes"
	_ "embed" // the tables
	"encoding/csv"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

//go:embed rows.csv
var rowsCSV []byte

//go:embed curve.csv
var curveCSV []byte

// Sources are what the marks of the tables stand for.
var Sources = map[string]string{
	"IFCap":  "poster of IFCap (EMNLP 2024), which reprints the scores of others",
	"SynC":   "poster of SynC (ICCV workshops 2025), which reprints the scores of others",
	"ViECap": "README of ViECap's repository",
	"MeaCap": "README of MeaCap's repository",
}

// Row is a published result. Scores that are not known are NaN.
type Row struct {
	Task    string // coco, flickr30k, coco-to-flickr30k, flickr30k-to-coco, nocaps (entire), ss1m (tested on COCO)
	Method  string
	Encoder string // the image encoder of CLIP
	OurRow  string // the row of config.Rows that stands for it, or empty
	Scores  map[string]float64
	Source  string // marks of Sources, apart by "; "
}

// Metrics are the names of the scores, as package metric has them.
var Metrics = []string{"Bleu_4", "METEOR", "ROUGE_L", "CIDEr", "SPICE"}

// Rows are those of a task, in the order of the sources' tables.
func Rows(task string) []Row {
	var out []Row
	for _, r := range rows {
		if r.Task == task {
			out = append(out, r)
		}
	}
	return out
}

// Of is the published row of a task that one of our rows stands for.
func Of(task, ourRow string) (Row, bool) {
	for _, r := range rows {
		if r.Task == task && r.OurRow == ourRow && ourRow != "" {
			return r, true
		}
	}
	return Row{}, false
}

// Curve is a method's data-size curve: CIDEr on COCO by the share of training pairs; read off a figure of SynC's poster.
func Curve(method string) (share, cider []float64) {
	at := slices.Index(curve[0], method)
	for _, line := range curve[1:] {
		if at > 0 && line[at] != "" {
			share, cider = append(share, number(line[0])), append(cider, number(line[at]))
		}
	}
	return share, cider
}

// tasks name the published task of a preset; drawn worlds stand for the one that they imitate.
var tasks = map[string]string{
	"coco": "coco", "coco-decap": "coco", "coco-datasize": "coco", "flickr30k": "flickr30k", "nocaps": "nocaps", "ss1m": "ss1m",
	"coco-to-flickr30k": "coco-to-flickr30k", "coco-to-flickr30k-tt": "coco-to-flickr30k", "flickr30k-to-coco": "flickr30k-to-coco", "flickr30k-to-coco-tt": "flickr30k-to-coco",
	"toy": "coco", "toy-decap": "coco", "toy-nocaps": "nocaps", "toy-datasize": "coco", "toy-other": "flickr30k", "toy-zero-shot": "ss1m",
	"toy-cross": "coco-to-flickr30k", "toy-cross-tt": "coco-to-flickr30k", "toy-cross-back": "flickr30k-to-coco", "toy-cross-back-tt": "flickr30k-to-coco",
}

// Task is the published task of a setting of a preset, or empty where none is known.
func Task(preset, setting string) string {
	task := tasks[preset]
	cross := strings.Contains(task, "-to-") || task == "nocaps"
	switch {
	case setting == "cross_domain" && !cross:
		return map[string]string{"coco": "coco-to-flickr30k", "flickr30k": "flickr30k-to-coco"}[task]
	case setting == "in_domain" && (cross || task == "ss1m"), setting == "zero_shot" && task != "ss1m":
		return ""
	}
	return task
}

var rows, curve = load()

// load reads the embedded tables; a fault in them is ours.
func load() (out []Row, curve [][]string) {
	lines := table(rowsCSV)
	for _, f := range lines[1:] {
		r := Row{Task: f[0], Method: f[1], Encoder: f[2], OurRow: f[3], Scores: map[string]float64{}, Source: f[9]}
		for k, name := range Metrics {
			r.Scores[name] = number(f[4+k])
		}
		out = append(out, r)
	}
	return out, table(curveCSV)
}

func table(text []byte) [][]string {
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		panic("published: " + err.Error())
	}
	return lines
}

func number(s string) float64 {
	if s == "" {
		return math.NaN()
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic(fmt.Sprintf("published: %v", err))
	}
	return x
}
