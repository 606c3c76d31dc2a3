// Package detr is the object detector of SynTIC's object branch: DETR (Carion et al. 2020), a convolutional backbone, a transformer
// encoder and decoder, and a fixed set of queries, each of which names one object or none.
//
// The map: model.go [Model], its Forward in the paper's order · resnet.go the backbone and its frozen batch norms · transformer.go encoder
// and decoder layers · position.go sine positions · config.go config.json · load.go folders and the three namings of checkpoints ·
// detect.go [Detect], from images to named boxes · loss.go the set loss · guide.go a training
// aid for small models · meanap.go [MeanAP] · toy.go [ToyConfig], the detector of the embedded world.
//
// Images are channels-last, [B, H, W, 3], normalised as the model's processor says. Boxes are (cx, cy, w, h) in shares of the image, 0..1,
// inside the model, and corners (x0, y0, x1, y1) in pixels in a [Detection]. Class K, the last one, is "no object".
//
// Names of parameters and configuration keys are those of the Hugging Face library's DetrForObjectDetection with a ResNet backbone.
package detr
