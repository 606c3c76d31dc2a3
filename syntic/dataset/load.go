package dataset

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Format is a form of captions on disk.
type Format string

// The formats, as --format names them.
const (
	Auto     Format = ""         // by what the file holds
	Karpathy Format = "karpathy" // {"images": [{"filename", "split", "sentences": [{"raw"}]}]}
	COCO     Format = "coco"     // {"images": [{"id"}], "annotations": [{"image_id", "caption"}]}
	ByName   Format = "viecap"   // {"name.jpg": ["caption", …]}
	Texts    Format = "decap"    // ["caption", …]
	Objects  Format = "nocaps"   // [{"image_id" or "image_name" or "image", "split", "caption" or "captions"}]
	Tokens   Format = "tokens"   // lines "name.jpg#k TAB caption": Flickr30k's and Flickr8k's token files
	Pipes    Format = "flickr"   // lines "name.jpg| k| caption" or "name.jpg,caption" behind a head
	CC3M     Format = "cc3m"     // lines "caption TAB address"
	SS1M     Format = "ss1m"     // lines "<S> words </S>"
	Pickle   Format = "pickle"   // a pickled list of texts or of lists of words
	Multi30k Format = "multi30k" // a folder of train.1.en … with train_images.txt
	Tar      Format = "tar"      // 0001.jpg beside 0001.txt or 0001.json
	Lines    Format = "lines"    // one caption a line
)

// Formats are all formats, in the order in which help names them.
func Formats() []Format {
	return []Format{Karpathy, COCO, ByName, Texts, Objects, Tokens, Pipes, CC3M, SS1M, Pickle, Multi30k, Tar, Lines}
}

// Describe says what the format is, in words.
func (f Format) Describe() string {
	return map[Format]string{
		Karpathy: `Karpathy's splits, dataset_coco.json and the like: {"images": [{"filename", "split", "sentences": [{"raw"}]}]}`,
		COCO:     `COCO captions, and nocaps' as its site gives them: {"images": [{"id"}], "annotations": [{"image_id", "caption"}]}`,
		ByName:   `ViECap's annotations: {"name.jpg": ["caption", …]}`,
		Texts:    `DeCap's captions: ["caption", …]`,
		Objects:  `ViECap's nocaps corpus, MAGIC's results (their references): [{"image_id" or "image_name", "split", "caption" or "captions"}]`,
		Tokens:   "Flickr30k's and Flickr8k's token files: name.jpg#k, tab, caption",
		Pipes:    "Flickr's tables: name.jpg| k| caption, or name.jpg,caption, behind a head",
		CC3M:     "CC3M's TSV: caption, tab, address",
		SS1M:     "SS1M's lines: <S> words </S>",
		Pickle:   "a pickled list of texts, or of lists of words (SS1M); nothing in it is run",
		Multi30k: "the folder of multi30k's task 2: train.1.en … train.5.en, train_images.txt, …",
		Tar:      "tar shards: 0001.jpg beside 0001.txt, or 0001.json with a caption",
		Lines:    "one caption a line",
	}[f]
}

// ParseFormat takes a name of Formats, or "" or "auto".
func ParseFormat(name string) (Format, error) {
	if name == "" || name == "auto" {
		return Auto, nil
	}
	if f := Format(name); slices.Contains(Formats(), f) {
		return f, nil
	}
	var names []string
	for _, f := range Formats() {
		names = append(names, string(f))
	}
	return "", fmt.Errorf("format %q: want auto, %s", name, strings.Join(names, ", "))
}

// Options of Load; the zero value recognises the format and takes the file's own splits.
type Options struct {
	Format Format
	Lists  *Lists // which images are of which split, for files that do not say
}

// maxFile bounds what is read of one file, unpacked: dataset_coco.json has 144 MB, SS1M's pickle 300 MB.
const maxFile = 4 << 30

// Load reads a file or folder of captions. gzip, and a zip with one file in it, are unpacked. Its errors are *Fault, or wrap one.
func Load(path string, o Options) (*Set, error) {
	s, err := load(path, o.Format)
	if err != nil {
		return nil, err
	}
	s.Path = path
	if err := s.check(); err != nil {
		return nil, err
	}
	if o.Lists != nil {
		if err := o.Lists.Apply(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func load(path string, format Format) (*Set, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &Fault{Path: path, Err: pathless(err)}
	}
	if info.IsDir() {
		return loadFolder(path, format)
	}
	if format == Multi30k {
		return nil, fault(path, "", "a file: want the folder of train.1.en … and train_images.txt")
	}
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	if format == Auto {
		format = recognise(data)
	}
	s, err := parse(path, data, format)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	s.Bytes, s.SHA256 = int64(len(data)), hex.EncodeToString(sum[:])
	return s, nil
}

// pathless is what the file system said, without the name that the Fault has already.
func pathless(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// readFile reads a file, unpacked if it begins as gzip or zip does.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &Fault{Path: path, Err: pathless(err)}
	}
	defer f.Close()
	head := make([]byte, 4)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, &Fault{Path: path, Err: pathless(err)}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, &Fault{Path: path, Err: pathless(err)}
	}
	var in io.Reader = f
	switch head = head[:n]; {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		if in, err = gzip.NewReader(f); err != nil {
			return nil, &Fault{Path: path, Err: err}
		}
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return readZip(path, f)
	case strings.HasSuffix(path, ".gz"):
		return nil, fault(path, "", "named .gz, but not gzipped: was the download cut off, or is it a page that tells of an error?")
	}
	return readAll(path, in)
}

func readAll(path string, in io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return nil, &Fault{Path: path, What: fmt.Sprintf("cut off or damaged after %d bytes", len(data)), Err: err}
	}
	if len(data) > maxFile {
		return nil, fault(path, "", "more than %d bytes", maxFile)
	}
	return data, nil
}

// readZip reads the one file of a zip; __MACOSX and folders do not count.
func readZip(path string, f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, &Fault{Path: path, Err: err}
	}
	z, err := zip.NewReader(f, info.Size())
	if err != nil {
		return nil, &Fault{Path: path, Err: err}
	}
	var files []*zip.File
	var names []string
	for _, m := range z.File {
		if !m.FileInfo().IsDir() && !strings.HasPrefix(m.Name, "__MACOSX/") {
			files, names = append(files, m), append(names, m.Name)
		}
	}
	if len(files) != 1 {
		return nil, fault(path, "", "%d files in the zip (%s): want one; unpack it and name the file", len(files), strings.Join(names[:min(5, len(names))], ", "))
	}
	in, err := files[0].Open()
	if err != nil {
		return nil, &Fault{Path: path, Place: names[0], Err: err}
	}
	defer in.Close()
	return readAll(path, in)
}

// recognise names the format of a file by what it holds.
func recognise(data []byte) Format {
	if len(data) > 262 && string(data[257:262]) == "ustar" {
		return Tar
	}
	if looksPickled(data) {
		return Pickle
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(data, bom), " \t\r\n")
	if len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		return recogniseJSON(text)
	}
	return recogniseText(text)
}

var bom = []byte("\xef\xbb\xbf")

func parse(path string, data []byte, format Format) (*Set, error) {
	switch format {
	case Tar:
		return parseTar(path, data)
	case Pickle:
		return parsePickle(path, data)
	}
	if err := checkUTF8(path, data); err != nil {
		return nil, err
	}
	data = bytes.TrimPrefix(data, bom)
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, fault(path, "", "the file is empty: want captions")
	}
	switch format {
	case Karpathy:
		return parseKarpathy(path, data)
	case COCO:
		return parseCOCO(path, data)
	case ByName:
		return parseByName(path, data)
	case Texts:
		return parseTexts(path, data)
	case Objects:
		return parseObjects(path, data)
	}
	return parseText(path, data, format)
}

// check refuses sets that no one could have meant: no caption at all, an image twice.
func (s *Set) check() error {
	if len(s.Images) == 0 {
		return fault(s.Path, "", "no captions: want at least one")
	}
	seen := make(map[string]int, len(s.Images))
	for i := range s.Images {
		key := s.Images[i].Key()
		if key == "" {
			continue
		}
		if first, ok := seen[key]; ok {
			return fault(s.Path, s.place(i), "image %q is listed twice, first as %s", key, s.place(first))
		}
		seen[key] = i
	}
	return nil
}

// place is where image i stands.
func (s *Set) place(i int) string {
	if s.Format == Karpathy || s.Format == COCO {
		return "images[" + strconv.Itoa(i) + "]"
	}
	return "image " + strconv.Itoa(i+1)
}
