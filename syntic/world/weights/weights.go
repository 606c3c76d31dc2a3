// Package weights embeds the drawn world's tiny pre-trained models, in the layouts of the originals: clip (Hugging Face's CLIPModel folder),
// sd (diffusers' Stable Diffusion folder) and detr (DetrForObjectDetection folder). The trainings' records lie beside them (training.jsonl).
package weights

import (
	"embed"
	"io/fs"
)

//go:embed all:data
var data embed.FS

// WorldFile names the file of FS that holds the fingerprint (world.Fingerprint, 16 hexadecimal digits) of the world that the models were packed for.
const WorldFile = "world.txt"

// FS holds the folders clip, sd and detr.
var FS, _ = fs.Sub(data, "data")
