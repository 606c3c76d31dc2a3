package image

import (
	"bufio"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Suffix ends the name of an archive: STEM.images.
const Suffix = ".images"

// ptxArch is the name of the PTX among the architectures of an archive.
const ptxArch = "compute_80"

// Archive is the images of one source. Its head is text, so that what a file holds is known without unpacking any of it:
//
//	sources SHA-256 of the sources (Sums)
//	kernels NAME NAME …
//	ARCH flate|columns BYTES PACKED SHA-256     for each image: its size, its size here, the hash of what it unpacks to
//
// An empty line follows, then the images in that order, each by itself.
type Archive struct {
	Sources string
	Kernels []string // in order of their names
	Images  []Packed

	file io.ReaderAt
}

// Packed is an image in an archive. Arch is sm_80 and so on for a cubin, compute_80 for PTX.
type Packed struct {
	Arch string
	Sum  string // SHA-256 of the image, in hex
	Size int    // bytes of the image

	form         string
	at, occupied int64
}

// The two ways to pack, of which an image takes the shorter: as it is, or all first bytes of its instructions, then all second ones, and so on. The streams of
// a kernel that is unrolled a lot resemble themselves more than its instructions do: half the size.
const (
	formPlain   = "flate"
	formColumns = "columns"
	instruction = 16 // bytes
)

// OpenArchive reads the head of an archive. The file must stay open as long as images are read.
func OpenArchive(file io.ReaderAt) (*Archive, error) {
	a, at := &Archive{file: file}, int64(0)
	r := bufio.NewReader(io.NewSectionReader(file, 0, 1<<40))
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("archive of images: its head is cut short: %w", err)
		}
		at += int64(len(line))
		words := strings.Fields(line)
		if len(words) == 0 {
			break
		}
		switch {
		case words[0] == "sources" && len(words) == 2:
			a.Sources = words[1]
		case words[0] == "kernels":
			a.Kernels = words[1:]
		default:
			p := Packed{}
			if _, err := fmt.Sscan(line, &p.Arch, &p.form, &p.Size, &p.occupied, &p.Sum); err != nil {
				return nil, fmt.Errorf("archive of images: line %q of its head: %w", strings.TrimSpace(line), err)
			}
			a.Images = append(a.Images, p)
		}
	}
	for i := range a.Images {
		a.Images[i].at = at
		at += a.Images[i].occupied
	}
	return a, nil
}

// Has tells whether there is an image for an architecture.
func (a *Archive) Has(arch string) bool {
	return slices.ContainsFunc(a.Images, func(p Packed) bool { return p.Arch == arch })
}

// Image unpacks the image for an architecture, and no other.
func (a *Archive) Image(arch string) ([]byte, error) {
	i := slices.IndexFunc(a.Images, func(p Packed) bool { return p.Arch == arch })
	if i < 0 {
		return nil, fmt.Errorf("archive of images: none for %s", arch)
	}
	p := a.Images[i]
	data := make([]byte, p.Size)
	if _, err := io.ReadFull(flate.NewReader(io.NewSectionReader(a.file, p.at, p.occupied)), data); err != nil {
		return nil, fmt.Errorf("archive of images: %s: %w", arch, err)
	}
	if p.form == formColumns {
		data = lines(data)
	}
	if sum(data) != p.Sum {
		return nil, fmt.Errorf("archive of images: what is there for %s is damaged", arch)
	}
	return data, nil
}

// pack writes an archive. Nothing in it depends on time, place or order of images.
func pack(sources string, kernels []string, images map[string][]byte) ([]byte, error) {
	var head, body bytes.Buffer
	fmt.Fprintf(&head, "sources %s\nkernels %s\n", sources, strings.Join(slices.Sorted(slices.Values(kernels)), " "))
	for _, arch := range archs {
		image, ok := images[arch]
		if !ok {
			continue
		}
		form, packed, err := formPlain, []byte(nil), error(nil)
		if packed, err = deflate(image); err != nil {
			return nil, err
		}
		if other, err := deflate(columns(image)); err != nil {
			return nil, err
		} else if len(other) < len(packed) {
			form, packed = formColumns, other
		}
		fmt.Fprintf(&head, "%s %s %d %d %s\n", arch, form, len(image), len(packed), sum(image))
		body.Write(packed)
	}
	head.WriteByte('\n')
	return append(head.Bytes(), body.Bytes()...), nil
}

func deflate(data []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	return b.Bytes(), err
}

// columns takes data as lines of 16 bytes and writes it column by column; what is left of a line stays last. lines undoes it.
func columns(data []byte) []byte {
	n := len(data) / instruction
	out := slices.Clone(data)
	for i := range n * instruction {
		out[i%instruction*n+i/instruction] = data[i]
	}
	return out
}

func lines(data []byte) []byte {
	n := len(data) / instruction
	out := slices.Clone(data)
	for i := range n * instruction {
		out[i] = data[i%instruction*n+i/instruction]
	}
	return out
}

func sum(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }
