package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"syntic/diffusion"
	"syntic/syntic/world/weights"
)

// HashPainter is "sha256:" and the hash of what OpenPainter would read of a model: names, sizes and bytes of a folder's configurations, vocabularies
// and checkpoints, or the bytes of a single-file checkpoint. Notes beside them do not count.
func HashPainter(ctx context.Context, model string) (string, error) {
	h := sha256.New()
	if diffusion.IsLDM(model) {
		if err := hashFile(ctx, h, os.DirFS(filepath.Dir(model)), filepath.Base(model)); err != nil {
			return "", err
		}
		return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
	}
	files := os.DirFS(model)
	if model == World {
		var err error
		if files, err = fs.Sub(weights.FS, "sd"); err != nil {
			return "", err
		}
	}
	for _, part := range []string{"scheduler", "text_encoder", "tokenizer", "unet", "vae"} {
		entries, err := fs.ReadDir(files, part)
		if err != nil {
			return "", fmt.Errorf("%s: %w", model, err)
		}
		for _, e := range entries { // by name
			if e.IsDir() || !slices.Contains([]string{".json", ".txt", ".safetensors"}, path.Ext(e.Name())) {
				continue
			}
			if err := hashFile(ctx, h, files, part+"/"+e.Name()); err != nil {
				return "", fmt.Errorf("%s: %w", model, err)
			}
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// hashFile adds a file; it looks at ctx now and then.
func hashFile(ctx context.Context, h io.Writer, files fs.FS, name string) error {
	f, err := files.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	fmt.Fprintf(h, "%s\n%d\n", name, info.Size())
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch _, err := io.CopyN(h, f, 64<<20); err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}
