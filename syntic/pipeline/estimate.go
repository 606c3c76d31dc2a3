package pipeline

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"syntic/nn"
	"syntic/syntic"
	"syntic/syntic/config"
)

// Estimate is what a run will do, take and need, told before it begins.
type Estimate struct {
	Recipe  *config.Recipe
	Stages  []StageEstimate
	Seconds float64 // of what is to be made
	Disk    int64   // bytes that the folder will need more
	Peak    int64   // of Disk, only while a decoder is trained
	Probe   float64 // seconds that measuring took
	Texts   int     // captions of the first setting; of the run that has most
	Runs    int
}

// StageEstimate is one stage of an Estimate.
type StageEstimate struct {
	Name      string
	Kind      string // for people
	Items     int
	Done      int     // of them, in the folder already
	Elsewhere int     // of them, taken from other runs
	Rate      float64 // items a second
	Measured  string  // where the rate comes from
	Seconds   float64 // of the items that are to be made
	Bytes     int64   // that the stage will need more
}

// Plan tells what the run will do and estimates what it takes: rates of finished shards where there are some, here or in the runs of Reuse, and of a
// few items made now on this machine where there are none. Nothing is written to the folder of the run.
func (j Job) Plan(ctx context.Context) (*Estimate, error) { return PlanAll(ctx, []Job{j}) }

// PlanAll is Plan of runs that are done one after the other, such as those of a sweep, each of which takes what those before it made: that counts once.
// What depends on the same keys is measured once.
func PlanAll(ctx context.Context, jobs []Job) (*Estimate, error) {
	out := &Estimate{Recipe: jobs[0].Recipe, Runs: len(jobs)}
	made, rates := map[string]bool{}, map[string]float64{}
	for _, j := range jobs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := j.estimate(ctx, out, made, rates); err != nil {
			return nil, err
		}
	}
	out.Disk += out.Peak
	return out, nil
}

// estimate adds a run to an estimate.
func (j Job) estimate(ctx context.Context, out *Estimate, made map[string]bool, rates map[string]float64) error {
	w := &work{dev: j.Device, r: j.Recipe, trainOnly: j.Train}
	defer w.close()
	if err := w.open(); err != nil {
		return err
	}
	models, err := os.MkdirTemp("", "syntic-plan-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(models)
	l, p, err := j.plan(w, models)
	if err != nil {
		return err
	}
	out.Texts = max(out.Texts, len(w.corpora[l.first.key.corpus]))
	m := &meter{w: w, l: l, rates: rates, progress: j.Progress}
	for _, s := range p.Status(stagesOf(j.Reuse), made) {
		e := StageEstimate{Name: s.Stage.Name, Kind: kindOf(s.Stage.Name), Items: s.Stage.Items, Done: s.Done, Elsewhere: s.Elsewhere, Rate: s.Rate, Measured: "finished shards"}
		todo := e.Items - e.Done - e.Elsewhere
		if todo > 0 {
			began := time.Now()
			size, err := m.bytes(ctx, e.Name)
			if err != nil {
				return fmt.Errorf("plan: stage %s: %w", e.Name, err)
			}
			e.Bytes = size * int64(todo)
			if strings.HasPrefix(e.Name, "row-") { // a decoder is as large after one step as after all
				e.Bytes = size
				out.Peak = max(out.Peak, 3*size) // its checkpoint: weights and two momenta
			}
			if e.Rate == 0 {
				e.Measured = "measured now"
				if e.Rate, err = m.rate(ctx, e.Name); err != nil {
					return fmt.Errorf("plan: stage %s: %w", e.Name, err)
				}
			}
			out.Probe += time.Since(began).Seconds()
			e.Seconds = float64(todo) / e.Rate
		}
		out.Stages = append(out.Stages, e)
		out.Seconds += e.Seconds
		out.Disk += e.Bytes
	}
	size, err := m.model(ctx)
	out.Disk += size
	return err
}

func kindOf(stage string) string {
	for _, k := range stageKinds {
		if strings.HasPrefix(stage, k.prefix) {
			return k.label
		}
	}
	return stage
}

// row is the row that a stage trains or captions for; the first of the recipe where the name tells none.
func (m *meter) row(stage string) (*rowStage, string, error) {
	for _, key := range m.l.rows {
		row, err := m.w.r.Row(key.row)
		if err != nil {
			return nil, "", err
		}
		t := &rowStage{m.w, row, key}
		if stage == t.trainer().String() || stage == t.refined() || stage == t.remapped() {
			return t, "", nil
		}
		for _, set := range m.l.sets {
			if stage == key.captions(set) {
				return t, set, nil
			}
		}
	}
	return m.l.first, m.l.set, nil
}

// gobFloat is how many bytes a float32 takes in a stage's shard.
const gobFloat = 5

// bytes is what an item of a stage takes; of a training, all of it.
func (m *meter) bytes(ctx context.Context, stage string) (int64, error) {
	enc, err := m.w.encoder()
	if err != nil {
		return 0, err
	}
	e := int64(enc.Config.Projection)
	switch {
	case strings.HasPrefix(stage, "captions-"):
		return 200, nil
	case strings.HasPrefix(stage, "row-"):
		t, _, err := m.row(stage)
		if err != nil {
			return 0, err
		}
		d, look, err := m.decoder(ctx, t)
		if err != nil {
			return 0, err
		}
		defer look.release()
		defer d.Release()
		return weightBytes(d) + 60*int64(t.steps()), nil
	case strings.HasPrefix(stage, "pairs-"):
		n := gobFloat*e + 100
		if m.w.r.Synth.Keep == "all" {
			n += m.png(ctx)
		}
		return n, nil
	case strings.HasPrefix(stage, "test-") || stage == valSet:
		return gobFloat*e + 700, nil // with references and what was found
	}
	return gobFloat * e, nil
}

func weightBytes(d *syntic.Decoder) (n int64) {
	for _, p := range nn.Parameters(d) {
		n += int64(p.Bytes())
	}
	return n
}

// model is the size of the folder model, and of the drawn world's models where they are written.
func (m *meter) model(ctx context.Context) (int64, error) {
	t := m.l.first
	d, look, err := m.decoder(ctx, t)
	if err != nil {
		return 0, err
	}
	defer look.release()
	defer d.Release()
	texts := t.texts(t.memoryFor(m.l.set))
	n := weightBytes(d) + int64(len(texts))*int64(4*d.Shape.Features)
	for _, text := range texts {
		n += int64(len(text)) + 1
	}
	for _, f := range []struct{ model, folder string }{{m.w.r.CLIP.Model, m.w.folders.CLIP}, {m.w.r.Synth.Model, m.w.folders.SD}, {m.w.r.Objects.Model, m.w.folders.DETR}} {
		if f.model == World && f.folder != "" {
			n += FolderBytes(f.folder)
		}
	}
	return n, nil
}

// Kinds are the stages added up by kind, in their order.
func (e *Estimate) Kinds() (out []StageEstimate) {
	for _, k := range stageKinds {
		sum, n := StageEstimate{Kind: k.label}, 0
		for _, s := range e.Stages {
			if s.Kind != k.label {
				continue
			}
			sum.Items, sum.Done, sum.Elsewhere, sum.Seconds, sum.Bytes = sum.Items+s.Items, sum.Done+s.Done, sum.Elsewhere+s.Elsewhere, sum.Seconds+s.Seconds, sum.Bytes+s.Bytes
			if s.Seconds > 0 {
				sum.Measured = s.Measured
			}
			n++
		}
		if n > 1 {
			sum.Kind += fmt.Sprintf(" × %d", n)
		}
		if todo := sum.Items - sum.Done - sum.Elsewhere; sum.Seconds > 0 {
			sum.Rate = float64(todo) / sum.Seconds
		}
		if n > 0 {
			out = append(out, sum)
		}
	}
	return out
}
