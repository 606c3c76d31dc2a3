package emu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// typed finds the types that a source defines outside functions and other types: at the beginning of a line.
var typed = regexp.MustCompile(`(?m)^(template\s*<.*>\s*)?(?:struct|class|union)\s+(?:__attribute__\(\(.*\)\)\s+)?(\w+)\s*(?:final\s*)?[:{]`)

// apart looks for types of one name in two files. nvcc compiles each source by itself, but the emulator is one library, and C++ takes their methods for the same: the
// linker would keep those of one and let the kernels of the other run them on another's members, without a word.
func apart(files []string) error {
	first := map[string]string{}
	var errs []error
	for _, f := range slices.Sorted(slices.Values(files)) {
		text, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		for _, m := range typed.FindAllSubmatchIndex(text, -1) {
			name, kind := string(text[m[4]:m[5]]), "struct"
			if m[2] >= 0 {
				kind = "template"
			}
			at := fmt.Sprintf("%s:%d", filepath.Base(f), 1+strings.Count(string(text[:m[4]]), "\n"))
			if other := first[kind+name]; other != "" {
				errs = append(errs, fmt.Errorf("%s: %s %s is defined at %s too, and the emulator links both into one library, where one's methods would take the place of the other's: give it another name", at, kind, name, other))
				continue
			}
			first[kind+name] = at
		}
	}
	return errors.Join(errs...)
}
