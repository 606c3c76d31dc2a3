package pickle

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/tensor/safetensors"
)

// The testdata is torch's own (bench/golden/make_pickles.py): each file beside the tensors that torch itself says it holds.
func TestFilesOfTorch(t *testing.T) {
	files, err := filepath.Glob("testdata/*.safetensors")
	require.NoError(t, err)
	require.Len(t, files, 10)
	for _, want := range files {
		path := want[:len(want)-len(".safetensors")]
		t.Run(filepath.Base(path), func(t *testing.T) {
			w, err := safetensors.Open(want)
			require.NoError(t, err)
			defer w.Close()
			f, err := Open(path)
			require.NoError(t, err)
			defer f.Close()
			assert.Equal(t, path, f.Path())
			s, err := f.Select("")
			require.NoError(t, err)
			assert.Len(t, s.Tensors, len(w.Names()))
			for _, x := range s.Tensors {
				info, ok := w.Info(x.Name)
				require.True(t, ok, x.Name)
				assert.Equal(t, info.DType, x.DType, x.Name)
				assert.Equal(t, info.Shape, x.Shape, x.Name)
				raw, err := w.Bytes(x.Name)
				require.NoError(t, err)
				got, err := x.Bytes()
				require.NoError(t, err)
				assert.Equal(t, raw, append([]byte{}, got...), x.Name)
			}
		})
	}
}

func TestSelect(t *testing.T) {
	for _, name := range []string{"training.ckpt", "training_legacy.ckpt"} {
		f, err := Open("testdata/" + name)
		require.NoError(t, err)
		defer f.Close()
		s, err := f.Select("")
		require.NoError(t, err)
		assert.Equal(t, "state_dict", s.Key)
		assert.Len(t, s.Tensors, 7)
		s, err = f.Select(All)
		require.NoError(t, err)
		assert.Equal(t, "", s.Key)
		var names []string
		for _, x := range s.Tensors {
			names = append(names, x.Name)
		}
		assert.Contains(t, names, "state_dict.0.weight")
		assert.Contains(t, names, "optimizer_states.0.state.0.exp_avg")
		assert.Greater(t, s.Dropped, 10)
		s, err = f.Select("optimizer_states.0.state.1")
		require.NoError(t, err)
		assert.Len(t, s.Tensors, 3)
		_, err = f.Select("state_dict.weights")
		assert.ErrorContains(t, err, `no key "state_dict.weights": at "state_dict." there are 0.weight, 0.bias`)
		_, err = f.Select("epoch")
		assert.ErrorContains(t, err, `no tensors below "epoch"`)
		s, err = f.Select("state_dict.0.weight")
		require.NoError(t, err)
		assert.Equal(t, []int{2, 3}, s.Tensors[0].Shape)

		top := f.root.(*dict)
		callbacks, _ := top.get("callbacks")
		assert.Equal(t, global("pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint"), callbacks.(*dict).keys[0])
		scores := callbacks.(*dict).values[0].(*dict)
		assert.Equal(t, []value{nil, 0.25, 1.5, int64(7)}, scores.values)
		args, _ := top.get("args")
		assert.Equal(t, namespace, args.(*bag).class)
		numbers, _ := top.get("numbers")
		assert.Equal(t, []value{int64(1) << 62, int64(-5), 0.1, []byte{0, 255}, tuple{int64(2), int64(3)}}, numbers.(*dict).values)
	}
	f, err := Open("testdata/types.pt")
	require.NoError(t, err)
	defer f.Close()
	s, err := f.Select("")
	require.NoError(t, err)
	assert.Equal(t, 3, s.Shared, "transposed, columns and rows are views of base")
}
