package detr

import (
	"fmt"
	"slices"
	"sync/atomic"

	"syntic/clip/pixels"
	"syntic/nn"
	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// Model is DETR.
type Model struct {
	Backbone    *ResNet         `name:"model.backbone.conv_encoder.model"`
	Project     *nn.Conv2D      `name:"model.input_projection"`
	Queries     *nn.Embedding   `name:"model.query_position_embeddings"`
	Encoder     []*EncoderLayer `name:"model.encoder.layers"`
	Decoder     []*DecoderLayer `name:"model.decoder.layers"`
	DecoderNorm *nn.LayerNorm   `name:"model.decoder.layernorm"`
	Class       *nn.Linear      `name:"class_labels_classifier"`
	Box         [3]*nn.Linear   `name:"bbox_predictor.layers"`

	Config    Config
	Processor pixels.DETR // how images become input

	dev     *tensor.Device
	weights *safetensors.File             // whose memory parameters may be
	whole   atomic.Pointer[positionTable] // of the last feature map without padding
}

// New makes a model whose parameters are zero; Init or a checkpoint fills them. It returns an error if the configuration is wrong or asks
// for what this package does not do.
func New(c Config, dev *tensor.Device) (m *Model, err error) {
	defer tensor.Catch(&err)
	if err := c.Validate(); err != nil {
		return nil, err
	}
	w, features := c.Width, c.BackboneConfig.HiddenSizes[c.BackboneConfig.out()]
	m = &Model{
		Backbone: newResNet(dev, &c.BackboneConfig), Project: nn.NewConv2D(dev, features, w, 1, 1, 0), Queries: nn.NewEmbedding(dev, c.Queries, w),
		DecoderNorm: nn.NewLayerNorm(dev, w, layerNormEps), Class: nn.NewLinear(dev, w, len(c.Labels)+1, true),
		Box:    [3]*nn.Linear{nn.NewLinear(dev, w, w, true), nn.NewLinear(dev, w, w, true), nn.NewLinear(dev, w, 4, true)},
		Config: c, Processor: pixels.DefaultDETR(), dev: dev,
	}
	for range c.EncoderLayers {
		m.Encoder = append(m.Encoder, newEncoderLayer(dev, &c))
	}
	for range c.DecoderLayers {
		m.Decoder = append(m.Decoder, newDecoderLayer(dev, &c))
	}
	return m, nil
}

// Close frees the parameters and the file they were mapped from.
func (m *Model) Close() {
	nn.Release(m)
	if m.weights != nil {
		_ = m.weights.Close() // unmapping what was mapped does not fail
		m.weights = nil
	}
}

// Forward gives, for images px [B, H, W, 3], the logits [B, Q, K+1] of the classes of all queries and their boxes [B, Q, 4] as
// (cx, cy, w, h) in shares of the image. mask i32 [B, H, W] is 1 on pixels and 0 on padding; nil means there is none.
func (m *Model) Forward(s *tensor.Scope, px, mask *tensor.Tensor) (logits, boxes *tensor.Tensor) {
	var room [1]*tensor.Tensor
	states, _ := m.states(s, px, mask, nil, room[:0])
	return m.heads(s, states[len(states)-1])
}

// heads reads class and box off normalised states x [..., Q, C].
func (m *Model) heads(s *tensor.Scope, x *tensor.Tensor) (logits, boxes *tensor.Tensor) {
	logits = m.Class.Forward(s, x)
	h := s.LinearAct(x, m.Box[0].Weight, m.Box[0].Bias, tensor.ReLU)
	h = s.LinearAct(h, m.Box[1].Weight, m.Box[1].Bias, tensor.ReLU)
	return logits, s.LinearAct(h, m.Box[2].Weight, m.Box[2].Bias, tensor.Sigmoid)
}

// states runs the network up to the heads: the normalised states [B, Q, C] after each decoder layer, or after the last alone where s does
// not record, behind those in `before`, and the backbone's features [B, h, w, F]. What it traces has the names of the library's outputs.
func (m *Model) states(s *tensor.Scope, px, mask *tensor.Tensor, d *dropout, before []*tensor.Tensor) (states []*tensor.Tensor, features *tensor.Tensor) {
	if px.Rank() != 4 || px.Dim(3) != 3 || mask != nil && !slices.Equal(mask.Shape(), px.Shape()[:3]) {
		panic(&tensor.Error{Err: fmt.Errorf("detr: images %v, mask %v: want [B, H, W, 3] and [B, H, W]", px, mask)})
	}
	states = before
	features = m.Backbone.Forward(s, px) // [B, h, w, F]
	s.Trace(m, "backbone.features", features)

	b, h, w := features.Dim(0), features.Dim(1), features.Dim(2)
	var small []int32
	var keep *tensor.Tensor
	if mask != nil {
		small = shrinkMask(mask.Int32s(), b, px.Dim(1), px.Dim(2), h, w)
		keep = s.FromInt32s(small, b, h*w)
		s.Trace(m, "backbone.mask", s.Reshape(keep, b, h, w))
	}
	table := m.positions(small, b, h, w)
	pos := s.FromFloat32s(table, len(table)/(h*w*m.Config.Width), h*w, m.Config.Width) // [B or 1, N, C]
	s.Trace(m, "position_embedding", s.Reshape(pos, pos.Dim(0), h, w, m.Config.Width))

	x := s.Reshape(m.Project.Forward(s, features), b, h*w, m.Config.Width) // [B, N, C]
	s.Trace(m, "encoder.hidden.0", x)
	for i, l := range m.Encoder {
		x = l.forward(s, x, pos, keep, d)
		trace(s, m, "encoder.hidden", i+1, x)
	}
	at := s.Add(x, pos)
	y := s.Zeros(b, m.Config.Queries, m.Config.Width) // [B, Q, C]
	trace(s, m, "decoder.hidden", 0, y)
	for i, l := range m.Decoder {
		y = l.forward(s, y, m.Queries.Weight, x, at, keep, d)
		if i < len(m.Decoder)-1 {
			trace(s, m, "decoder.hidden", i+1, y)
		}
		if i == len(m.Decoder)-1 || s.Recording() && m.Config.AuxiliaryLoss {
			states = append(states, m.DecoderNorm.Forward(s, y))
		}
	}
	trace(s, m, "decoder.hidden", len(m.Decoder), states[len(states)-1]) // the library shows the last state after the decoder's norm
	return states, features
}

// trace shows state i of a stack of layers.
func trace(s *tensor.Scope, m *Model, stack string, i int, x *tensor.Tensor) {
	if s.Tracing() {
		s.Trace(m, fmt.Sprintf("%s.%d", stack, i), x)
	}
}
