//go:build ignore

// Gen writes words.txt.gz from the dict folder of WordNet 3.0: go run gen.go DICT. DICT holds index.noun, index.verb, index.adj,
// index.adv and the four .exc files.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: go run gen.go DICT")
	}
	synsets, bases := map[string]map[string]bool{}, map[string]map[string]bool{}
	for _, pos := range []string{"noun", "verb", "adj", "adv"} {
		for _, f := range lines(filepath.Join(os.Args[1], "index."+pos)) {
			n, err := strconv.Atoi(f[2]) // lemma pos synset_cnt …, the last synset_cnt fields are offsets
			if err != nil {
				log.Fatal(err)
			}
			for _, offset := range f[len(f)-n:] {
				add(synsets, f[0], offset)
			}
		}
		for _, f := range lines(filepath.Join(os.Args[1], pos+".exc")) {
			for _, base := range f[1:] {
				add(bases, f[0], base)
			}
		}
	}
	shared := map[string]int{}
	for _, offsets := range synsets {
		for o := range offsets {
			shared[o]++
		}
	}
	var b bytes.Buffer
	ids := map[string]int{}
	for _, w := range sorted(synsets) {
		b.WriteString(w)
		for _, o := range sorted(synsets[w]) {
			if shared[o] > 1 {
				if _, ok := ids[o]; !ok {
					ids[o] = len(ids)
				}
				fmt.Fprintf(&b, " %d", ids[o])
			}
		}
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	for _, form := range sorted(bases) {
		fmt.Fprintln(&b, form, strings.Join(sorted(bases[form]), " "))
	}
	var z bytes.Buffer
	w, _ := gzip.NewWriterLevel(&z, gzip.BestCompression)
	w.Write(b.Bytes())
	w.Close()
	if err := os.WriteFile("words.txt.gz", z.Bytes(), 0o666); err != nil {
		log.Fatal(err)
	}
}

// lines gives the fields of the lines that are no part of the licence text; words of several parts are left out, for METEOR
// compares single words.
func lines(path string) [][]string {
	f, err := os.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	var out [][]string
	for s := bufio.NewScanner(f); s.Scan(); {
		if f := strings.Fields(s.Text()); !strings.HasPrefix(s.Text(), " ") && len(f) > 1 && !strings.Contains(f[0], "_") {
			out = append(out, f)
		}
	}
	return out
}

func add(m map[string]map[string]bool, key, value string) {
	if m[key] == nil {
		m[key] = map[string]bool{}
	}
	m[key][value] = true
}

func sorted[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
