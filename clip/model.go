package clip

import (
	"math"

	"syntic/clip/pixels"
	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// MaxLogScale bounds LogitScale: the logits are at most 100 times the cosines (Radford et al. 2021, section 2.5).
var MaxLogScale = float32(math.Log(100))

// Model is both towers and the scale of their similarities (CLIPModel).
type Model struct {
	Text       *TextModel     `name:""`
	Image      *ImageModel    `name:""`
	LogitScale *tensor.Tensor `name:"logit_scale" init:"zeros"` // a scalar: the logarithm of what multiplies the cosines

	Config Config
	Pixels pixels.CLIP // how image files become the image tower's input

	weights *safetensors.File // whose memory parameters may be
}

// New makes a model with initial values that depend on the seed alone, ready to be trained.
func New(c Config, dev *tensor.Device, seed uint64) (m *Model, err error) {
	defer tensor.Catch(&err)
	if m, err = newModel(c, dev); err != nil {
		return nil, err
	}
	m.initialise(seed)
	return m, nil
}

// newModel makes a model whose parameters are zero.
func newModel(c Config, dev *tensor.Device) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	text, err := NewTextModel(c.Text, dev, true)
	if err != nil {
		return nil, err
	}
	image, err := NewImageModel(c.Image, dev)
	if err != nil {
		return nil, err
	}
	p := pixels.DefaultCLIP()
	p.Size, p.Crop = c.Image.ImageSize, c.Image.ImageSize
	return &Model{Text: text, Image: image, LogitScale: tensor.NewParameter(dev), Config: c, Pixels: p}, nil
}

// EncodeText is the texts' vectors [B, E], of unit length; see [TextModel.Encode].
func (m *Model) EncodeText(s *tensor.Scope, ids *tensor.Tensor) *tensor.Tensor {
	return m.Text.Encode(s, ids)
}

// EncodeImage is the images' vectors [B, E], of unit length; see [ImageModel.Encode].
func (m *Model) EncodeImage(s *tensor.Scope, px *tensor.Tensor) *tensor.Tensor {
	return m.Image.Encode(s, px)
}

// Scale is what multiplies the cosines.
func (m *Model) Scale() float32 { return float32(math.Exp(float64(m.LogitScale.Item()))) }

// Logits is scale · images · textsᵀ [N, M] of vectors [N, E] and [M, E].
func (m *Model) Logits(s *tensor.Scope, images, texts *tensor.Tensor) *tensor.Tensor {
	return s.Mul(s.MatMul(images, texts, false, true), s.Act(s.Reshape(m.LogitScale, 1), tensor.Exp))
}

// ContrastiveLoss is the symmetric InfoNCE [1] of B pairs, images px [B, H, W, 3] and texts ids i32 [B, T] (Radford et al. 2021, figure 3). Gradients
// flow to both towers and to LogitScale, which is first cut to [MaxLogScale] if the last step took it beyond: a cut inside the loss would leave
// it without a gradient there.
func (m *Model) ContrastiveLoss(s *tensor.Scope, px, ids *tensor.Tensor) *tensor.Tensor {
	if px.Rank() < 1 || ids.Rank() < 1 || px.Dim(0) != ids.Dim(0) {
		fail("contrastive loss of images %v and texts %v: want as many of both", px, ids)
	}
	m.clampScale(s)
	return s.InfoNCE(m.EncodeImage(s, px), m.EncodeText(s, ids), s.Act(s.Reshape(m.LogitScale, 1), tensor.Exp), tensor.InfoNCEOptions{})
}

// ClampScale cuts LogitScale to [MaxLogScale]. Trainings call it after their last step.
func (m *Model) ClampScale() {
	s := tensor.NewScope(m.LogitScale.Device())
	defer s.Close()
	m.clampScale(s)
}

// clampScale waits for nothing on the device.
func (m *Model) clampScale(s *tensor.Scope) {
	m.LogitScale.Own()
	s.Assign(m.LogitScale, 0, s.Clamp(s.Detach(m.LogitScale), -math.MaxFloat32, MaxLogScale))
}

// Close frees the parameters and the file they were mapped from.
func (m *Model) Close() { release(m, &m.weights) }
