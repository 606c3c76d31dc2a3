package dataset

import (
	"fmt"
	"slices"
	"strings"
)

// Lists say which images belong to which split: the file names of Karpathy's COCO split ("val2014/COCO_val2014_000000184613.jpg 184613" or
// the name alone), of Flickr8k's train, dev and test images, of Flickr30k's.
type Lists struct {
	Train, Val, Test string // paths; empty for none
}

// None tells whether no list is given.
func (l *Lists) None() bool { return l == nil || *l == Lists{} }

// readNames reads a list of images: the first word of every line, without folders.
func readNames(path string) ([]string, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	if err := checkUTF8(path, data); err != nil {
		return nil, err
	}
	var names []string
	for text := range strings.SplitSeq(string(data), "\n") {
		if words := strings.Fields(text); len(words) > 0 {
			names = append(names, base(words[0]))
		}
	}
	if len(names) == 0 {
		return nil, fault(path, "", "no names: want an image's file name a line")
	}
	return names, nil
}

// Apply gives the images of s the splits of the lists. Images in no list are training images; without a list for train those of COCO's
// validation folder are restval, as in Karpathy's file, and with one they belong to no split that is used. A name that is listed twice, or
// that no file of captions has, is a fault: a split that is not whole gives scores that compare with nothing.
func (l *Lists) Apply(s *Set) error {
	if l.None() {
		return nil
	}
	at := make(map[string]int, len(s.Images))
	for i, im := range s.Images {
		if im.Name != "" {
			at[base(im.Name)] = i
		}
		if im.ID != "" {
			at[im.ID] = i
		}
	}
	split := make([]string, len(s.Images))
	for _, list := range []struct{ split, path string }{{Train, l.Train}, {Val, l.Val}, {Test, l.Test}} {
		if list.path == "" {
			continue
		}
		names, err := readNames(list.path)
		if err != nil {
			return err
		}
		var absent []string
		for n, name := range names {
			i, ok := at[name]
			if !ok {
				i, ok = at[cocoID(name)]
			}
			switch {
			case !ok:
				absent = append(absent, name)
				continue
			case split[i] != "":
				return fault(list.path, fmt.Sprintf("name %d", n+1), "%s is listed twice, first for %s", name, split[i])
			}
			split[i] = list.split
		}
		if len(absent) > 0 {
			return fault(list.path, "", "%d of %d images have no captions in %s, such as %s: want captions of all", len(absent), len(names), s.Path,
				strings.Join(absent[:min(3, len(absent))], ", "))
		}
	}
	for i := range s.Images {
		if split[i] == "" {
			split[i] = rest(&s.Images[i], l.Train != "")
		}
		s.Images[i].Split = split[i]
	}
	return nil
}

// rest is the split of an image in no list.
func rest(im *Image, trainListed bool) string {
	switch {
	case trainListed:
		return "unlisted"
	case strings.HasPrefix(base(im.Name), "COCO_val"):
		return Restval
	}
	return Train
}

// Join makes one set of several, such as COCO's captions_train2014.json and captions_val2014.json. An image in two of them is a fault.
func Join(sets ...*Set) (*Set, error) {
	out := &Set{Format: sets[0].Format, Name: sets[0].Name}
	var paths []string
	from := map[string]string{}
	for _, s := range sets {
		paths = append(paths, s.Path)
		out.Bytes += s.Bytes
		for _, im := range s.Images {
			if first, ok := from[im.Key()]; ok && im.Key() != "" {
				return nil, fault(s.Path, "", "image %q is in %s as well", im.Key(), first)
			}
			from[im.Key()] = s.Path
			out.Images = append(out.Images, im)
		}
	}
	out.Path = strings.Join(slices.Compact(paths), ", ")
	if len(sets) == 1 {
		out.SHA256 = sets[0].SHA256
	}
	return out, nil
}

// LoadAll reads paths and joins them.
func LoadAll(paths []string, o Options) (*Set, error) {
	var sets []*Set
	for _, path := range paths {
		s, err := Load(path, Options{Format: o.Format})
		if err != nil {
			return nil, err
		}
		sets = append(sets, s)
	}
	if len(sets) == 0 {
		return nil, fmt.Errorf("no files of captions: want at least one")
	}
	s, err := Join(sets...)
	if err != nil || o.Lists == nil {
		return s, err
	}
	return s, o.Lists.Apply(s)
}
