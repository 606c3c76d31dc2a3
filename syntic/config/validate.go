package config

import (
	"fmt"
	"slices"
	"strings"
)

// Error is a fault in a recipe. It is bad input: the command ends with exit code 3.
type Error struct {
	Where string // file:line:column, or where the value came from
	What  string // key, value, what would be right
}

func (e *Error) Error() string { return e.Where + ": " + e.What }

// BadInput marks the error as the fault of the input.
func (e *Error) BadInput() bool { return true }

func (r *Recipe) fault(path, format string, args ...any) error {
	return &Error{r.Origin(path), path + ": " + fmt.Sprintf(format, args...)}
}

// Validate checks every value against its range and the values against each other. The error names where the value came
// from, the key, the value, and what would be right.
func (r *Recipe) Validate() error {
	for _, k := range r.Keys() {
		if !k.inRange() {
			return r.fault(k.Path, "%v: want %s", k.Value, k.Wanted())
		}
	}
	for _, check := range []func() error{r.validateTexts, r.validateMethod, r.validateTraining, r.validateEval} {
		if err := check(); err != nil {
			return err
		}
	}
	_, err := r.Axes()
	return err
}

// validateTexts looks at prompts and sources.
func (r *Recipe) validateTexts() error {
	if !strings.Contains(r.CLIP.Prompt, "{text}") {
		return r.fault("clip.prompt", "%q: want a text with {text} in it", r.CLIP.Prompt)
	}
	if !strings.Contains(r.Objects.Prompt, "{tag}") {
		return r.fault("objects.prompt", "%q: want a text with {tag} in it", r.Objects.Prompt)
	}
	if r.Objects.None == "neutral_prompt" && r.Objects.Neutral == "" {
		return r.fault("objects.neutral", "empty: want a prompt, as objects.none is neutral_prompt")
	}
	if r.Objects.Enabled && r.Objects.As == "words" && r.Objects.Neutral == "" {
		return r.fault("objects.neutral", "empty: want a word for no tags, as objects.as is words")
	}
	if !strings.Contains(r.Objects.WordsPrompt, "{tags}") {
		return r.fault("objects.words_prompt", "%q: want a text with {tags} in it", r.Objects.WordsPrompt)
	}
	if r.Objects.Vocabulary == "" {
		return r.fault("objects.vocabulary", "empty: want world, coco or a file with a name a line")
	}
	if r.Decoder.Start == "" {
		return r.fault("decoder.start", "empty: want scratch, or a folder of GPT-2")
	}
	if r.Data.Captions == "" || r.Data.Test == "" || r.Memory.Source == "" {
		return &Error{"recipe", "data.captions, data.test, memory.source: empty: want a corpus, such as world"}
	}
	return nil
}

// validateMethod holds keys of the method against each other.
func (r *Recipe) validateMethod() error {
	if r.Decoder.Width%r.Decoder.Heads != 0 {
		return r.fault("decoder.heads", "%d: want a divisor of decoder.width %d", r.Decoder.Heads, r.Decoder.Width)
	}
	if r.Retrieve.MinCount > r.Retrieve.Captions {
		return r.fault("retrieve.min_count", "%d: want at most retrieve.captions %d", r.Retrieve.MinCount, r.Retrieve.Captions)
	}
	if r.Objects.Pooling == "per_tag" && r.Decoder.PrefixLayout == "concat" {
		return r.fault("objects.pooling", "per_tag: want mean, as decoder.prefix_layout is concat")
	}
	if r.Project.Train && !r.Project.Enabled {
		return r.fault("project.train", "true: want false, as project.enabled is false")
	}
	if r.Patches.Enabled && r.Synth.Combine == "mean" {
		return r.fault("patches.enabled", "true: want false, as synth.combine is mean and patches of two images have no mean")
	}
	if r.Remap.Enabled && r.Synth.Combine != "all" {
		return r.fault("synth.combine", "%s: want all, as remap.enabled takes one image for a caption", r.Synth.Combine)
	}
	if r.Memory.Size > 0 && r.Memory.TopK > r.Memory.Size {
		return r.fault("memory.top_k", "%d: want at most memory.size %d", r.Memory.TopK, r.Memory.Size)
	}
	if r.Memory.Size == 1 && r.Memory.ExcludeSelf {
		return r.fault("memory.size", "1: want 2 or more, as memory.exclude_self leaves one out")
	}
	if n := r.Data.Of(r.Data.Count); n > 0 && r.Memory.Source == "training" && r.Memory.TopK > n {
		return r.fault("memory.top_k", "%d: want at most data.count × data.share, %d", r.Memory.TopK, n)
	}
	return nil
}

// validateTraining looks at what does not go with the features that training goes by.
func (r *Recipe) validateTraining() error {
	if r.Remap.Enabled && r.Train.Features == "text" {
		return r.fault("remap.enabled", "true: want false, as train.features is text")
	}
	if r.Train.Features == "text" && r.Refine.Enabled {
		return r.fault("refine.enabled", "true: want false, as train.features is text")
	}
	if r.Train.Features == "text" && r.Objects.Enabled && r.Objects.Source == "detector" {
		return r.fault("objects.enabled", "true: want false, or objects.source classifier or retrieval, as train.features is text and there is no image to detect in")
	}
	if r.Patches.Enabled && r.Train.Features == "text" {
		return r.fault("patches.enabled", "true: want false, as train.features is text and there is no image")
	}
	if r.Train.Weight == "clip" && r.Train.Features == "text" {
		return r.fault("train.weight", "clip: want none, as train.features is text and there is no image to weigh by")
	}
	if r.Gap.Correct == "texts" && r.Train.Features != "text" {
		return r.fault("gap.correct", "texts: want none or images, as train.features is synthetic")
	}
	return nil
}

// validateEval looks at rows and settings.
func (r *Recipe) validateEval() error {
	if len(r.Eval.Settings) == 0 {
		return r.fault("eval.settings", "empty: want at least one setting")
	}
	for i, name := range r.Eval.Settings {
		if !slices.Contains(Settings, name) {
			return r.fault("eval.settings", "no setting %q: nearest is %q, there are %s", name, nearest(name, Settings), strings.Join(Settings, ", "))
		}
		if slices.Contains(r.Eval.Settings[:i], name) {
			return r.fault("eval.settings", "%q twice", name)
		}
	}
	if len(r.Eval.Rows) == 0 {
		return r.fault("eval.rows", "empty: want at least one row")
	}
	for i, name := range r.Eval.Rows {
		if _, err := FindRow(name); err != nil {
			return r.fault("eval.rows", "%v", err)
		}
		if slices.Contains(r.Eval.Rows[:i], name) {
			return r.fault("eval.rows", "%q twice", name)
		}
	}
	return nil
}
