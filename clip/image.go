package clip

import (
	"syntic/nn"
	"syntic/tensor"
)

// ImageModel is the image tower, a vision transformer (Dosovitskiy et al. 2021; CLIPVisionTransformer), and the projection into the shared space.
type ImageModel struct {
	Class      *tensor.Tensor `name:"vision_model.embeddings.class_embedding" init:"normal"` // [C]
	Patch      *nn.Conv2D     `name:"vision_model.embeddings.patch_embedding"`
	Position   *nn.Embedding  `name:"vision_model.embeddings.position_embedding"` // of the class token, then of the patches, row by row
	PreNorm    *nn.LayerNorm  `name:"vision_model.pre_layrnorm"`                  // misspelt in the checkpoints
	Layers     []*Block       `name:"vision_model.encoder.layers"`
	PostNorm   *nn.LayerNorm  `name:"vision_model.post_layernorm"`
	Projection *nn.Linear     `name:"visual_projection"`

	Config ImageConfig
}

// NewImageModel makes an image tower whose parameters are zero.
func NewImageModel(c ImageConfig, dev *tensor.Device) (*ImageModel, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	layers, err := newBlocks(dev, c.Layers, c.Width, c.MLP, c.Heads, c.Act, c.NormEps)
	if err != nil {
		return nil, err
	}
	patch := nn.NewConv2D(dev, c.Channels, c.Width, c.PatchSize, c.PatchSize, 0)
	patch.Bias = nil
	return &ImageModel{
		Class: tensor.NewParameter(dev, c.Width), Patch: patch, Position: nn.NewEmbedding(dev, 1+c.grid()*c.grid(), c.Width),
		PreNorm: nn.NewLayerNorm(dev, c.Width, c.NormEps), Layers: layers, PostNorm: nn.NewLayerNorm(dev, c.Width, c.NormEps),
		Projection: nn.NewLinear(dev, c.Width, c.Projection, false), Config: c,
	}, nil
}

// grid is the number of patches along each side of an image of the model's own size.
func (c ImageConfig) grid() int { return c.ImageSize / c.PatchSize }

// Hidden is the states [B, 1 + patches, C] after the last layer, the class token first, not normalised, for px [B, H, W, 3], normalised as package
// pixels does. Images of another size than the model's get its positions interpolated. It panics with an *tensor.Error if px is no such batch or
// smaller than a patch.
func (m *ImageModel) Hidden(s *tensor.Scope, px *tensor.Tensor) *tensor.Tensor {
	return through(s, m.Layers, m.embed(s, px), nil, false)
}

// embed is the class token and the patches with their positions, normalised: [B, 1 + patches, C].
func (m *ImageModel) embed(s *tensor.Scope, px *tensor.Tensor) *tensor.Tensor {
	size := m.Config.PatchSize
	if px.Rank() != 4 || px.Dim(3) != m.Config.Channels || px.Dim(1) < size || px.Dim(2) < size {
		fail("images %v: want [B, H, W, %d], H and W at least the patch size %d", px, m.Config.Channels, size)
	}
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		x := m.Patch.Forward(s, px) // [B, H/size, W/size, C]
		b, h, w, c := x.Dim(0), x.Dim(1), x.Dim(2), x.Dim(3)
		class := s.Repeat0(s.Reshape(m.Class, 1, 1, c), b)
		x = s.Concat(1, class, s.Reshape(x, b, h*w, c))
		x = m.PreNorm.Forward(s, s.Add(x, m.positions(s, h, w)))
		s.Trace(m.PreNorm, "", x)
		return x
	})
}

// positions is the table for h×w patches [1 + h·w, C]: the model's own, or interpolated (bicubic, as the library's interpolate_pos_encoding).
func (m *ImageModel) positions(s *tensor.Scope, h, w int) *tensor.Tensor {
	g, c, table := m.Config.grid(), m.Config.Width, m.Position.Weight
	if h == g && w == g {
		return table
	}
	grid := s.Reshape(s.Slice(table, 0, 1, 1+g*g), 1, g, g, c)
	return s.Concat(0, s.Slice(table, 0, 0, 1), s.Reshape(s.Resize(grid, h, w, tensor.Bicubic), h*w, c))
}

// Pool is the normalised class token [B, C] of hidden [B, T, C].
func (m *ImageModel) Pool(s *tensor.Scope, hidden *tensor.Tensor) *tensor.Tensor {
	return m.PostNorm.Forward(s, s.Reshape(s.Slice(hidden, 1, 0, 1), hidden.Dim(0), hidden.Dim(2)))
}

// Pooled is Pool of Hidden, [B, C]; of the last layer only the class token is computed.
func (m *ImageModel) Pooled(s *tensor.Scope, px *tensor.Tensor) *tensor.Tensor {
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		last := len(m.Layers) - 1
		x := through(s, m.Layers[:last], m.embed(s, px), nil, false)
		rows := s.IntsBy(func(dst []int32) {
			for b := range dst {
				dst[b] = int32(b * x.Dim(1))
			}
		}, x.Dim(0))
		return m.PostNorm.Forward(s, m.Layers[last].ForwardAt(s, x, rows, nil))
	})
}

// Encode is the images' vectors in the shared space [B, E], of unit length, for px as in Hidden.
func (m *ImageModel) Encode(s *tensor.Scope, px *tensor.Tensor) *tensor.Tensor {
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		return s.Normalize(m.Projection.Forward(s, m.Pooled(s, px)))
	})
}

// Patches is the patches' vectors in the shared space [B, P, E], of unit length, row by row, for px as in Hidden: the last layer's states, normalised
// and projected as the class token is, which is how PCM-Net compares patches with tags.
func (m *ImageModel) Patches(s *tensor.Scope, px *tensor.Tensor) *tensor.Tensor {
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		hidden := m.Hidden(s, px)
		return s.Normalize(m.Projection.Forward(s, m.PostNorm.Forward(s, s.Slice(hidden, 1, 1, hidden.Dim(1)))))
	})
}

// Close frees the parameters.
func (m *ImageModel) Close() { nn.Release(m) }
