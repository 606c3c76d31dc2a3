package pretrain

import (
	"fmt"
	"strings"

	"syntic/tensor"
)

// jobs is the one list of trainings; steps is about the length that the committed weights had: README.md beside them.
var jobs = []struct {
	name  string
	steps int
	make  func(dev *tensor.Device, steps int, seed uint64, o Options) (*Job, error)
}{
	{"vae", 6000, func(dev *tensor.Device, steps int, seed uint64, o Options) (*Job, error) {
		return VAE(dev, steps, seed, o.From)
	}},
	{"clip", 4000, func(dev *tensor.Device, steps int, seed uint64, _ Options) (*Job, error) {
		return CLIP(dev, steps, seed)
	}},
	{"unet", 10000, func(dev *tensor.Device, steps int, seed uint64, o Options) (*Job, error) {
		return UNet(dev, steps, seed, o.Models, o.From)
	}},
	{"vae-decoder", 2400, func(dev *tensor.Device, steps int, _ uint64, o Options) (*Job, error) {
		return VAEDecoder(dev, steps, o.Models)
	}},
	{"detr", 4000, func(dev *tensor.Device, steps int, seed uint64, _ Options) (*Job, error) {
		return DETR(dev, steps, seed)
	}},
}

// Names lists the trainings.
func Names() string {
	var l []string
	for _, j := range jobs {
		l = append(l, j.name)
	}
	return strings.Join(l, ", ")
}

// New prepares a training by name; steps 0 is the default length. Errors are the caller's: an unknown name, or models that are missing.
func New(dev *tensor.Device, name string, steps int, seed uint64, o Options) (*Job, error) {
	for _, j := range jobs {
		if j.name == name {
			if steps <= 0 {
				steps = j.steps
			}
			return j.make(dev, steps, seed, o)
		}
	}
	return nil, fmt.Errorf("world train %q: want %s", name, Names())
}
