package syntic

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"syntic/nn"
	"syntic/tensor"
	"syntic/tensor/safetensors"
)

// plainNames pairs torch's nn.TransformerEncoder, as the golden's "plain" decoder has it, with our names.
var plainNames = strings.NewReplacer("tok.", "transformer.wte.", "pos.", "transformer.wpe.", "head.", "transformer.head.", "encoder.norm.", "transformer.ln_f.",
	"encoder.layers.", "transformer.h.", "self_attn.in_proj_", "attn.c_attn.", "self_attn.out_proj.", "attn.c_proj.", "linear1.", "mlp.c_fc.", "linear2.", "mlp.c_proj.",
	"norm1.", "ln_1.", "norm2.", "ln_2.")

// TestPlainDecoder holds a decoder with exact gelu and an output layer of its own against torch's: logits, loss and all gradients. The golden is
// decoder_tiny/plain_* of the folder that SYNTIC_GOLDEN names.
func TestPlainDecoder(t *testing.T) {
	dir := os.Getenv("SYNTIC_GOLDEN")
	if dir == "" {
		t.Skip("SYNTIC_GOLDEN does not name the folder of goldens")
	}
	golden := func(name string) *safetensors.File {
		f, err := safetensors.Open(filepath.Join(dir, "decoder_tiny", name+".safetensors"))
		require.NoError(t, err)
		t.Cleanup(func() { f.Close() })
		return f
	}
	model, want := golden("plain_model"), golden("plain_golden")
	// torch's Linear is [out, in], the checkpoint of a decoder [in, out].
	matrix := func(name string) bool {
		return strings.HasPrefix(name, "encoder.layers.") && (strings.HasSuffix(name, "_weight") || strings.HasSuffix(name, "proj.weight") || strings.Contains(name, ".linear") && strings.HasSuffix(name, ".weight"))
	}
	var all []safetensors.Tensor
	for _, name := range model.Names() {
		take := model.As
		if matrix(name) {
			take = model.Transposed
		}
		x, err := take(name, plainNames.Replace(name))
		require.NoError(t, err)
		all = append(all, x)
	}
	file, err := model.Derive(all)
	require.NoError(t, err)

	dev := tensor.CPU()
	sh := Shape{Features: 1, Width: 64, Layers: 4, Heads: 4, FFN: 128, Positions: 40, Layout: "tokens", Act: "gelu", Head: true}
	require.NoError(t, sh.validate())
	d := newDecoder(dev, sh, FullVocabulary(300, 299))
	d.Prefix = nil
	require.NoError(t, nn.Load(d, file, nn.LoadOptions{}))

	s := tensor.NewScope(dev, tensor.WithTape())
	defer s.Close()
	ids, padding := ints(t, want, "input_ids"), ints(t, want, "key_padding")
	prefix := s.Watch(s.FromFloat32s(floats(t, want, "prefix"), 2, 3, 64))
	seen, captions := make([]int32, 24), make([][]int32, 2)
	for i := range padding {
		seen[i] = 1 - padding[i]
		if b, j := i/12, i%12-3; j >= 0 && seen[i] == 1 {
			captions[b] = append(captions[b], ids[9*b+j])
		}
	}
	x := s.Concat(1, prefix, d.Model.Tokens.Forward(s, s.FromInt32s(ids, 2, 9)))
	logits := d.Model.Forward(s, x, s.FromInt32s(seen, 2, 12)).Float32s()
	for i := range seen { // the golden's are 0 where padding is
		if seen[i] == 0 {
			clear(logits[300*i : 300*(i+1)])
		}
	}
	near(t, floats(t, want, "logits"), logits, 1e-5, "logits")
	loss := d.Model.loss(s, prefix, nil, captions, 0, nil)
	near(t, floats(t, want, "loss"), []float32{loss.Item()}, 1e-6, "loss")
	g := s.Backward(loss)
	near(t, floats(t, want, "grad.prefix"), g.Of(prefix).Float32s(), 1e-4, "prefix")
	params := map[string]nn.Named{}
	for _, p := range nn.Parameters(d) {
		params[p.Name] = p
	}
	for _, name := range model.Names() {
		p := params[plainNames.Replace(name)]
		have := g.Of(p.Tensor).Float32s() // in memory a matrix lies as torch's does
		near(t, floats(t, want, "grad."+name), have, 1e-4, name)
	}
}
