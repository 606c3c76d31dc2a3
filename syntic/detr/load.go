package detr

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"syntic/clip/pixels"
	"syntic/nn"
	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// The files of a model's folder.
const (
	configFile    = "config.json"
	weightsStem   = "model"
	processorFile = "preprocessor_config.json"
)

// Load reads a folder with config.json, model.safetensors (or its shards) and, where there is one, preprocessor_config.json. The checkpoint may have the
// names of Hugging Face's ResNet, of timm's ResNet (facebook/detr-resnet-50 on the hub) or of the original repository.
// On the CPU weights are used in place, in the mapped file, until Close: it must not be overwritten, only replaced.
// Norms of the backbone are frozen: their weight and bias are not trainable.
func Load(dir string, dev *tensor.Device) (m *Model, err error) {
	config, err := os.ReadFile(filepath.Join(dir, configFile))
	if err != nil {
		return nil, err
	}
	processor, err := os.ReadFile(filepath.Join(dir, processorFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	f, err := safetensors.OpenFolder(dir, "", weightsStem)
	if err != nil {
		return nil, err
	}
	if m, err = load(config, processor, f, dev, true); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", dir, err), f.Close())
	}
	m.weights = f
	return m, nil
}

// LoadBytes is Load of files in memory, such as embedded ones. processor may be nil.
func LoadBytes(config, processor, weights []byte, dev *tensor.Device) (*Model, error) {
	f, err := safetensors.OpenBytes(weights)
	if err != nil {
		return nil, err
	}
	m, err := load(config, processor, f, dev, false)
	return m, errors.Join(err, f.Close())
}

func load(config, processor []byte, f *safetensors.File, dev *tensor.Device, share bool) (m *Model, err error) {
	defer tensor.Catch(&err)
	c, err := ParseConfig(config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", configFile, err)
	}
	m, err = New(c, dev)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", configFile, err)
	}
	if processor != nil {
		if m.Processor, err = parseProcessor(processor); err != nil {
			return nil, fmt.Errorf("%s: %w", processorFile, err)
		}
	}
	if err := m.loadWeights(f, share); err != nil {
		m.Close()
		return nil, fmt.Errorf("%s: %w", filepath.Base(f.Path()), err)
	}
	m.trainNorms(false)
	return m, nil
}

// LoadWeights fills the parameters from a checkpoint of any of the three namings. The error lists every name that is missing, unexpected or
// misshapen; then nothing has been changed.
func (m *Model) LoadWeights(f *safetensors.File) error { return m.loadWeights(f, false) }

// loadWeights is LoadWeights; with share the model uses the file's memory where it can.
func (m *Model) loadWeights(f *safetensors.File, share bool) error {
	g, err := hubNames(f)
	if err != nil {
		return err
	}
	return nn.Load(m, g, nn.LoadOptions{Map: share})
}

// hubNames is a view of a checkpoint under Hugging Face's names: the original repository's attention weights, which hold query, key and value
// one above the other, come apart. Counters of batch norms are left out.
func hubNames(f *safetensors.File) (*safetensors.File, error) {
	var all []safetensors.Tensor
	for _, name := range f.Names() {
		if strings.HasSuffix(name, ".num_batches_tracked") {
			continue
		}
		hub := canonical(name)
		if block, kind, ok := strings.Cut(hub, ".in_proj_"); ok {
			parts, err := f.Rows(name, block+".q_proj."+kind, block+".k_proj."+kind, block+".v_proj."+kind)
			if err != nil {
				return nil, err
			}
			all = append(all, parts...)
			continue
		}
		t, err := f.As(name, hub)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return f.Derive(all)
}

// canonical is Hugging Face's name, with its own ResNet, for a name of any of the three kinds.
func canonical(name string) string {
	if p, ok := cutAny(name, "model.backbone.conv_encoder.model.", "model.backbone.model.", "backbone.0.body."); ok {
		return "model.backbone.conv_encoder.model." + canonicalResNet(p)
	}
	for _, r := range original {
		if rest, ok := strings.CutPrefix(name, r[0]); ok {
			name = r[1] + rest
			if !strings.HasPrefix(r[0], "transformer.") {
				return name
			}
			last := "norm2."
			if strings.Contains(name, ".decoder.") {
				last = "norm3."
				name = strings.Replace(name, ".norm2.", ".encoder_attn_layer_norm.", 1)
			}
			name = strings.Replace(name, "."+last, ".final_layer_norm.", 1)
			return originalLayer.Replace(name)
		}
	}
	return newLayer.Replace(name)
}

func cutAny(name string, prefixes ...string) (string, bool) {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(name, p); ok {
			return rest, true
		}
	}
	return name, false
}

var (
	// original pairs beginnings of names in the original repository with ours; the more particular come first.
	original = [][2]string{
		{"transformer.decoder.norm.", "model.decoder.layernorm."}, {"transformer.", "model."}, {"input_proj.", "model.input_projection."},
		{"query_embed.", "model.query_position_embeddings."}, {"class_embed.", "class_labels_classifier."}, {"bbox_embed.", "bbox_predictor."},
	}
	originalLayer = strings.NewReplacer(".linear1.", ".fc1.", ".linear2.", ".fc2.", ".multihead_attn.", ".encoder_attn.", ".norm1.", ".self_attn_layer_norm.")
	// newLayer turns what newer versions of the library call layers in memory into what checkpoints call them.
	newLayer = strings.NewReplacer(".o_proj.", ".out_proj.", ".mlp.fc1.", ".fc1.", ".mlp.fc2.", ".fc2.")

	timmLayer = regexp.MustCompile(`^layer([1-9]\d*)\.(\d+)\.(?:(conv|bn)([1-9])|downsample\.([01]))\.`)
)

// canonicalResNet is Hugging Face's name for a name of timm's (and torchvision's) ResNet.
func canonicalResNet(name string) string {
	if rest, ok := strings.CutPrefix(name, "conv1."); ok {
		return "embedder.embedder.convolution." + rest
	}
	if rest, ok := strings.CutPrefix(name, "bn1."); ok {
		return "embedder.embedder.normalization." + rest
	}
	q := timmLayer.FindStringSubmatch(name)
	if q == nil {
		return name
	}
	part := "shortcut"
	if q[5] == "" {
		part = "layer." + before(q[4])
	}
	op := "convolution"
	if q[3] == "bn" || q[5] == "1" {
		op = "normalization"
	}
	return fmt.Sprintf("encoder.stages.%s.layers.%s.%s.%s.%s", before(q[1]), q[2], part, op, name[len(q[0]):])
}

// before is one less than a number from 1.
func before(number string) string {
	n := 0
	for _, d := range number {
		n = n*10 + int(d-'0')
	}
	return fmt.Sprint(n - 1)
}

// Save writes config.json, preprocessor_config.json and model.safetensors to a folder that Load and the Hugging Face library read. dtype
// is that of the weights: F32, F16 or BF16. Each file appears whole or not at all, config.json last.
func (m *Model) Save(dir, dtype string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := nn.Save(filepath.Join(dir, weightsStem+".safetensors"), m, dtype, map[string]string{"format": "pt"}); err != nil {
		return err
	}
	if err := nn.WriteJSON(filepath.Join(dir, processorFile), newProcessor(m.Processor)); err != nil {
		return err
	}
	c := m.Config
	c.LabelIDs = map[string]int{}
	for i, name := range c.Labels {
		c.LabelIDs[name] = i
	}
	c.BackboneConfig.StageNames = []string{"stem"}
	for i := range c.BackboneConfig.HiddenSizes {
		c.BackboneConfig.StageNames = append(c.BackboneConfig.StageNames, fmt.Sprintf("stage%d", i+1))
	}
	c.BackboneConfig.OutFeatures = []string{fmt.Sprintf("stage%d", m.Backbone.out+1)}
	return nn.WriteJSON(filepath.Join(dir, configFile), c)
}

// processor is preprocessor_config.json.
type processor struct {
	Type      string          `json:"image_processor_type"`
	Size      json.RawMessage `json:"size"`               // {"shortest_edge": 800, "longest_edge": 1333}, or 800 in older files
	Long      int             `json:"max_size,omitempty"` // beside the older kind
	Resize    *bool           `json:"do_resize"`
	Normalize *bool           `json:"do_normalize"`
	Mean      [3]float32      `json:"image_mean"`
	Std       [3]float32      `json:"image_std"`
}

type edges struct {
	Short int `json:"shortest_edge"`
	Long  int `json:"longest_edge"`
}

func newProcessor(p pixels.DETR) processor {
	yes := true
	size, _ := json.Marshal(edges{p.Short, p.Long})
	return processor{Type: "DetrImageProcessor", Size: size, Resize: &yes, Normalize: &yes, Mean: p.Mean, Std: p.Std}
}

func parseProcessor(data []byte) (pixels.DETR, error) {
	d := pixels.DefaultDETR()
	p := processor{Mean: d.Mean, Std: d.Std, Long: d.Long}
	if err := json.Unmarshal(data, &p); err != nil {
		return d, err
	}
	if p.Resize != nil && !*p.Resize || p.Normalize != nil && !*p.Normalize {
		return d, fmt.Errorf("do_resize and do_normalize: want true")
	}
	e := edges{d.Short, p.Long}
	if len(p.Size) > 0 {
		if json.Unmarshal(p.Size, &e.Short) != nil {
			if err := json.Unmarshal(p.Size, &e); err != nil {
				return d, fmt.Errorf("size: %w", err)
			}
		}
	}
	if e.Short < 1 || e.Long < e.Short || e.Long > maxSize {
		return d, fmt.Errorf("size %s: want 1 ≤ shortest_edge ≤ longest_edge ≤ %d", p.Size, maxSize)
	}
	for i := range p.Std {
		if !(p.Std[i] > 0) {
			return d, fmt.Errorf("image_std %v: want more than 0", p.Std)
		}
	}
	return pixels.DETR{Short: e.Short, Long: e.Long, Mean: p.Mean, Std: p.Std}, nil
}
