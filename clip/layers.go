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
		h := b.Norm1.Forward(s, x)
		return s.LinearAdd(b.Attention.attend(s, h, h, mask, causal), b.Attention.Out.Weight, b.Attention.Out.Bias, x)
	})
	return s.Do(func(s *tensor.Scope) *tensor.Tensor {
		return s.LinearAdd(b.widened(s, x), b.Down.Weight, b.Down.Bias, x)
	})
}

// overwrite is Forward into the memory of x.
func (b *Block) overwrite(s *tensor.Scope, x, mask *tensor.Tensor, causal bool) {
	s.Do(func(s *tensor.Scope) *tensor.Tensor {
		h := b.Norm1.Forward(s, x)
		s.AddLinear(x, b.Attention.attend(s, h, h, mask, causal), b.Attention.Out.Weight, b.Attention.Out.Bias)
		return x
	})
	s.Do(func(s *tensor.Scope) *tensor.Tensor {
		s.AddLinear(x, b.widened(s, x), b.Down.Weight, b.Down.Bias)
		return x
	})
}

// ForwardAt is what Forward gives at one position of each row, [B, C]: the last layer of a tower whose other positions nobody reads. rows is i32 [B], positions
// counted over all B·T; mask is i32 [B, T], 1 for the keys that they see; nil for all.
func (b *Block) ForwardAt(s *tensor.Scope, x, rows, mask *tensor.Tensor) *tensor.Tensor {
	n, c := x.Dim(0), x.Dim(2)
	at := func(x *tensor.Tensor) *tensor.Tensor { // [B, 1, C]
		return s.Reshape(s.Embedding(s.Reshape(x, -1, c), rows), n, 1, c)
	}
	h := b.Norm1.Forward(s, x)
	y := s.LinearAdd(b.Attention.attend(s, at(h), h, mask, false), b.Attention.Out.Weight, b.Attention.Out.Bias, at(x))
	return s.Reshape(s.LinearAdd(b.widened(s, y), b.Down.Weight, b.Down.Bias, y), n, c)
}

// widened is the inside of the MLP [B, T, MLP] for x [B, T, C].
func (b *Block) widened(s *tensor.Scope, x *tensor.Tensor) *tensor.Tensor {
	return s.LinearAct(b.Norm2.Forward(s, x), b.Up.Weight, b.Up.Bias, b.act)
}

// through runs layers one after the other over x [B, T, C], which is given up where no gradient needs it.
func through(s *tensor.Scope, layers []*Block, x, mask *tensor.Tensor, causal bool) *tensor.Tensor {
	if s.Overwrites() {
		for _, l := range layers {
			inParts(s, l, x, mask, causal)
		}
		return x
	}
	for _, l := range layers {
		y := l.Forward(s, x, mask, causal)
		s.Trace(l, "", y)
		if !s.Recording() {
			s.Free(x)
		}
		x = y
	}
	return x
}

// inParts runs a layer over x in its memory, over so many rows of the batch at a time that all between stays in the caches.
func inParts(s *tensor.Scope, l *Block, x, mask *tensor.Tensor, causal bool) {
	n := x.Dim(0)
	each := s.Together(n, x.Dim(1)*l.Up.Weight.Dim(0), l.weights())
	for from := 0; from < n; from += each {
		to, part := min(n, from+each), mask
		if mask != nil {
			part = s.Part(mask, from, to)
		}
		l.overwrite(s, s.Part(x, from, to), part, causal)
	}
}

// weights is how many bytes the matrices of a layer take, as if all were stored as the first of the MLP is.
func (b *Block) weights() int {
	mlp, c := b.Up.Weight.Dim(0), b.Up.Weight.Dim(1)
	return b.Up.Weight.Bytes() / mlp * (4*c + 2*mlp)
}

// Attention is multi-head self-attention.
type Attention struct {
	K   *nn.Linear `name:"k_proj"`
	V   *nn.Linear `name:"v_proj"`
	Q   *nn.Linear `name:"q_proj"`
	Out *nn.Linear `name:"out_proj"`

	heads int
}

// attend is the attention of x [B, N, C] to keys and values made of y [B, T, C], projected, before the last projection: [B, N, C].
func (a *Attention) attend(s *tensor.Scope, x, y, mask *tensor.Tensor, causal bool) *tensor.Tensor {
	split := func(l *nn.Linear, x *tensor.Tensor) *tensor.Tensor {
		return s.Reshape(l.Forward(s, x), x.Dim(0), x.Dim(1), a.heads, x.Dim(2)/a.heads)
	}
	h := s.Attention(split(a.Q, x), split(a.K, y), split(a.V, y), tensor.AttentionOptions{Causal: causal, KeyMask: mask}) // scale 1/√(C/heads)
	return s.Reshape(h, x.Shape()...)
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
