package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"

	"syntic/clip/pixels"
	"syntic/syntic/config"
	"syntic/syntic/dataset"
	"syntic/syntic/detr"
	"syntic/syntic/metric"
	"syntic/syntic/plan"
	"syntic/syntic/world"
)

// Sets of images with references. Their names are those of stages.
const (
	testIn    = "test-in"    // data.test
	testCross = "test-cross" // data.cross
	valSet    = "val"        // data.val
)

// imageSet is images with references: scenes of the drawn world, or pictures of the user.
type imageSet struct {
	name     string
	count    int
	domain   world.Domain // of drawn scenes
	novel    bool         // drawn scenes: in nocaps' domains
	split    world.Split
	images   []dataset.Image // of the user; nil: drawn
	pictures []dataset.Picture
}

// defaultTests is what data.test_count 0 means, and defaultVal data.val_count 0: the drawn world has no end.
const (
	defaultTests = 1000
	defaultVal   = 200
)

// loadSets lists the images of the settings and of data.val. Nothing is decoded.
func (w *work) loadSets() error {
	w.sets = map[string]*imageSet{}
	d := w.r.Data
	for _, s := range settingsOf(w.r) {
		if w.sets[s.set] != nil || w.trainOnly {
			continue
		}
		key, source, folder := "data.test", d.Test, d.Images
		if s.set == testCross {
			if key, source = "data.cross", d.Cross; d.CrossImages != "" {
				folder = d.CrossImages
			}
			if source == "" {
				source = otherDomain(d.Test)
			}
		}
		if err := w.addSet(s.set, key, source, folder, dataset.Test, d.TestN, defaultTests); err != nil {
			return err
		}
	}
	if d.Val != "" {
		return w.addSet(valSet, "data.val", d.Val, d.Images, dataset.Val, d.ValN, defaultVal)
	}
	return nil
}

// otherDomain is that of the drawn world which source is not; empty for files.
func otherDomain(source string) string {
	switch source {
	case World:
		return worldOther
	case worldOther:
		return World
	}
	return ""
}

// addSet lists the images of a source; key is where the recipe names it, split which of its images are meant, few how many if it has no end.
func (w *work) addSet(name, key, source, folder, split string, count, few int) error {
	set := &imageSet{name: name, count: count, split: world.Test}
	w.sets[name] = set
	if split == dataset.Val {
		set.split = world.Val
	}
	var ok bool
	if set.domain, ok = drawn(source); ok && source != worldKnown {
		set.novel = source == worldNovel
		if count == 0 {
			set.count = few
		}
		return nil
	}
	if source == "" || source == worldWeb || source == worldKnown {
		return badInput("%s %q: want world, world:other, world:nocaps, or files with images and references", key, source)
	}
	s, err := w.files.load(source, name != testCross)
	if err != nil {
		return inputError{fmt.Errorf("%s: %w", key, err)}
	}
	if source == w.r.Data.Captions && !s.HasSplits() {
		return badInput("%s: %s is data.captions as well and has no splits: want Karpathy's file, or data.test_list", key, source)
	}
	set.images = s.Split(split)
	if len(set.images) == 0 && len(s.Split(dataset.Train, dataset.Val, dataset.Test)) == 0 {
		set.images = s.Images // splits of another kind, such as nocaps' domains
	}
	if len(set.images) == 0 {
		return badInput("%s: %s has no images of the split %s", key, source, split)
	}
	if count > 0 && count < len(set.images) {
		set.images = set.images[:count]
	}
	set.count = len(set.images)
	return w.findPictures(set, key, folder)
}

// findPictures looks for the pictures of a set.
func (w *work) findPictures(set *imageSet, key, folder string) error {
	folderKey := "data.images"
	if set.name == testCross && w.r.Data.CrossImages != "" {
		folderKey = "data.cross_images"
	}
	if folder == "" {
		return badInput("%s: empty: want the folder, or the tar, of the pictures that %s names", folderKey, key)
	}
	store := w.stores[folder]
	if store == nil {
		var err error
		if store, err = dataset.OpenStore(folder); err != nil {
			return inputError{fmt.Errorf("%s: %w", folderKey, err)}
		}
		if w.stores == nil {
			w.stores = map[string]*dataset.Store{}
		}
		w.stores[folder] = store
	}
	var err error
	if set.pictures, err = store.FindAll(set.images); err != nil {
		return inputError{fmt.Errorf("%s: %w", folderKey, err)}
	}
	return nil
}

// id is what results call image i: COCO's number or the file's name; of the drawn world, and where a file has neither, its place from 1.
func (s *imageSet) id(i int) metric.ImageID {
	if s.images == nil || s.images[i].Key() == "" {
		return metric.ImageID(strconv.Itoa(i + 1))
	}
	key := s.images[i].Key()
	if n, err := strconv.ParseInt(key, 10, 64); err == nil && strconv.FormatInt(n, 10) == key {
		return metric.ImageID(key)
	}
	return metric.ImageID(strconv.Quote(key))
}

// groups are the splits of the images where they are of another kind than train, val and test: nocaps' domains, by name. Nil for all others.
func (s *imageSet) groups() (names []string, of map[string][]int) {
	of = map[string][]int{}
	for i := range s.count {
		split := s.splitOf(i)
		if split == "" || split == dataset.Val || split == dataset.Test {
			return nil, nil
		}
		if of[split] == nil {
			names = append(names, split)
		}
		of[split] = append(of[split], i)
	}
	slices.Sort(names)
	return names, of
}

// splitOf is what a file says of image i, or in which of nocaps' domains a drawn scene is: of things that captions of world:known name, of others as well,
// of others alone.
func (s *imageSet) splitOf(i int) string {
	switch {
	case s.images != nil:
		return s.images[i].Split
	case !s.novel:
		return ""
	}
	sc := world.Sample(s.domain, s.split, worldSeed, i)
	switch sc.Novel() {
	case 0:
		return "in_domain"
	case len(sc.Things):
		return "out_domain"
	}
	return "near_domain"
}

// hash changes when an image or a reference of the user does.
func (s *imageSet) hash() (string, error) {
	h := sha256.New()
	for i, im := range s.images {
		stamp, err := s.pictures[i].Stamp()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s\n%q\n", stamp, im.Captions)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// at opens image i with its references.
func (s *imageSet) at(i int) (*pixels.Image, []string, error) {
	if s.images != nil {
		im, err := s.pictures[i].Open()
		if err != nil {
			return nil, nil, inputError{err}
		}
		return im, s.images[i].Captions, nil
	}
	return drawnImage(s.domain, s.split, i)
}

// drawnImage draws image i of a split of the drawn world, with its reference captions.
func drawnImage(d world.Domain, split world.Split, i int) (*pixels.Image, []string, error) {
	sc := world.Sample(d, split, worldSeed, i)
	im := &pixels.Image{Width: world.Side, Height: world.Side, Channels: 3, Pix: make([]uint8, world.PixelBytes)}
	var r world.Renderer
	if err := r.Render(&sc, im.Pix); err != nil {
		return nil, nil, err
	}
	return im, sc.Captions(5), nil
}

// decodeTogether bounds how many pictures of the user are decoded at once; it changes no result.
const decodeTogether = 16

// seeing is the stage of the features of a set of images, and of what is detected in them.
func (w *work) seeing(set *imageSet) (plan.Stage, error) {
	stage := plan.Stage{
		Name: set.name, Version: 1, Items: set.count, ShardSize: w.r.Shards.Images,
		Inputs: map[string]string{"clip": w.folders.hash[w.folders.CLIP], "detr": w.detectorHash()},
	}
	if set.images == nil {
		stage.Inputs["world"] = strconv.FormatUint(world.Fingerprint(), 16)
		stage.Config = map[string]any{"domain": int(set.domain), "seed": worldSeed}
		stage.Piece = func(plan.Shard) map[string]string { return nil } // image i is the same in any number of them
	} else {
		var err error
		if stage.Inputs["images"], err = set.hash(); err != nil {
			return stage, err
		}
	}
	if w.needs.patches {
		stage.Inputs["patches"] = "yes"
	}
	stage.Make = func(ctx context.Context, sh plan.Shard, _ *plan.Pipeline, out io.Writer, tick func(int)) error {
		var all Tests
		for from := sh.First; from < sh.First+sh.Count; from += decodeTogether {
			n := min(decodeTogether, sh.First+sh.Count-from)
			if err := w.appendTests(ctx, &all, set, from, n); err != nil {
				return err
			}
			tick(n)
		}
		return encode(out, &all)
	}
	return stage, nil
}

// appendTests looks at n images of a set, from image first on.
func (w *work) appendTests(ctx context.Context, all *Tests, set *imageSet, first, n int) error {
	var images []*pixels.Image
	for i := first; i < first+n; i++ {
		im, refs, err := set.at(i)
		if err != nil {
			return err
		}
		images, all.References = append(images, im), append(all.References, refs)
	}
	features, found, patches, err := w.see(ctx, images)
	if err != nil {
		return err
	}
	all.Patches = append(all.Patches, patches...)
	all.Features, all.Found = append(all.Features, features...), append(all.Found, tagged(found)...)
	for k, im := range images {
		small, scale, err := thumbnail(im, first+k < reportImages)
		if err != nil {
			return err
		}
		all.PNG, all.Boxes = append(all.PNG, small), append(all.Boxes, scaled(boxes(found[k]), scale))
	}
	return nil
}

// thumbnailSide is the longer side of the pictures in a report, in pixels.
const thumbnailSide = 256

// thumbnail is a PNG for the report, nil of an image that is not shown, and by how much it is smaller.
func thumbnail(im *pixels.Image, shown bool) (data []byte, scale float64, err error) {
	if !shown {
		return nil, 1, nil
	}
	scale = min(1, thumbnailSide/float64(max(im.Width, im.Height)))
	if im = im.RGB(); scale < 1 {
		w, h := max(1, int(float64(im.Width)*scale+0.5)), max(1, int(float64(im.Height)*scale+0.5))
		if im, err = im.Resize(w, h, pixels.Bicubic); err != nil {
			return nil, 0, err
		}
	}
	data, err = EncodePNG(im)
	return data, scale, err
}

func scaled(list []Box, scale float64) []Box {
	for i := range list {
		b := &list[i]
		b.X0, b.Y0, b.X1, b.Y1 = b.X0*scale, b.Y0*scale, b.X1*scale, b.Y1*scale
	}
	return list
}

// needs tells which models the rows of a recipe use.
type needs struct{ painter, detector, patches bool }

func needsOf(r *config.Recipe) (n needs, err error) {
	for _, name := range r.Eval.Rows {
		row, err := r.Row(name)
		if err != nil {
			return n, err
		}
		n.painter = n.painter || row.Train.Features == "synthetic" || row.Gap.Correct != "none"
		n.patches = n.patches || row.Patches.Enabled
		n.detector = n.detector || row.Objects.Enabled && row.Objects.Source == "detector"
	}
	return n, nil
}

// detectorHash stands in plans for the detector, whether or not there is one.
func (w *work) detectorHash() string {
	if !w.needs.detector {
		return "none"
	}
	return w.folders.hash[w.folders.DETR]
}

// detect finds objects, or nothing in any image where no row asks for them.
func (w *work) detect(ctx context.Context, images []*pixels.Image) ([][]detr.Detection, error) {
	if !w.needs.detector {
		return make([][]detr.Detection, len(images)), nil
	}
	d, err := w.detector()
	if err != nil {
		return nil, err
	}
	return detr.Detect(ctx, d, images, minScore)
}
