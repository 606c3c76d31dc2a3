package detr

import (
	"fmt"
	"slices"
	"sort"
)

// MeanAP is the mean over classes of the average precision at one threshold of intersection over union (COCO's AP50 for iouMin 0.5, Lin et
// al. 2014): detections of a class, best score first, each take the unclaimed object of their image with which they overlap most; precision is
// made to never rise with recall and averaged over the 101 recalls 0, 0.01 … 1. Classes without any object do not count. Boxes of found are
// corners in pixels of the image sizes (width, height); targets are in shares. It returns an error if the lengths differ or there is no
// object at all.
func MeanAP(found [][]Detection, targets []Target, sizes [][2]int, iouMin float64) (mean float64, byClass map[int]float64, err error) {
	if len(found) != len(targets) || len(sizes) != len(targets) {
		return 0, nil, fmt.Errorf("detr: detections of %d images, %d targets, %d sizes: want as many", len(found), len(targets), len(sizes))
	}
	objects := map[int]int{}
	for _, t := range targets {
		for _, o := range t {
			objects[o.Label]++
		}
	}
	if len(objects) == 0 {
		return 0, nil, fmt.Errorf("detr: the %d targets have no objects", len(targets))
	}
	var classes []int
	for c := range objects {
		classes = append(classes, c)
	}
	slices.Sort(classes)
	byClass = map[int]float64{}
	for _, c := range classes {
		byClass[c] = averagePrecision(claims(found, targets, sizes, c, iouMin), objects[c])
		mean += byClass[c] / float64(len(classes))
	}
	return mean, byClass, nil
}

// claims tells, for the detections of a class with the best score first, which ones claim an object.
func claims(found [][]Detection, targets []Target, sizes [][2]int, class int, iouMin float64) []bool {
	type claim struct {
		score float32
		hit   bool
	}
	var all []claim
	for i, ds := range found {
		var mine []Detection
		for _, d := range ds {
			if d.Label == class {
				mine = append(mine, d)
			}
		}
		sort.SliceStable(mine, func(a, b int) bool { return mine[a].Score > mine[b].Score })
		taken := make([]bool, len(targets[i]))
		for _, d := range mine {
			best, most := -1, iouMin
			for j, o := range targets[i] {
				if o.Label != class || taken[j] {
					continue
				}
				if v := iou(shares(d.Box, sizes[i]), corners(o.Box)); v >= most {
					best, most = j, v
				}
			}
			if best >= 0 {
				taken[best] = true
			}
			all = append(all, claim{d.Score, best >= 0})
		}
	}
	sort.SliceStable(all, func(a, b int) bool { return all[a].score > all[b].score })
	hits := make([]bool, len(all))
	for i, c := range all {
		hits[i] = c.hit
	}
	return hits
}

// shares divides corners in pixels by the image's size.
func shares(b [4]float32, size [2]int) [4]float64 {
	w, h := float64(size[0]), float64(size[1])
	return [4]float64{float64(b[0]) / w, float64(b[1]) / h, float64(b[2]) / w, float64(b[3]) / h}
}

// averagePrecision is the mean precision at 101 recalls of n objects.
func averagePrecision(hits []bool, n int) (ap float64) {
	precision, recall := make([]float64, len(hits)), make([]float64, len(hits))
	right := 0
	for i, hit := range hits {
		if hit {
			right++
		}
		precision[i], recall[i] = float64(right)/float64(i+1), float64(right)/float64(n)
	}
	for i := len(precision) - 2; i >= 0; i-- {
		precision[i] = max(precision[i], precision[i+1])
	}
	for r := range 101 {
		if i := sort.SearchFloat64s(recall, float64(r)/100); i < len(recall) {
			ap += precision[i] / 101
		}
	}
	return ap
}
