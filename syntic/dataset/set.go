package dataset

import (
	"path"
	"slices"
	"strings"
)

// Splits as Karpathy and nocaps name them. Other names are kept as they are.
const (
	Train   = "train"
	Val     = "val"
	Test    = "test"
	Restval = "restval" // COCO's validation images that are in neither of Karpathy's val and test
)

// Image is an image and what people said of it. Texts without images are an Image each, with neither ID nor Name.
type Image struct {
	ID       string   // as the file has it: "391895", "0013ea2087020901"; empty if the name is all there is
	Name     string   // file name, "COCO_val2014_000000391895.jpg"
	Folder   string   // Karpathy's filepath, "val2014"; or empty
	Split    string   // of the file or of Lists; empty if none is known
	Captions []string // as written, without blanks around and line breaks within
}

// Key is what one image has and no other of its set: its ID, else its Name; empty for a text without an image.
func (im *Image) Key() string {
	if im.ID != "" {
		return im.ID
	}
	return im.Name
}

// Set is a corpus, in the order of its file.
type Set struct {
	Path   string
	Format Format
	Name   string // the "dataset" of Karpathy's files; or empty
	Images []Image
	Bytes  int64  // of the file, unpacked
	SHA256 string // of the same, in hexadecimal; empty for folders
}

// Splits are the names of the splits, in the order of their first image; a set without splits has the one name "".
func (s *Set) Splits() []string {
	var out []string
	for i := range s.Images {
		if name := s.Images[i].Split; !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// Split gives the images of the named splits, in order. A set without splits gives all of them, whatever the names.
func (s *Set) Split(names ...string) []Image {
	if !s.HasSplits() {
		return s.Images
	}
	var out []Image
	for _, im := range s.Images {
		if slices.Contains(names, im.Split) {
			out = append(out, im)
		}
	}
	return out
}

// HasSplits tells whether any image names its split.
func (s *Set) HasSplits() bool {
	return slices.ContainsFunc(s.Images, func(im Image) bool { return im.Split != "" })
}

// Texts are the captions to learn from: those of the split train, and of restval if asked for; all of a set without splits.
func (s *Set) Texts(restval bool) []string {
	names := []string{Train}
	if restval {
		names = append(names, Restval)
	}
	var out []string
	for _, im := range s.Split(names...) {
		out = append(out, im.Captions...)
	}
	return out
}

// clean is a caption on one line, without blanks around it; runs of blanks within become one.
func clean(text string) string { return strings.Join(strings.Fields(text), " ") }

// base is the last part of a file's name, with / or \ between.
func base(name string) string { return path.Base(strings.ReplaceAll(name, `\`, "/")) }
