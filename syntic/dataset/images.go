package dataset

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"syntic/clip/pixels"
)

// Store finds pictures by the names that corpora have for them, in folders and tar shards.
type Store struct {
	Path    string
	folders []string
	at      map[string][]place // base name to where it lies
}

// place is a picture on disk: a file, or a part of a tar shard.
type place struct {
	path         string
	offset, size int64 // in the shard; size 0: the file itself
}

// maxPicture bounds an encoded picture in a shard, in bytes.
const maxPicture = 256 << 20

// OpenStore lists the pictures of a folder with all folders in it, or of a tar shard, or of all shards that a pattern such as
// train-*.tar names. Nothing is decoded.
func OpenStore(path string) (*Store, error) {
	s := &Store{Path: path, at: map[string][]place{}}
	paths := []string{path}
	if strings.ContainsAny(path, "*?[") {
		found, err := filepath.Glob(path)
		if err != nil || len(found) == 0 {
			return nil, fault(path, "", "no file has a name like that")
		}
		slices.Sort(found)
		paths = found
	}
	for _, p := range paths {
		info, err := os.Stat(p)
		switch {
		case err != nil:
			return nil, &Fault{Path: p, Err: pathless(err)}
		case info.IsDir():
			err = s.folder(p)
		default:
			err = s.shard(p)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(s.at) == 0 {
		return nil, fault(path, "", "no pictures: want a folder with JPEG or PNG files, or a tar with some")
	}
	return s, nil
}

func (s *Store) folder(dir string) error {
	s.folders = append(s.folders, dir)
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return &Fault{Path: path, Err: pathless(err)}
		case d.IsDir():
		case isImage(d.Name()):
			s.at[d.Name()] = append(s.at[d.Name()], place{path: path})
		case strings.HasSuffix(d.Name(), ".tar"):
			return s.shard(path)
		}
		return nil
	})
}

// shard notes where the pictures of a tar lie. Compressed tars have no such places.
func (s *Store) shard(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return &Fault{Path: path, Err: pathless(err)}
	}
	defer f.Close()
	in := tar.NewReader(f)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &Fault{Path: path, What: "want a folder, or a tar that is not compressed", Err: err}
		}
		if h.Typeflag != tar.TypeReg || !isImage(h.Name) {
			continue
		}
		offset, err := f.Seek(0, io.SeekCurrent) // the reader takes whole headers and nothing ahead
		if err != nil {
			return &Fault{Path: path, Err: err}
		}
		name := base(h.Name)
		s.at[name] = append(s.at[name], place{path, offset, h.Size})
	}
}

// Size is how many pictures there are.
func (s *Store) Size() int {
	n := 0
	for _, p := range s.at {
		n += len(p)
	}
	return n
}

// Find gives the place of an image's picture: by its name, or for COCO's ids by COCO's names of 2014 and 2017, or by its id.
func (s *Store) Find(im *Image) (Picture, error) {
	var names []string
	if im.Name != "" {
		names = append(names, base(im.Name))
	}
	if id := im.ID; id != "" {
		if number := strings.Trim(id, "0123456789") == "" && len(id) <= 12; number {
			padded := strings.Repeat("0", 12-len(id)) + id
			names = append(names, padded+".jpg", "COCO_val2014_"+padded+".jpg", "COCO_train2014_"+padded+".jpg")
		}
		names = append(names, id+".jpg", id+".jpeg", id+".png")
	}
	for _, name := range names {
		found := s.at[name]
		if len(found) > 1 {
			found = slices.DeleteFunc(slices.Clone(found), func(p place) bool { return im.Folder == "" || base(filepath.Dir(p.path)) != base(im.Folder) })
		}
		if len(found) == 1 {
			return Picture{name, found[0]}, nil
		}
		if len(s.at[name]) > 1 {
			return Picture{}, fault(s.Path, name, "there are %d of that name, such as %s and %s: want one", len(s.at[name]), s.at[name][0].path, s.at[name][1].path)
		}
	}
	if len(names) == 0 {
		return Picture{}, fault(s.Path, "", "a caption without an image: want a corpus that names its images")
	}
	return Picture{}, &Fault{Path: s.Path, Place: names[0], Err: fs.ErrNotExist}
}

// FindAll finds the pictures of all images, or says how many are missing, and which.
func (s *Store) FindAll(images []Image) ([]Picture, error) {
	out := make([]Picture, len(images))
	var missing []string
	for i := range images {
		var err error
		if out[i], err = s.Find(&images[i]); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, images[i].display())
		} else if err != nil {
			return nil, err
		}
	}
	if len(missing) > 0 {
		return nil, fault(s.Path, "", "%d of %d images are missing, such as %s: want all, as scores over the rest compare with nothing", len(missing), len(images),
			strings.Join(missing[:min(3, len(missing))], ", "))
	}
	return out, nil
}

func (im *Image) display() string {
	if im.Name != "" {
		return im.Name
	}
	return im.ID
}

// Picture is where a picture lies.
type Picture struct {
	Name string
	at   place
}

// Open reads and decodes the picture. The error names it and its file.
func (p Picture) Open() (*pixels.Image, error) {
	if p.at.size == 0 {
		return pixels.Open(p.at.path)
	}
	f, err := os.Open(p.at.path)
	if err != nil {
		return nil, &Fault{Path: p.at.path, Place: p.Name, Err: pathless(err)}
	}
	defer f.Close()
	if p.at.size > maxPicture {
		return nil, fault(p.at.path, p.Name, "%d bytes: want at most %d", p.at.size, maxPicture)
	}
	data := make([]byte, p.at.size)
	if _, err := f.ReadAt(data, p.at.offset); err != nil {
		return nil, &Fault{Path: p.at.path, Place: p.Name, Err: err}
	}
	im, err := pixels.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, &Fault{Path: p.at.path, Place: p.Name, Err: err}
	}
	return im, nil
}

// Stamp changes when the picture's file does: its name, size and time, without reading it.
func (p Picture) Stamp() (string, error) {
	info, err := os.Stat(p.at.path)
	if err != nil {
		return "", &Fault{Path: p.at.path, Err: pathless(err)}
	}
	return fmt.Sprintf("%s %d %d %d", p.Name, info.Size(), p.at.offset, p.at.size), nil
}
