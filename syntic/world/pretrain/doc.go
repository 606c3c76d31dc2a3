// Package pretrain trains the tiny models of the embedded world (CLIP, VAE, UNet, DETR) from nothing, with this engine.
//
// The map: data.go scenes to batches · run.go [Run], the loop that all trainings share: checkpoints, curve, average, resume · vae.go clip.go
// unet.go detr.go one model each: its configuration, loss, scores · record.go what is kept beside the weights.
//
// Training scenes are those of the split "web" of package world: step i of a training sees scenes i·B to i·B + B − 1, so the data are
// a function of the step, a training can stop anywhere, and going on gives the same bits. Scores are made on scenes of the split "val".
package pretrain
