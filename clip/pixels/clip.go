package pixels

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
)

// CLIP says how an image becomes the input of CLIP's image model.
type CLIP struct {
	Size      int // the short edge is resized to this
	Crop      int // side of the centre square that is kept, at most Size
	Filter    Filter
	Mean, Std [3]float32 // per channel, of values in 0..1
	OpenAI    bool       // openai/CLIP's order and rounding instead of Hugging Face's
}

// DefaultCLIP is the processor of OpenAI's ViT-B models (Radford et al. 2021).
func DefaultCLIP() CLIP {
	return CLIP{Size: 224, Crop: 224, Filter: Bicubic,
		Mean: [3]float32{0.48145466, 0.4578275, 0.40821073}, Std: [3]float32{0.26862954, 0.26130258, 0.27577711}}
}

// Apply resizes the short edge, cuts the centre and normalizes: [Crop, Crop, 3]. Hugging Face lays transparent images on
// white first and rounds the crop's corner down; openai/CLIP (and open_clip's transform of PIL images) drops the alpha channel last, resizes images
// with a palette before they are RGB, hence to the nearest pixel, and rounds halves to even.
func (p CLIP) Apply(im *Image) (*Floats, error) {
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("clip preprocessing: %w", err)
	}
	filter := p.Filter
	if !p.OpenAI {
		im = im.OverWhite()
	} else if im.Indexed {
		filter = Nearest
	}
	w, h := p.Size, p.Size
	if im.Width < im.Height {
		h = int(float64(p.Size*im.Height) / float64(im.Width))
	} else {
		w = int(float64(p.Size*im.Width) / float64(im.Height))
	}
	im, err := im.Resize(w, h, filter)
	if err != nil {
		return nil, fmt.Errorf("clip preprocessing: %w", err)
	}
	left, top := (w-p.Crop)/2, (h-p.Crop)/2
	if p.OpenAI {
		left, top = int(math.RoundToEven(float64(w-p.Crop)/2)), int(math.RoundToEven(float64(h-p.Crop)/2))
	}
	return im.crop(left, top, p.Crop, p.Crop).RGB().normalize(p.Mean, p.Std), nil
}

func (p CLIP) check() error {
	if p.Size < 1 || p.Size > 1<<14 || p.Crop < 1 || p.Crop > p.Size {
		return fmt.Errorf("size %d, crop %d: want 1 ≤ crop ≤ size ≤ %d", p.Size, p.Crop, 1<<14)
	}
	for c := range 3 {
		if !(p.Std[c] > 0) || p.Std[c] > math.MaxFloat32 || p.Mean[c] != p.Mean[c] {
			return fmt.Errorf("mean %v, std %v: want finite numbers and std above 0", p.Mean, p.Std)
		}
	}
	return nil
}

// ReadCLIP reads a preprocessor_config.json; keys it lacks keep the values of DefaultCLIP. Both spellings of the sizes are known:
// a number, and an object (shortest_edge; height and width, which must agree). The error names the file.
func ReadCLIP(path string) (CLIP, error) {
	p := DefaultCLIP()
	b, err := os.ReadFile(path)
	if err != nil {
		return p, fmt.Errorf("clip preprocessing: %w", err)
	}
	if err := p.parse(b); err != nil {
		return p, fmt.Errorf("clip preprocessing: %s: %w", path, err)
	}
	return p, nil
}

func (p *CLIP) parse(b []byte) error {
	var c struct {
		Size          edge      `json:"size"`
		Crop          edge      `json:"crop_size"`
		Resample      *Filter   `json:"resample"`
		Mean          []float32 `json:"image_mean"`
		Std           []float32 `json:"image_std"`
		Rescale       *float64  `json:"rescale_factor"`
		DoResize      *bool     `json:"do_resize"`
		DoCenterCrop  *bool     `json:"do_center_crop"`
		DoRescale     *bool     `json:"do_rescale"`
		DoNormalize   *bool     `json:"do_normalize"`
		DoConvertRGB  *bool     `json:"do_convert_rgb"`
		ProcessorName string    `json:"image_processor_type"`
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return err
	}
	for name, do := range map[string]*bool{"do_resize": c.DoResize, "do_center_crop": c.DoCenterCrop, "do_rescale": c.DoRescale,
		"do_normalize": c.DoNormalize, "do_convert_rgb": c.DoConvertRGB} {
		if do != nil && !*do {
			return fmt.Errorf("%s is false: only the whole of CLIP's preprocessing is supported", name)
		}
	}
	if c.Rescale != nil && math.Abs(*c.Rescale*255-1) > 1e-9 {
		return fmt.Errorf("rescale_factor %g: want 1/255", *c.Rescale)
	}
	if c.Size != 0 {
		p.Size = int(c.Size)
	}
	if c.Crop != 0 {
		p.Crop = int(c.Crop)
	}
	if c.Resample != nil {
		p.Filter = *c.Resample
	}
	for _, v := range []struct {
		name string
		from []float32
		to   *[3]float32
	}{{"image_mean", c.Mean, &p.Mean}, {"image_std", c.Std, &p.Std}} {
		if v.from != nil && len(v.from) != 3 {
			return fmt.Errorf("%s has %d numbers, want 3", v.name, len(v.from))
		}
		copy(v.to[:], v.from)
	}
	return p.check()
}

// edge is a size that is written as a number or as an object.
type edge int

func (e *edge) UnmarshalJSON(b []byte) error {
	var n int
	if json.Unmarshal(b, &n) == nil {
		*e = edge(n)
		return nil
	}
	var o struct {
		Short  int `json:"shortest_edge"`
		Height int `json:"height"`
		Width  int `json:"width"`
	}
	if err := json.Unmarshal(b, &o); err != nil {
		return err
	}
	if o.Short == 0 && (o.Height != o.Width || o.Height == 0) {
		return fmt.Errorf("size %s: want a number, shortest_edge, or equal height and width", b)
	}
	*e = edge(max(o.Short, o.Height))
	return nil
}
