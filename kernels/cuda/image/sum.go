package image

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

var suffixes = []string{".sm_80.cubin", ".sm_90a.cubin", ".compute_80.ptx"}

// Sums are, by the stem of each .cu file in src, the SHA-256 of that file and the headers.
func Sums(src string) (map[string]string, error) {
	headers, err := filepath.Glob(filepath.Join(src, "*.cuh"))
	if err != nil {
		return nil, err
	}
	slices.Sort(headers)
	var shared []byte
	for _, h := range headers {
		text, err := os.ReadFile(h)
		if err != nil {
			return nil, err
		}
		shared = append(shared, text...)
	}
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
		sums[strings.TrimSuffix(filepath.Base(s), ".cu")] = fmt.Sprintf("%x", sha256.Sum256(append(slices.Clone(shared), text...)))
	}
	return sums, nil
}

// sumText is the content of a .sum: one line for the sources, one for each image.
func sumText(dir, stem, sources string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  sources\n", sources)
	for _, s := range suffixes {
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
			if stems[strings.TrimSuffix(filepath.Base(f), s)] == "" {
				if err := os.Remove(f); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
