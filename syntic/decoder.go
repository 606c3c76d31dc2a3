package syntic

import (
	"fmt"
	"math"

	"syntic/nn"
	"syntic/syntic/config"
	"syntic/tensor"
)

const layerNormEps = 1e-5 // GPT-2's

// Shape is what a decoder is built from.
type Shape struct {
	Features  int    `json:"features"`  // E, size of an image or text feature
	Width     int    `json:"width"`     // C, size of the hidden state
	Layers    int    `json:"layers"`    // Transformer layers
	Heads     int    `json:"heads"`     // attention heads, a divisor of Width
	FFN       int    `json:"ffn"`       // size of the feed-forward layer
	Positions int    `json:"positions"` // prefix and text together
	Layout    string `json:"layout"`    // "tokens": feature and objects are prefix tokens of their own; "concat": one token
	Slots     int    `json:"slots"`     // K, object features an image: 0 none, 1 pooled, more: one for each tag
	Null      bool   `json:"null"`      // a learned feature stands for "nothing detected"

	Tokens    int `json:"tokens,omitempty"`    // T, prefix tokens of the feature; 0 is 1
	Retrieved int `json:"retrieved,omitempty"` // R, retrieved texts an image, a prefix token each
	Patches   int `json:"patches,omitempty"`   // P, a prefix token each; 0: none
	Mixed     int `json:"mixed,omitempty"`     // M, slots for tags behind them
	Words     int `json:"words,omitempty"`     // H, tokens of a hard prompt at most; 0: none

	// What decoders from elsewhere may have in place of GPT-2's: torch's nn.TransformerEncoder with an output layer is {Act: "gelu", Head: true}.
	Act  string `json:"act,omitempty"`  // of the feed-forward layers: "" is gelu_new, "gelu" the exact one
	Head bool   `json:"head,omitempty"` // an output layer of its own, and not the embedding table
}

// Sizes are what a shape depends on besides the recipe.
type Sizes struct {
	Features int // E
	Words    int // tokens of a hard prompt at most
	Patches  int // of an image
}

// ShapeOf is the shape that a recipe asks for.
func ShapeOf(r *config.Recipe, of Sizes) Shape {
	sh := Shape{Features: of.Features, Width: r.Decoder.Width, Layers: r.Decoder.Layers, Heads: r.Decoder.Heads, FFN: r.Decoder.FFN, Layout: r.Decoder.PrefixLayout}
	sh.Retrieved = r.Retrieve.Tokens
	if r.Decoder.PrefixTokens > 1 {
		sh.Tokens = r.Decoder.PrefixTokens
	}
	if r.Patches.Enabled {
		sh.Patches, sh.Mixed = of.Patches, r.Patches.Mix
	}
	switch {
	case r.Objects.Enabled && r.Objects.As == "words":
		sh.Words = of.Words
	case r.Objects.Enabled:
		sh.Slots, sh.Null = 1, r.Objects.None == "null_token"
		if r.Objects.Pooling == "per_tag" {
			sh.Slots = r.Objects.MaxTags
		}
	}
	sh.Positions = sh.prefix() + max(r.Decoder.MaxLength, r.Decode.MaxTokens)
	return sh
}

// prefix is P, the number of prefix tokens.
func (sh Shape) prefix() int {
	n := sh.Patches + sh.Mixed + sh.tokens() + sh.Retrieved + sh.Words
	if sh.Layout != "concat" {
		n += sh.Slots
	}
	return n
}

// tokens is T.
func (sh Shape) tokens() int { return max(1, sh.Tokens) }

// maxShape bounds every size of a stored shape.
const maxShape = 1 << 20

func (sh Shape) validate() error {
	for _, n := range []int{sh.Features, sh.Width, sh.Layers, sh.Heads, sh.FFN, sh.Positions} {
		if n < 1 || n > maxShape {
			return fmt.Errorf("decoder shape %+v: want sizes from 1 to %d", sh, maxShape)
		}
	}
	switch {
	case sh.Width%sh.Heads != 0:
		return fmt.Errorf("decoder shape %+v: want heads that divide width", sh)
	case sh.Layout != "tokens" && sh.Layout != "concat":
		return fmt.Errorf("decoder shape %+v: want layout tokens or concat", sh)
	case sh.Slots < 0 || sh.Slots > maxShape || sh.Layout == "concat" && sh.Slots > 1 || sh.Null && sh.Slots == 0:
		return fmt.Errorf("decoder shape %+v: want slots of 0 or more, at most 1 with layout concat, at least 1 with null", sh)
	case min(sh.Tokens, sh.Retrieved, sh.Words, sh.Patches, sh.Mixed) < 0 || max(sh.Tokens, sh.Retrieved, sh.Words, sh.Patches, sh.Mixed) > maxShape:
		return fmt.Errorf("decoder shape %+v: want tokens, retrieved, words, patches and mixed from 0 to %d", sh, maxShape)
	case sh.Act != "" && sh.Act != "gelu":
		return fmt.Errorf("decoder shape %+v: want act gelu, or none for gelu_new", sh)
	case sh.Positions <= sh.prefix():
		return fmt.Errorf("decoder shape %+v: want more positions than the %d of the prefix", sh, sh.prefix())
	}
	return nil
}

// Decoder writes captions from features: GPT-2 (Radford et al. 2019), pre-norm, with learned positions and the embedding table as output layer,
// behind a prefix of projected features. SynTIC trains nothing else. Parameters are named as in GPT-2's checkpoints.
type Decoder struct {
	Model  *GPT2   `name:"transformer"`
	Prefix *Prefix `name:"prefix"`

	Shape Shape
	Vocab *Vocabulary
	dev   *tensor.Device
}

// NewDecoder makes a decoder with random weights: normal numbers of standard deviation std, those of layers that write to the residual path
// divided by √(2·layers) as in GPT-2. The weights depend on seed and name alone.
func NewDecoder(dev *tensor.Device, sh Shape, vocab *Vocabulary, std float64, seed uint64) (*Decoder, error) {
	if err := sh.validate(); err != nil {
		return nil, err
	}
	d := newDecoder(dev, sh, vocab)
	nn.Init(d, seed)
	d.rescale(std)
	return d, nil
}

// newDecoder has weights without values.
func newDecoder(dev *tensor.Device, sh Shape, vocab *Vocabulary) *Decoder {
	m := &GPT2{Tokens: nn.NewEmbedding(dev, vocab.Size(), sh.Width), Positions: nn.NewEmbedding(dev, sh.Positions, sh.Width),
		Norm: nn.NewLayerNorm(dev, sh.Width, layerNormEps)}
	if sh.Head {
		m.Head = nn.NewLinear(dev, sh.Width, vocab.Size(), false)
	}
	for range sh.Layers {
		m.Blocks = append(m.Blocks, newBlock(dev, sh))
	}
	return &Decoder{Model: m, Prefix: newPrefix(dev, sh), Shape: sh, Vocab: vocab, dev: dev}
}

// rescale turns nn.Init's standard deviation into std, and that of residual projections into std/√(2·layers).
func (d *Decoder) rescale(std float64) {
	scale := func(t *tensor.Tensor, a float64) {
		x := t.Float32s()
		for i := range x {
			x[i] = float32(float64(x[i]) * a)
		}
		t.SetData(x)
	}
	residual := map[*tensor.Tensor]bool{}
	for _, b := range d.Model.Blocks {
		residual[b.Attn.Out.Weight], residual[b.MLP.Out.Weight] = true, true
	}
	for _, p := range nn.Parameters(d) {
		if p.Init != "normal" {
			continue
		}
		a := std / nn.InitStd
		if residual[p.Tensor] {
			a /= math.Sqrt(float64(2 * d.Shape.Layers))
		}
		scale(p.Tensor, a)
	}
}

// Release frees the weights.
func (d *Decoder) Release() { nn.Release(d) }

// GPT2 is the Transformer behind the prefix.
type GPT2 struct {
	Tokens    *nn.Embedding `name:"wte"` // [V, C], also the output layer unless there is Head
	Positions *nn.Embedding `name:"wpe"` // [positions, C]
	Blocks    []*Block      `name:"h"`
	Norm      *nn.LayerNorm `name:"ln_f"`
	Head      *nn.Linear    `name:"head"` // [V, C], usually nil
}

// Block is one layer: attention and a feed-forward layer, each behind a layer norm and added to its input.
type Block struct {
	Norm1 *nn.LayerNorm `name:"ln_1"`
	Attn  SelfAttention `name:"attn"`
	Norm2 *nn.LayerNorm `name:"ln_2"`
	MLP   MLP           `name:"mlp"`
	heads int
	act   tensor.Act
}

// SelfAttention has queries, keys and values in one matrix, as GPT-2 stores them.
type SelfAttention struct {
	In  conv1D `name:"c_attn"` // C → 3C
	Out conv1D `name:"c_proj"` // C → C
}

// MLP is the feed-forward layer, with GPT-2's gelu_new between unless the shape says otherwise.
type MLP struct {
	In  conv1D `name:"c_fc"`   // C → FFN
	Out conv1D `name:"c_proj"` // FFN → C
}

// conv1D is a linear layer that checkpoints store transposed, as GPT-2's Conv1D is.
type conv1D struct {
	Weight *tensor.Tensor `name:"weight,io" init:"normal"`
	Bias   *tensor.Tensor `name:"bias" init:"zeros"`
}

func newConv1D(dev *tensor.Device, in, out int) conv1D {
	return conv1D{tensor.NewParameter(dev, out, in), tensor.NewParameter(dev, out)}
}

func newBlock(dev *tensor.Device, sh Shape) *Block {
	c := sh.Width
	return &Block{
		Norm1: nn.NewLayerNorm(dev, c, layerNormEps), Attn: SelfAttention{newConv1D(dev, c, 3*c), newConv1D(dev, c, c)},
		Norm2: nn.NewLayerNorm(dev, c, layerNormEps), MLP: MLP{newConv1D(dev, c, sh.FFN), newConv1D(dev, sh.FFN, c)},
		heads: sh.Heads, act: map[string]tensor.Act{"": tensor.GELUTanh, "gelu": tensor.GELU}[sh.Act],
	}
}

// past is what a layer keeps of the tokens before: keys and values [B, M, C].
type past struct{ k, v *tensor.Tensor }

// forward maps x [B, N, C] to the same shape; no token sees those after it. mask i32 [B, N] says which may be seen at all; nil: all.
func (b *Block) forward(s *tensor.Scope, x, mask *tensor.Tensor, drop *dropout) *tensor.Tensor {
	c := x.Dim(2)
	qkv := s.Reshape(b.project(s, x), x.Dim(0), x.Dim(1), 3, b.heads, c/b.heads) // attention reads it in place
	a := s.SelfAttention(qkv, tensor.AttentionOptions{Causal: true, KeyMask: mask})
	return b.finish(s, a, x, drop)
}

// step is forward behind the tokens of before, if any, whose keys and values it keeps with its own: mask is [B, M] of them all.
func (b *Block) step(s *tensor.Scope, x *tensor.Tensor, before past, mask *tensor.Tensor) (*tensor.Tensor, past) {
	qkv := s.Split(b.project(s, x), 2, 3)
	now := past{qkv[1], qkv[2]}
	if before.k != nil {
		now = past{s.Concat(1, before.k, now.k), s.Concat(1, before.v, now.v)} // [B, M, C]
	}
	split := func(t *tensor.Tensor) *tensor.Tensor {
		return s.Reshape(t, t.Dim(0), t.Dim(1), b.heads, t.Dim(2)/b.heads)
	}
	a := s.Attention(split(qkv[0]), split(now.k), split(now.v), tensor.AttentionOptions{Causal: true, KeyMask: mask})
	return b.finish(s, a, x, nil), now
}

// project makes queries, keys and values [B, N, 3C].
func (b *Block) project(s *tensor.Scope, x *tensor.Tensor) *tensor.Tensor {
	return s.Linear(b.Norm1.Forward(s, x), b.Attn.In.Weight, b.Attn.In.Bias)
}

// finish is what comes after the attention a [B, N, heads, C/heads] of x.
func (b *Block) finish(s *tensor.Scope, a, x *tensor.Tensor, drop *dropout) *tensor.Tensor {
	x = drop.residual(s, s.Reshape(a, x.Shape()...), b.Attn.Out, x)
	h := s.LinearAct(b.Norm2.Forward(s, x), b.MLP.In.Weight, b.MLP.In.Bias, b.act) // [B, N, FFN]
	return drop.residual(s, h, b.MLP.Out, x)
}

// at adds the embeddings of positions from.. to x [B, N, C].
func (m *GPT2) at(s *tensor.Scope, x *tensor.Tensor, from int) *tensor.Tensor {
	n, c := x.Dim(1), x.Dim(2)
	return s.Add(x, s.Reshape(s.Slice(m.Positions.Weight, 0, from, from+n), 1, n, c))
}

// hidden is the state behind the last layer norm, [B, N, C], for embedded tokens x [B, N, C].
func (m *GPT2) hidden(s *tensor.Scope, x, mask *tensor.Tensor, drop *dropout) *tensor.Tensor {
	x = drop.apply(s, m.at(s, x, 0))
	s.Trace(m, "embeddings", x)
	for _, b := range m.Blocks {
		x = b.forward(s, x, mask, drop)
		s.Trace(b, "", x)
	}
	x = m.Norm.Forward(s, x)
	s.Trace(m.Norm, "", x)
	return x
}

// logits scores every row of the vocabulary after each hidden state: [..., C] → [..., V].
func (m *GPT2) logits(s *tensor.Scope, hidden *tensor.Tensor) *tensor.Tensor {
	return s.Linear(hidden, m.head(), nil)
}

// head is the output layer, [V, C]; it has no bias.
func (m *GPT2) head() *tensor.Tensor {
	if m.Head != nil {
		return m.Head.Weight
	}
	return m.Tokens.Weight
}

// loss is the mean cross entropy, [1], of captions behind a prefix [B, P, C]: the last prefix token predicts the first row of the caption, each
// row the next one. Captions are rows of the vocabulary with the end included; they may differ in length, padding counts nothing.
// mask i32 [B·P] on the host says which prefix tokens may be seen; nil: all.
func (m *GPT2) loss(s *tensor.Scope, prefix *tensor.Tensor, mask []int32, captions [][]int32, smoothing float32, drop *dropout) *tensor.Tensor {
	return m.weightedLoss(s, prefix, mask, captions, nil, smoothing, drop)
}

// weightedLoss is loss in which caption i counts weights[i] times: the sum of all over the number of tokens. Nil weights are 1.
func (m *GPT2) weightedLoss(s *tensor.Scope, prefix *tensor.Tensor, mask []int32, captions [][]int32, weights []float32, smoothing float32, drop *dropout) *tensor.Tensor {
	b, p, c := prefix.Dim(0), prefix.Dim(1), prefix.Dim(2)
	t, words := 0, 0
	for _, caption := range captions {
		t, words = max(t, len(caption)), words+len(caption)
	}
	n := p + t - 1 // the last row is predicted, not read
	x := prefix
	if t > 1 {
		in := s.IntsBy(func(dst []int32) { // shorter captions end in zeros
			for i, caption := range captions {
				row := dst[i*(t-1) : (i+1)*(t-1)]
				clear(row[copy(row, caption):])
			}
		}, b, t-1)
		x = s.Concat(1, prefix, m.Tokens.Forward(s, in))
	}
	h := m.hidden(s, x, keyMask(s, mask, b, p, n), drop)
	rows := s.IntsBy(func(dst []int32) {
		at := 0
		for i, caption := range captions {
			for j := range caption {
				dst[at+j] = int32(i*n + p - 1 + j)
			}
			at += len(caption)
		}
	}, words)
	h = s.Embedding(s.Reshape(h, b*n, c), rows) // the states that predict something
	o := tensor.CrossEntropyOptions{Smoothing: smoothing}
	sum := 0.0
	if weights != nil {
		o.Weight = s.FloatsBy(func(dst []float32) {
			at := 0
			for i, caption := range captions {
				for range caption {
					dst[at], sum = weights[i], sum+float64(weights[i])
					at++
				}
			}
		}, words)
	}
	target := s.IntsBy(func(dst []int32) {
		for _, caption := range captions {
			dst = dst[copy(dst, caption):]
		}
	}, words)
	loss := s.LinearCrossEntropy(h, m.head(), nil, target, o)
	if weights != nil {
		loss = s.Scale(loss, float32(sum/float64(words))) // the op divides by the sum of the weights
	}
	return loss
}

// keyMask extends a mask of the prefix, i32 [b·p], to n tokens, of which those of the text are seen. No mask gives nil.
func keyMask(s *tensor.Scope, mask []int32, b, p, n int) *tensor.Tensor {
	if mask == nil {
		return nil
	}
	all := make([]int32, b*n)
	for i := range b {
		row := all[i*n : (i+1)*n]
		for j := copy(row, mask[i*p:(i+1)*p]); j < n; j++ {
			row[j] = 1
		}
	}
	return s.FromInt32s(all, b, n)
}

// dropout counts the places where one training step drops, so that each has its own random numbers. Nil drops nothing.
type dropout struct {
	p    float32
	key  tensor.Key
	call uint64
}

func (d *dropout) apply(s *tensor.Scope, x *tensor.Tensor) *tensor.Tensor {
	if d == nil || d.p == 0 {
		return x
	}
	d.call++
	key := d.key
	key.Item += d.call
	return s.Dropout(x, d.p, key)
}

// residual is to + dropout(layer(x)), in one product when nothing is dropped.
func (d *dropout) residual(s *tensor.Scope, x *tensor.Tensor, layer conv1D, to *tensor.Tensor) *tensor.Tensor {
	if d == nil || d.p == 0 {
		return s.LinearAdd(x, layer.Weight, layer.Bias, to)
	}
	return s.Add(to, d.apply(s, s.Linear(x, layer.Weight, layer.Bias)))
}
