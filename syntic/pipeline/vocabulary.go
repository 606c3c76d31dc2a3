package pipeline

import (
	"strings"

	"syntic/syntic/dataset"
	"syntic/syntic/world"
)

// cocoNames are the 80 classes of objects in COCO (Lin et al. 2014), in the order of their numbers.
const cocoNames = "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,bench,bird,cat,dog,horse," +
	"sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,skis,snowboard,sports ball,kite,baseball bat,baseball glove," +
	"skateboard,surfboard,tennis racket,bottle,wine glass,cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake," +
	"chair,couch,potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,refrigerator,book,clock,vase," +
	"scissors,teddy bear,hair drier,toothbrush"

// namesOf are the names of a vocabulary: the drawn world's, COCO's classes, or those of a file, one a line.
func namesOf(source string) ([]string, error) {
	switch source {
	case World:
		return world.Nouns(), nil
	case "coco":
		return strings.Split(cocoNames, ","), nil
	}
	s, err := dataset.Load(source, dataset.Options{Format: dataset.Lines})
	if err != nil {
		return nil, err
	}
	return s.Texts(true), nil
}
