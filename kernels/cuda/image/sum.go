package image

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// archs are all that sources are compiled for, cubins and PTX.
var archs = []string{"sm_80", "sm_86", "sm_89", "sm_90a", "sm_100", "sm_120", ptxArch}

// spare is an architecture whose image is left out where its machine code is that of another, whose images run on it.
const spare, likeSpare = "sm_89", "sm_86"

// OneArch is the only architecture for which a source is compiled, or "": those whose names end in _wgmma use instructions of sm_90a, which no other has.
func OneArch(stem string) string {
	if strings.HasSuffix(stem, "_wgmma") {
		return "sm_90a"
	}
	return ""
}

// ArchsOf are those for which a source is compiled.
func ArchsOf(stem string) []string {
	if only := OneArch(stem); only != "" {
		return []string{only}
	}
	return slices.Clone(archs)
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

// Write puts the images of a source into its archive in a folder. An archive that holds the same already is left alone: another version of the compressor
// changes nothing.
func Write(dir, stem, sources string, images map[string][]byte) error {
	uses, err := Uses(images["sm_90a"])
	if err != nil {
		return fmt.Errorf("%s: %w", stem, err)
	}
	if images[spare] != nil {
		same, err := sameCode(images[likeSpare], images[spare])
		if err != nil {
			return fmt.Errorf("%s: %w", stem, err)
		}
		if same {
			images = maps.Clone(images)
			delete(images, spare)
		}
	}
	kernels := slices.Sorted(maps.Keys(uses))
	if old, err := read(dir, stem); err == nil && old.holds(sources, kernels, images) {
		return nil
	}
	data, err := pack(sources, kernels, images)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, stem+Suffix), data, 0o644)
}

// read is the archive of a source in a folder.
func read(dir, stem string) (*Archive, error) {
	data, err := os.ReadFile(filepath.Join(dir, stem+Suffix))
	if err != nil {
		return nil, err
	}
	return OpenArchive(bytes.NewReader(data))
}

func (a *Archive) holds(sources string, kernels []string, images map[string][]byte) bool {
	if a.Sources != sources || !slices.Equal(a.Kernels, kernels) || len(a.Images) != len(images) {
		return false
	}
	for arch, image := range images {
		if data, err := a.Image(arch); err != nil || !bytes.Equal(data, image) {
			return false
		}
	}
	return true
}

// Check tells whether the archive of a source is there, whole, and made of these sources.
func Check(dir, stem, sources string) error {
	a, err := read(dir, stem)
	if err != nil {
		return fmt.Errorf("%w: run go generate ./kernels/cuda", err)
	}
	if a.Sources != sources {
		return fmt.Errorf("%s.cu, or a header, changed since its images were compiled: run go generate ./kernels/cuda", stem)
	}
	for _, arch := range ArchsOf(stem) {
		if arch == spare && !a.Has(arch) {
			continue
		}
		if _, err := a.Image(arch); err != nil {
			return fmt.Errorf("%s%s: %w: run go generate ./kernels/cuda", stem, Suffix, err)
		}
	}
	return nil
}

// Prune removes archives whose source is gone.
func Prune(dir string, stems map[string]string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*"+Suffix))
	if err != nil {
		return err
	}
	for _, f := range files {
		if stems[strings.TrimSuffix(filepath.Base(f), Suffix)] == "" {
			if err := os.Remove(f); err != nil {
				return err
			}
		}
	}
	return nil
}
