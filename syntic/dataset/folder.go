package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// multi30kFile is a file of multi30k's task 2: train.1.en, test_2016.5.en.gz: line n is one of the five captions of image n of the split.
var multi30kFile = regexp.MustCompile(`^(train|val|test[0-9a-z_]*)\.(\d)\.en(\.gz)?$`)

// loadFolder reads a folder in multi30k's layout: SPLIT.k.en, and SPLIT_images.txt with a name a line.
func loadFolder(path string, format Format) (*Set, error) {
	if format != Auto && format != Multi30k {
		return nil, fault(path, "", "a folder: want a file, as the format is %s", format)
	}
	list, err := os.ReadDir(path)
	if err != nil {
		return nil, &Fault{Path: path, Err: pathless(err)}
	}
	files := map[string][]string{} // split to its files, in the order of k
	for _, f := range list {
		if m := multi30kFile.FindStringSubmatch(f.Name()); m != nil {
			if slices.Contains(files[m[1]], strings.TrimSuffix(f.Name(), ".gz")) {
				return nil, fault(path, "", "%s, packed and not: want one of them", strings.TrimSuffix(f.Name(), ".gz"))
			}
			files[m[1]] = append(files[m[1]], f.Name())
		}
	}
	if len(files) == 0 {
		return nil, fault(path, "", "a folder without train.1.en … train.5.en: want a file of captions, or the folder of multi30k's task 2")
	}
	var splits []string
	for split := range files {
		splits = append(splits, split)
	}
	slices.SortFunc(splits, func(a, b string) int { return strings.Compare(order(a)+a, order(b)+b) })
	s := &Set{Format: Multi30k}
	for _, split := range splits {
		if err := s.multi30k(path, split, files[split]); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// order puts train first and test last.
func order(split string) string {
	return map[string]string{Train: "1", Val: "2"}[split]
}

// multi30k adds the images of one split.
func (s *Set) multi30k(dir, split string, files []string) error {
	names, err := readNames(filepath.Join(dir, split+"_images.txt"))
	if err != nil {
		return err
	}
	first, name := len(s.Images), split
	if strings.HasPrefix(split, Test) {
		name = Test
	}
	for _, n := range names {
		s.Images = append(s.Images, Image{Name: n, Split: name})
	}
	for _, file := range files {
		path := filepath.Join(dir, file)
		data, err := readFile(path)
		if err != nil {
			return err
		}
		s.Bytes += int64(len(data))
		if err := checkUTF8(path, data); err != nil {
			return err
		}
		lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
		if len(lines) != len(names) {
			return fault(path, "", "%d lines, but %s_images.txt names %d images: want a line an image", len(lines), split, len(names))
		}
		for i, text := range lines {
			im := &s.Images[first+i]
			if im.Captions, err = add(im.Captions, text, path, fmt.Sprintf("line %d", i+1)); err != nil {
				return err
			}
		}
	}
	return nil
}
