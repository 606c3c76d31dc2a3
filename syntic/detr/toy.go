package detr

import (
	"strings"

	"syntic/clip/pixels"
)

// ToyConfig is the detector of the embedded world: 64×64 pictures, which two stages of a basic ResNet turn into 8×8 cells, one to three
// things among classes of the given names, ten queries. It has 0.39 million parameters and costs some 45 MFLOP a picture. There is no
// dropout: every picture of a training is a new one. All decoder layers are trained, as the paper does.
func ToyConfig(labels []string) Config {
	c := DefaultConfig()
	c.UseTimmBackbone, c.Labels, c.AuxiliaryLoss, c.Dropout = false, labels, true, 0
	c.Width, c.Queries = 64, 10
	c.EncoderLayers, c.EncoderHeads, c.EncoderFFN = 2, 4, 128
	c.DecoderLayers, c.DecoderHeads, c.DecoderFFN = 3, 4, 128
	c.BackboneConfig = defaultBackbone()
	c.BackboneConfig.LayerType, c.BackboneConfig.EmbeddingSize = "basic", 24
	c.BackboneConfig.HiddenSizes, c.BackboneConfig.Depths = []int{32, 64}, []int{1, 2}
	c.BackboneConfig.OutFeatures = []string{"stage2"}
	return c
}

// ToyProcessor takes 64×64 pictures as they are, scaled to about -2..2.
func ToyProcessor() pixels.DETR {
	return pixels.DETR{Short: 64, Long: 64, Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.25, 0.25, 0.25}}
}

// ToyRate is the factor on the learning rate of a parameter, by name, in a training of the toy from nothing: a convolutional network with
// batch norms bears, and needs, more than a transformer with norms after its sums.
func ToyRate(name string) float32 {
	if strings.Contains(name, "model.backbone.") || strings.HasSuffix(name, "guide.weight") || strings.HasSuffix(name, "guide.bias") {
		return 5
	}
	return 1
}
