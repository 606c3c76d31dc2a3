package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"syntic/clip/pixels"
)

// listImages is the images that the arguments name, in order: files as they are, of folders every image in them and in the folders in them, by
// name, and of list, where not "", a path a line.
func listImages(args []string, list string) ([]string, error) {
	var paths []string
	if list != "" {
		lines, err := readTexts(list)
		if err != nil {
			return nil, fmt.Errorf("--list: %w", err)
		}
		paths = lines
	}
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", arg, reason(err))
		}
		if !info.IsDir() {
			paths = append(paths, arg)
			continue
		}
		before := len(paths)
		if err := filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && imageName(path) {
				paths = append(paths, path)
			}
			return err
		}); err != nil {
			return nil, fmt.Errorf("images in %s: %w", arg, err)
		}
		if len(paths) == before {
			return nil, fmt.Errorf("%s: no images in this folder: want files that end in .jpg, .png, .webp, .gif or .bmp", arg)
		}
	}
	if len(paths) == 0 {
		return nil, errors.New("no images")
	}
	return paths, nil
}

func imageName(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp":
		return true
	}
	return false
}

// opener decodes images ahead of those who take them, a few at a time, so that memory stays bounded.
type opener struct {
	paths []string
	ahead int
	begun int
	ready []chan opened
}

type opened struct {
	im  *pixels.Image
	err error
}

func newOpener(paths []string) *opener {
	return &opener{paths: paths, ahead: 2 * runtime.GOMAXPROCS(0), ready: make([]chan opened, len(paths))}
}

// take gives image i; i rises by one from call to call.
func (o *opener) take(i int) (*pixels.Image, error) {
	for ; o.begun < min(len(o.paths), i+1+o.ahead); o.begun++ {
		to, path := make(chan opened, 1), o.paths[o.begun]
		o.ready[o.begun] = to
		go func() {
			im, err := openImage(path)
			to <- opened{im, err}
		}()
	}
	got := <-o.ready[i]
	o.ready[i] = nil
	return got.im, got.err
}
