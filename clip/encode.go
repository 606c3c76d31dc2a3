package clip

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"syntic/clip/bpe"
	"syntic/clip/pixels"
	"syntic/tensor"
)

// EncodeTexts gives the vectors of texts on the host, [N · E], unit length, text by text. They are taken in batches of about the same length;
// neither that nor the batch size changes a bit of the result. Texts too long for the model are cut. progress, if not nil, hears after every
// batch how many are done. It is an error if batch is below 1 or the tokenizer is not the model's; a cancelled ctx ends the work between batches.
func EncodeTexts(ctx context.Context, m *Model, tok *bpe.Tokenizer, texts []string, batch int, progress func(done int)) (out []float32, err error) {
	defer tensor.Catch(&err)
	if err := m.Text.CheckTokenizer(tok); err != nil {
		return nil, err
	}
	rows, order := make([][]int32, len(texts)), make([]int, len(texts))
	for i, text := range texts {
		ids, used, err := tok.EncodePadded(text, m.Config.Text.MaxPositions, bpe.PadEnd)
		if err != nil {
			return nil, fmt.Errorf("clip: text %d: %w", i, err)
		}
		rows[i], order[i] = ids[:used], i
	}
	slices.SortStableFunc(order, func(i, j int) int { return len(rows[i]) - len(rows[j]) })
	width := m.Config.Projection
	all := make([]float32, len(texts)*width)
	if err := inBatches(ctx, m, len(texts), batch, progress, func(s *tensor.Scope, from, to int) error {
		part := order[from:to]
		v := m.Text.Encode(s, padded(s, part, rows, tok.End())).Float32s()
		for k, i := range part {
			copy(all[i*width:], v[k*width:(k+1)*width])
		}
		return nil
	}); err != nil {
		return nil, err
	}
	return all, nil
}

// padded is the chosen rows as ids [len(part), longest], filled up with the end.
func padded(s *tensor.Scope, part []int, rows [][]int32, end int32) *tensor.Tensor {
	longest := 0
	for _, i := range part {
		longest = max(longest, len(rows[i]))
	}
	ids := make([]int32, 0, len(part)*longest)
	for _, i := range part {
		ids = append(ids, rows[i]...)
		for range longest - len(rows[i]) {
			ids = append(ids, end)
		}
	}
	return s.FromInt32s(ids, len(part), longest)
}

// CheckTokenizer tells whether a tokenizer's ids mean anything to the model.
func (t *TextModel) CheckTokenizer(tok *bpe.Tokenizer) error {
	if tok.Size() > t.Config.VocabSize {
		return fmt.Errorf("clip: the tokenizer has %d ids, the model %d: want the model's own tokenizer", tok.Size(), t.Config.VocabSize)
	}
	if eos := t.Config.EOS; eos != legacyEOS && eos != tok.End() {
		return fmt.Errorf("clip: texts of the tokenizer end with id %d, the model's eos_token_id is %d: want the model's own tokenizer", tok.End(), eos)
	}
	return nil
}

// EncodeImages gives the vectors of n images on the host, [n · E], unit length. image(i) gives image i; it is called in order, by one goroutine,
// and what it gives must not change afterwards. Each image is resized, cut and normalised as m.Pixels says. The batch size does not change a bit
// of the result. progress and errors are as in [EncodeTexts].
func EncodeImages(ctx context.Context, m *Model, n int, image func(i int) (*pixels.Image, error), batch int,
	progress func(done int)) (out []float32, err error) {
	width := m.Config.Projection
	all := make([]float32, n*width)
	if err := m.eachBatch(ctx, n, image, batch, progress, func(s *tensor.Scope, px *tensor.Tensor, from, to int) {
		m.Image.Encode(s, px).CopyTo(all[from*width : to*width])
	}); err != nil {
		return nil, err
	}
	return all, nil
}

// EncodePatches gives the vectors of the patches of n images on the host, [n · P · E], unit length: see [ImageModel.Patches]. All else is as in EncodeImages.
func EncodePatches(ctx context.Context, m *Model, n int, image func(i int) (*pixels.Image, error), batch int) (out []float32, err error) {
	if err := m.eachBatch(ctx, n, image, batch, nil, func(s *tensor.Scope, px *tensor.Tensor, _, _ int) {
		out = append(out, m.Image.Patches(s, px).Float32s()...)
	}); err != nil {
		return nil, err
	}
	return out, nil
}

// eachBatch prepares images from to to, as [EncodeImages] says, and gives them to do as pixels [to − from, side, side, 3].
func (m *Model) eachBatch(ctx context.Context, n int, image func(i int) (*pixels.Image, error), batch int, progress func(done int),
	do func(s *tensor.Scope, px *tensor.Tensor, from, to int)) (err error) {
	defer tensor.Catch(&err)
	side := m.Pixels.Crop
	if side < m.Config.Image.PatchSize {
		return fmt.Errorf("clip: images are cut to %d×%d: want at least the patch size %d", side, side, m.Config.Image.PatchSize)
	}
	return inBatches(ctx, m, n, batch, progress, func(s *tensor.Scope, from, to int) error {
		px, err := m.input(from, to, image)
		if err == nil {
			do(s, s.FromFloat32s(px, to-from, side, side, 3), from, to)
		}
		return err
	})
}

// PatchCount is how many patches EncodePatches finds in an image.
func (m *Model) PatchCount() int {
	side := m.Pixels.Crop / m.Config.Image.PatchSize
	return side * side
}

// input is images from..to-1 as the image tower takes them [to−from, Crop, Crop, 3].
func (m *Model) input(from, to int, image func(i int) (*pixels.Image, error)) ([]float32, error) {
	size := m.Pixels.Crop * m.Pixels.Crop * 3
	px, errs := make([]float32, (to-from)*size), make([]error, to-from)
	var wait sync.WaitGroup
	for k := range to - from {
		im, err := image(from + k)
		if err != nil {
			errs[k] = err
			break
		}
		wait.Go(func() {
			f, err := m.Pixels.Apply(im)
			if errs[k] = err; err == nil {
				copy(px[k*size:], f.Pix)
			}
		})
	}
	wait.Wait()
	for k, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("clip: image %d: %w", from+k, err)
		}
	}
	return px, nil
}

// Squares gives the images of RGB bytes, each [side, side, 3], to [EncodeImages].
func Squares(images [][]uint8, side int) func(i int) (*pixels.Image, error) {
	return func(i int) (*pixels.Image, error) {
		if len(images[i]) != side*side*3 {
			return nil, fmt.Errorf("%d bytes: want %d×%d×3 = %d", len(images[i]), side, side, side*side*3)
		}
		return &pixels.Image{Width: side, Height: side, Channels: 3, Pix: images[i]}, nil
	}
}

// inBatches runs fn for items 0..n-1 in batches, each in a scope that begins anew: fn must keep no tensor of it.
func inBatches(ctx context.Context, m *Model, n, batch int, progress func(done int), fn func(s *tensor.Scope, from, to int) error) error {
	if batch < 1 {
		return fmt.Errorf("clip: batch size %d: want at least 1", batch)
	}
	s := tensor.NewScope(m.LogitScale.Device())
	defer s.Close()
	for from := 0; from < n; from += batch {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := min(n, from+batch)
		s.Reset()
		if err := fn(s, from, to); err != nil {
			return err
		}
		if progress != nil {
			progress(to)
		}
	}
	return nil
}
