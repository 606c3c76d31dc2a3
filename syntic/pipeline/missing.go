package pipeline

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"syntic/syntic/config"
)

// missing tells, in one line, which of the files that presets name are not there, and what to get. Other files are complained of where they are read.
func (w *work) missing() error {
	r := w.r
	var lines []string
	seen := map[string]bool{}
	check := func(key, path string, needed bool) {
		if !needed || path == "" || seen[path] || config.Bring(path) == "" {
			return
		}
		seen[path] = true
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			lines = append(lines, key+": "+path+": no such file or folder: get "+config.Bring(path))
		}
	}
	uses := func(is func(setting) bool) bool {
		for _, s := range settingsOf(r) {
			if is(s) {
				return true
			}
		}
		return false
	}
	tests := !w.trainOnly
	in := tests && uses(func(s setting) bool { return s.set == testIn })
	cross := tests && uses(func(s setting) bool { return s.set == testCross })
	check("data.captions", r.Data.Captions, uses(func(s setting) bool { return s.corpus == mainCorpus }))
	check("data.web", r.Data.Web, uses(func(s setting) bool { return s.corpus == webCorpus }))
	check("data.val", r.Data.Val, true)
	check("data.test", r.Data.Test, in)
	check("data.cross", r.Data.Cross, cross)
	check("memory.source", r.Memory.Source, true)
	check("data.images", r.Data.Images, in || r.Data.Val != "" || cross && r.Data.CrossImages == "")
	check("data.cross_images", r.Data.CrossImages, cross)
	check("clip.model", r.CLIP.Model, true)
	check("synth.model", r.Synth.Model, w.needs.painter)
	check("objects.model", r.Objects.Model, w.needs.detector)
	if lines == nil {
		return nil
	}
	return badInput("%s", strings.Join(lines, "; "))
}
