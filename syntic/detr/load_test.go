package detr

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/clip/pixels"
	"syntic/nn"
	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// rewrite copies a golden checkpoint after edit has changed its tensors.
func rewrite(t *testing.T, name string, edit func(map[string]*safetensors.Tensor)) *safetensors.File {
	t.Helper()
	g := openGolden(t, name)
	ts := map[string]*safetensors.Tensor{}
	for _, n := range g.Names() {
		ts[n] = &safetensors.Tensor{Name: n, DType: safetensors.F32, Shape: g.shape(n), Floats: g.floats(n)}
	}
	edit(ts)
	var list []safetensors.Tensor
	for _, x := range ts {
		list = append(list, *x)
	}
	path := filepath.Join(t.TempDir(), "x.safetensors")
	require.NoError(t, safetensors.Write(path, list, nil))
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

func TestLoadWeightsRefusesWhatDoesNotFit(t *testing.T) {
	const inProj = "transformer.encoder.layers.1.self_attn.in_proj_weight"
	for _, c := range []struct {
		weights, want string
		edit          func(map[string]*safetensors.Tensor)
	}{
		{"model", "1 missing: model.input_projection.bias", func(m map[string]*safetensors.Tensor) { delete(m, "model.input_projection.bias") }},
		{"model", "1 unexpected: stray", func(m map[string]*safetensors.Tensor) {
			m["stray"] = &safetensors.Tensor{Name: "stray", DType: safetensors.F32, Shape: []int{1}, Floats: []float32{1}}
		}},
		{"model_timm", "found [7 32], want [8 32]", func(m map[string]*safetensors.Tensor) {
			x := m["class_labels_classifier.weight"]
			x.Shape, x.Floats = []int{7, 32}, x.Floats[:7*32]
		}},
		{"model_timm", "1 missing: model.backbone.conv_encoder.model.encoder.stages.2.layers.1.layer.0.normalization.running_var",
			func(m map[string]*safetensors.Tensor) {
				delete(m, "model.backbone.conv_encoder.model.layer3.1.bn1.running_var")
			}},
		{"model_facebook", "3 missing: model.encoder.layers.1.self_attn.k_proj.weight", func(m map[string]*safetensors.Tensor) { delete(m, inProj) }},
		{"model_facebook", inProj + `": [64 32] holds no 3 equal parts`, func(m map[string]*safetensors.Tensor) {
			m[inProj].Shape, m[inProj].Floats = []int{64, 32}, m[inProj].Floats[:64*32]
		}},
		{"model_facebook", inProj + " as model.encoder.layers.1.self_attn.k_proj.weight: found [31 32], want [32 32]", func(m map[string]*safetensors.Tensor) {
			m[inProj].Shape, m[inProj].Floats = []int{93, 32}, m[inProj].Floats[:93*32]
		}},
		{"model_facebook", "3 unexpected: transformer.encoder.layers.7.self_attn.in_proj_weight", func(m map[string]*safetensors.Tensor) {
			m[inProj].Name = "transformer.encoder.layers.7.self_attn.in_proj_weight"
		}},
	} {
		m := loadTiny(t, "model")
		before := m.Class.Weight.Float32s()
		require.ErrorContains(t, m.LoadWeights(rewrite(t, c.weights, c.edit)), c.want)
		require.Equal(t, before, m.Class.Weight.Float32s())
	}
}

func TestLoadWeightsSkipsCounters(t *testing.T) {
	m := loadTiny(t, "model")
	require.NoError(t, m.LoadWeights(rewrite(t, "model_timm", func(ts map[string]*safetensors.Tensor) {
		n := "model.backbone.conv_encoder.model.bn1.num_batches_tracked"
		ts[n] = &safetensors.Tensor{Name: n, DType: safetensors.I64, Shape: nil, Ints: []int64{3}}
	})))
}

func TestLoadedNormsAreFrozen(t *testing.T) {
	m := loadTiny(t, "model")
	norms, others := 0, 0
	for _, p := range nn.Parameters(m) {
		if strings.Contains(p.Name, ".normalization.") {
			norms++
			require.False(t, p.Trainable(), p.Name)
		} else {
			others++
			require.True(t, p.Trainable(), p.Name)
		}
	}
	require.Equal(t, 4*(1+6*3+4), norms)
	require.Positive(t, others)
}

func TestLoadFolderErrors(t *testing.T) {
	dir := t.TempDir()
	_, err := Load(dir, tensor.CPU())
	require.ErrorIs(t, err, os.ErrNotExist)
	m := loadTiny(t, "model")
	require.NoError(t, m.Save(dir, "F16"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, configFile), []byte(`{"model_type": "detr", "d_model": 30}`), 0o644))
	_, err = Load(dir, tensor.CPU())
	require.ErrorContains(t, err, dir)
	require.ErrorContains(t, err, "d_model is 30: want a multiple of 4")
}

func TestConfigOfTheHub(t *testing.T) {
	// the keys of facebook/detr-resnet-50 that matter here
	c, err := ParseConfig([]byte(`{"model_type": "detr", "backbone": "resnet50", "d_model": 256, "dilation": false, "dropout": 0.1, "classifier_dropout": 0.0,
		"position_embedding_type": "sine", "num_queries": 100, "id2label": {"0": "N/A", "1": "person", "2": "bicycle"}}`))
	require.NoError(t, err)
	require.Equal(t, Labels{"N/A", "person", "bicycle"}, c.Labels)
	require.Equal(t, []int{3, 4, 6, 3}, c.BackboneConfig.Depths)
	require.Equal(t, []int{256, 512, 1024, 2048}, c.BackboneConfig.HiddenSizes)
	m, err := New(c, tensor.CPU())
	require.NoError(t, err)
	// 41,524,768 with 91 classes in the library, which counts weight and bias of the 26,560 norms as constants
	n := 0
	for _, p := range nn.Parameters(m) {
		if !strings.Contains(p.Name, "running_") {
			n += p.Len()
		}
	}
	require.Equal(t, 41_524_768+2*26_560-88*257, n)
	again, err := json.Marshal(c)
	require.NoError(t, err)
	back, err := ParseConfig(again)
	require.NoError(t, err)
	require.Equal(t, c, back)
}

func TestConfigErrors(t *testing.T) {
	for in, want := range map[string]string{
		`{"model_type": "yolos"}`:                                          `model_type "yolos": want detr`,
		`{"backbone": "swin"}`:                                             `backbone "swin" is not supported`,
		`{"dilation": true}`:                                               "dilation",
		`{"encoder_attention_heads": 7}`:                                   "d_model 256 does not divide into 7 and 8 heads",
		`{"num_queries": -1}`:                                              "num_queries is -1",
		`{"id2label": {"0": "a", "2": "b"}}`:                               `id2label has the key "2": want 0 to 1`,
		`{"position_embedding_type": "learned"}`:                           "position_embedding_type",
		`{"use_timm_backbone": false, "backbone_config": {"depths": [1]}}`: "backbone_config: hidden_sizes has 4 entries, depths 1",
		`{"use_timm_backbone": false, "backbone_config": {"out_features": ["stage5"]}}`: "stage1 to stage4",
		`{"num_labels": 99999999}`: "num_labels",
		`{"d_model": "wide"}`:      "d_model",
	} {
		_, err := ParseConfig([]byte(strings.Replace(in, "{", `{"model_type": "detr", `, 1)))
		if strings.Contains(in, "yolos") {
			_, err = ParseConfig([]byte(in))
		}
		require.ErrorContains(t, err, want, in)
	}
}

func TestProcessorFile(t *testing.T) {
	old, err := parseProcessor([]byte(`{"size": 600, "max_size": 1000, "image_mean": [0.1, 0.2, 0.3], "image_std": [1, 2, 3]}`))
	require.NoError(t, err)
	require.Equal(t, pixels.DETR{Short: 600, Long: 1000, Mean: [3]float32{0.1, 0.2, 0.3}, Std: [3]float32{1, 2, 3}}, old)
	now, err := parseProcessor([]byte(`{"size": {"shortest_edge": 800, "longest_edge": 1333}}`))
	require.NoError(t, err)
	require.Equal(t, pixels.DefaultDETR(), now)
	for in, want := range map[string]string{`{"size": 0}`: "shortest_edge", `{"image_std": [1, 0, 1]}`: "image_std", `{"do_resize": false}`: "do_resize"} {
		_, err := parseProcessor([]byte(in))
		require.ErrorContains(t, err, want)
	}
}
