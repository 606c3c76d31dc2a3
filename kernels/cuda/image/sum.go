package image

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var suffixes = []string{".sm_80.cubin", ".sm_90a.cubin", ".compute_80.ptx"}

// OneArch is the only architecture for which a source is compiled, or "": those whose names end in _wgmma use instructions of sm_90a, which no other has.
func OneArch(stem string) string {
	if strings.HasSuffix(stem, "_wgmma") {
		return "sm_90a"
	}
	return ""
}

// suffixesOf are those of a source's images.
func suffixesOf(stem string) []string {
	if only := OneArch(stem); only != "" {
		return []string{"." + only + ".cubin"}
	}
	return suffixes
}

var include = regexp.MustCompile(`(?m)^#include "([^"]+\.cuh)"`)

// headersOf adds the headers of src that a source includes, directly or not, by name.
func headersOf(src string, text []byte, all map[string][]byte) error {
	for _, m := range include.FindAllSubmatch(text, -1) {
		name := string(m[1])
		if all[name] != nil {
			continue
		}
		header, err := os.ReadFile(filepath.Join(src, name))
		if err != nil {
			return err
		}
		all[name] = header
		if err := headersOf(src, header, all); err != nil {
			return err
		}
	}
	return nil
}

// Sums are, by the stem of each .cu file in src, the SHA-256 of the headers that it includes, in order of their names, and of itself.
func Sums(src string) (map[string]string, error) {
	sources, err := filepath.Glob(filepath.Join(src, "*.cu"))
	if err != nil {
		return nil, err
	}
	sums := map[string]string{}
	for _, s := range sources {
		text, err := os.ReadFile(s)
		if err != nil {
			return nil, err
		}
		headers := map[string][]byte{}
		if err := headersOf(src, text, headers); err != nil {
			return nil, err
		}
		hash := sha256.New()
		for _, name := range slices.Sorted(maps.Keys(headers)) {
			hash.Write(headers[name])
		}
		hash.Write(text)
		sums[strings.TrimSuffix(filepath.Base(s), ".cu")] = fmt.Sprintf("%x", hash.Sum(nil))
	}
	return sums, nil
}

// sumText is the content of a .sum: one line for the sources, one for each image.
func sumText(dir, stem, sources string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  sources\n", sources)
	for _, s := range suffixesOf(stem) {
		data, err := os.ReadFile(filepath.Join(dir, stem+s))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(data), stem+s)
	}
	return b.String(), nil
}

// WriteSum records of which sources the images of a file were made.
func WriteSum(dir, stem, sources string) error {
	text, err := sumText(dir, stem, sources)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, stem+".sum"), []byte(text), 0o644)
}

// Check tells whether the images of a file are those of the sources.
func Check(dir, stem, sources string) error {
	want, err := sumText(dir, stem, sources)
	if err != nil {
		return err
	}
	got, err := os.ReadFile(filepath.Join(dir, stem+".sum"))
	if err != nil {
		return err
	}
	if string(got) != want {
		return fmt.Errorf("%s.cu, or a header, changed since its images were compiled: run go generate ./kernels/cuda", stem)
	}
	return nil
}

// Prune removes images whose source is gone.
func Prune(dir string, stems map[string]string) error {
	for _, s := range append([]string{".sum"}, suffixes...) {
		files, err := filepath.Glob(filepath.Join(dir, "*"+s))
		if err != nil {
			return err
		}
		for _, f := range files {
			stem := strings.TrimSuffix(filepath.Base(f), s)
			if stems[stem] == "" || s != ".sum" && !slices.Contains(suffixesOf(stem), s) {
				if err := os.Remove(f); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
