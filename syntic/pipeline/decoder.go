package pipeline

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"

	"syntic/clip/bpe"
	"syntic/syntic"
	"syntic/tensor"
)

// gpt2Files are a tokenizer's files, in the folders of Hugging Face.
var gpt2Files = []string{"vocab.json", "merges.txt", "tokenizer.json"}

// gpt2Words is the tokenizer of a folder of GPT-2, or GPT-2's own where it holds none.
func gpt2Words(dir string) (*bpe.GPT2, error) {
	for _, name := range gpt2Files {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return bpe.LoadGPT2(dir)
		}
	}
	return bpe.OwnGPT2()
}

// packDecoder is the decoder's files as one tar, without times, so that equal decoders have equal bytes.
func packDecoder(d *syntic.Decoder) ([]byte, error) {
	dir, err := os.MkdirTemp("", "syntic-decoder-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := d.Save(dir); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	files := tar.NewWriter(&b)
	list, err := os.ReadDir(dir) // by name
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		if err := files.WriteHeader(&tar.Header{Name: f.Name(), Mode: 0o644, Size: int64(len(data))}); err != nil {
			return nil, err
		}
		if _, err := files.Write(data); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), files.Close()
}

// unpackDecoder writes the files of packDecoder to a folder.
func unpackDecoder(data []byte, dir string) error {
	files := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := files.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(dir, filepath.Base(h.Name)), func(w io.Writer) error { _, err := io.Copy(w, files); return err }); err != nil {
			return err
		}
	}
}

// openDecoder opens what packDecoder gave.
func openDecoder(dev *tensor.Device, data []byte) (*syntic.Decoder, error) {
	dir, err := os.MkdirTemp("", "syntic-decoder-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := unpackDecoder(data, dir); err != nil {
		return nil, err
	}
	return syntic.LoadDecoder(dev, dir)
}
