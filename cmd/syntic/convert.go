package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
	"syntic/tensor/pickle"
	"syntic/tensor/safetensors"
)

type convertOptions struct{ key, dtype string }

func convertCmd() *cobra.Command {
	o := convertOptions{}
	cmd := &cobra.Command{
		Use: "convert IN.{bin,pt,pth,ckpt,safetensors} OUT.safetensors", Short: "Turn checkpoints of torch.save into safetensors; nothing in them is run",
		Args: cobra.ExactArgs(2),
		Long: "Turn a checkpoint of torch.save (zip archives since torch 1.6, the format before, TorchScript archives) into a safetensors file. Pickles are\n" +
			"read as data by a machine of our own that knows twenty names; a file that wants any other is refused by that name, and nothing is written.\n" +
			"Tensors in nested dicts are named by their path, joined by dots. Weights that lie below one of the keys that trainings use (state_dict, model, …)\n" +
			"are taken from there; --key takes another path, --key . everything. A safetensors file, or the index of shards of either kind, becomes one file.",
		Example: "  syntic convert pytorch_model.bin model.safetensors\n" +
			"  syntic convert sd-v1-4.ckpt sd-v1-4.safetensors --key state_dict --dtype F16\n" +
			"  syntic convert model.safetensors.index.json model.safetensors --dtype BF16",
		RunE: func(cmd *cobra.Command, args []string) error { return convert(cmd, &o, args[0], args[1]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.key, "key", "", "take the tensors below this dotted `path`; . takes all")
	f.StringVar(&o.dtype, "dtype", "", "store floating-point tensors as `TYPE`: F32, F16, BF16 or F64 (default: as they are)")
	return cmd
}

func convert(cmd *cobra.Command, o *convertOptions, in, out string) error {
	to := safetensors.DType(strings.ToUpper(o.dtype))
	if o.dtype != "" && !to.IsFloat() {
		return cli.Usage(fmt.Errorf("--dtype %q: want F32, F16, BF16 or F64", o.dtype))
	}
	if filepath.Ext(out) != ".safetensors" {
		return cli.Usage(fmt.Errorf("OUT %q: want a name that ends in .safetensors", out))
	}
	if err := writable(out); err != nil {
		return cli.BadInput(err)
	}
	if a, err := os.Stat(in); err == nil {
		if b, err := os.Stat(out); err == nil && os.SameFile(a, b) {
			return cli.Usage(fmt.Errorf("%s and %s are the same file", in, out))
		}
	}
	s, err := openSource(in, o.key)
	if err != nil {
		return cli.BadInput(err)
	}
	defer s.close()
	var bytes int64
	for i := range s.tensors {
		s.tensors[i] = recoded(s.tensors[i], to)
		n := int64(s.tensors[i].DType.Size())
		for _, d := range s.tensors[i].Shape {
			n *= int64(d)
		}
		bytes += n
	}
	if err := safetensors.Write(out, s.tensors, s.meta); err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return err
		}
		return cli.BadInput(err)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d tensors, %s%s\n", out, len(s.tensors), cli.Bytes(bytes), s.note)
	return nil
}

// source is what convert reads: tensors whose bytes are read when they are written.
type source struct {
	tensors []safetensors.Tensor
	meta    map[string]string
	note    string
	close   func() error
}

func openSource(path, key string) (*source, error) {
	if strings.HasSuffix(path, ".bin.index.json") {
		return openPickledShards(path, key)
	}
	if ext := filepath.Ext(path); ext == ".safetensors" || ext == ".json" {
		if key != "" {
			return nil, fmt.Errorf("%s: --key is for pickles: a safetensors file holds no tree", path)
		}
		f, err := safetensors.Open(path)
		if err != nil {
			return nil, err
		}
		s := &source{meta: f.Metadata(), close: f.Close}
		for _, name := range f.Names() {
			t, err := f.As(name, name)
			if err != nil {
				return nil, errors.Join(err, f.Close())
			}
			s.tensors = append(s.tensors, t)
		}
		return s, nil
	}
	f, err := pickle.Open(path)
	if err != nil {
		return nil, err
	}
	sel, err := f.Select(key)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	s := &source{meta: map[string]string{"format": "pt"}, close: f.Close}
	for _, t := range sel.Tensors {
		s.tensors = append(s.tensors, safetensors.Tensor{Name: t.Name, DType: t.DType, Shape: t.Shape, Make: t.Bytes})
	}
	if sel.Key != "" {
		s.note += fmt.Sprintf(", those below %q", sel.Key)
	}
	if sel.Dropped > 0 {
		s.note += fmt.Sprintf("; %d values that are no tensors left out", sel.Dropped)
	}
	if sel.Shared > 0 {
		s.note += fmt.Sprintf("; %d tensors shared memory with others and have their own now", sel.Shared)
	}
	return s, nil
}

// openPickledShards opens every shard of an index (pytorch_model.bin.index.json); each tensor must be where the index says.
func openPickledShards(path, key string) (*source, error) {
	where, err := safetensors.ReadIndex(path)
	if err != nil {
		return nil, err
	}
	all := &source{}
	var opened []*source
	all.close = func() error {
		var err error
		for _, s := range opened {
			err = errors.Join(err, s.close())
		}
		return err
	}
	found := map[string]bool{}
	for _, shard := range slices.Compact(slices.Sorted(maps.Values(where))) {
		s, err := openSource(filepath.Join(filepath.Dir(path), shard), key)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: shard %w", path, err), all.close())
		}
		opened = append(opened, s)
		for _, t := range s.tensors {
			if where[t.Name] != shard {
				return nil, errors.Join(fmt.Errorf("%s: tensor %q of shard %s is not listed there", path, t.Name, shard), all.close())
			}
			found[t.Name] = true
		}
		all.tensors, all.meta = append(all.tensors, s.tensors...), s.meta
	}
	for _, name := range slices.Sorted(maps.Keys(where)) {
		if !found[name] {
			return nil, errors.Join(fmt.Errorf("%s: tensor %q is not in shard %s, where the index puts it", path, name, where[name]), all.close())
		}
	}
	all.note = fmt.Sprintf(", of %d shards", len(opened))
	return all, nil
}

// recoded is a tensor that becomes dtype to when it is written, if it holds floating-point numbers; to "" leaves it.
func recoded(t safetensors.Tensor, to safetensors.DType) safetensors.Tensor {
	if to == "" || !t.DType.IsFloat() || t.DType == to {
		return t
	}
	from, b, make := t.DType, t.Bytes, t.Make
	t.DType, t.Bytes = to, nil
	t.Make = func() ([]byte, error) {
		if make != nil {
			var err error
			if b, err = make(); err != nil {
				return nil, err
			}
			defer func() { b = nil }()
		}
		return safetensors.Recode(from, b, to), nil
	}
	return t
}
