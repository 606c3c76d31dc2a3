package clip

import (
	"syntic/nn"
	"syntic/tensor"
)

// Block is a layer of a transformer, normalised before: x + attention(norm(x)), then x + MLP(norm(x)) (CLIPEncoderLayer).
type Block struct {
	Attention *Attention    `name:"self_attn"`
	Norm1     *nn.LayerNorm `name:"layer_norm1"`
	Up        *nn.Linear    `name:"mlp.fc1"`
	Down      *nn.Linear    `name:"mlp.fc2"`
	Norm2     *nn.LayerNorm `name:"layer_norm2"`

	act tensor.Act
}

// Forward keeps the shape of x [B, T, C]. mask is i32 [B, T], 1 for keys to see; nil for all.
func (b *Block) Forward(s *tensor.Scope, x, mask *tensor.Tensor, causal bool) *tensor.Tensor {
	x = s.Do(func(s *tensor.Scope) *tensor.Tensor {
		return b.Attention.Forward(s, b.Norm1.Forward(s, x), x, mask, causal)
	})
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		h := b.up(s, b.Norm2.Forward(s, x)) // [B, T, MLP]
		return s.LinearAdd(h, b.Down.Weight, b.Down.Bias, x)
	})
}

func (b *Block) up(s *tensor.Scope, x *tensor.Tensor) *tensor.Tensor {
	return s.LinearAct(x, b.Up.Weight, b.Up.Bias, b.act)
}

// Attention is multi-head self-attention.
type Attention struct {
	K   *nn.Linear `name:"k_proj"`
	V   *nn.Linear `name:"v_proj"`
	Q   *nn.Linear `name:"q_proj"`
	Out *nn.Linear `name:"out_proj"`

	heads int
}

// Forward is the attention within x [B, T, C], projected, plus residual [B, T, C].
func (a *Attention) Forward(s *tensor.Scope, x, residual, mask *tensor.Tensor, causal bool) *tensor.Tensor {
	b, t, c := x.Dim(0), x.Dim(1), x.Dim(2)
	split := func(l *nn.Linear) *tensor.Tensor {
		return s.Reshape(l.Forward(s, x), b, t, a.heads, c/a.heads)
	}
	h := s.Attention(split(a.Q), split(a.K), split(a.V), tensor.AttentionOptions{Causal: causal, KeyMask: mask}) // scale 1/√(C/heads)
	return s.LinearAdd(s.Reshape(h, b, t, c), a.Out.Weight, a.Out.Bias, residual)
}

func newBlocks(dev *tensor.Device, n, width, mlp, heads int, act string, eps float32) ([]*Block, error) {
	f, err := tensor.ActByName(act)
	if err != nil {
		return nil, err
	}
	blocks := make([]*Block, n)
	for i := range blocks {
		linear := func(in, out int) *nn.Linear { return nn.NewLinear(dev, in, out, true) }
		blocks[i] = &Block{
			Attention: &Attention{K: linear(width, width), V: linear(width, width), Q: linear(width, width), Out: linear(width, width), heads: heads},
			Norm1:     nn.NewLayerNorm(dev, width, eps), Up: linear(width, mlp), Down: linear(mlp, width), Norm2: nn.NewLayerNorm(dev, width, eps), act: f,
		}
	}
	return blocks, nil
}
