package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"sync"
)

// key names what shard i is made of, whatever plan it belongs to; "" of stages that do not tell (Stage.Piece).
func (s *planned) key(i int) string {
	if s.Piece == nil {
		return ""
	}
	shard := s.Shard(i)
	inputs := maps.Clone(s.Inputs)
	maps.Copy(inputs, s.Piece(shard))
	text, err := json.Marshal(planFile{format, s.Name, s.Version, nil, inputs, s.Config, s.SeedRule, shard.Count, shard.First})
	if err != nil {
		return "" // New would have said so
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// found is a finished shard in another folder of stages.
type found struct {
	data   string
	record Record
}

// finished reads the record of shard i from a stage's folder and tells whether the data beside it has the size it says. It changes nothing.
func finished(dir string, i int) (found, bool) {
	at := planned{dir: dir}
	text, err := os.ReadFile(at.record(i))
	if err != nil {
		return found{}, false
	}
	f := found{data: at.data(i)}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if d.Decode(&f.record) != nil {
		return found{}, false
	}
	info, err := os.Stat(f.data)
	return f, err == nil && info.Mode().IsRegular() && info.Size() == f.record.Bytes
}

// elsewhere looks for shard i in other folders of stages: first that of the same plan, then one of any plan that was made of the same things.
func (s *planned) elsewhere(i int, from []string) (found, bool) {
	want := s.Shard(i)
	fits := func(f found) bool { return (Shard{f.record.Shard, f.record.First, f.record.Count}) == want }
	for _, dir := range from {
		if f, ok := finished(filepath.Join(dir, filepath.Base(s.dir)), i); ok && f.record.Plan == s.id && fits(f) {
			return f, true
		}
	}
	key := s.key(i)
	if key == "" {
		return found{}, false
	}
	for _, dir := range append([]string{filepath.Dir(s.dir)}, from...) { // another plan of this run's own folder as well
		others, err := filepath.Glob(filepath.Join(escape(dir), escape(s.Name)+"-*"))
		if err != nil {
			continue
		}
		for _, other := range others {
			if f, ok := finished(other, i); ok && f.record.Key == key && fits(f) && stageFolder(filepath.Base(other)) {
				return f, true
			}
		}
	}
	return found{}, false
}

// adopt takes shard i from another folder, by a hard link, or by a copy where there can be none; and tells whether there was one. A shard whose bytes
// are not those of its record is left alone.
func (s *planned) adopt(mu *sync.Mutex, i int, from []string) (bool, error) {
	f, ok := s.elsewhere(i, from)
	if !ok {
		return false, nil
	}
	if sum, err := sumFile(f.data); err != nil || sum.hash != f.record.SHA256 {
		return false, nil
	}
	if err := os.Link(f.data, s.data(i)); err != nil {
		in, err := os.Open(f.data)
		if err != nil {
			return false, nil // gone meanwhile: it is made
		}
		defer in.Close()
		if _, err := publish(s.data(i), "data", func(w io.Writer) error { _, err := io.Copy(w, in); return err }); err != nil {
			var conflict *ConflictError
			if errors.As(err, &conflict) { // data without a record, of a killed run: made again
				return false, errors.Join(os.Remove(conflict.Kept), s.forget(mu, i))
			}
			return false, err
		}
	}
	r := f.record
	r.Plan, r.Key = s.id, s.key(i)
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return false, err
	}
	_, err = publish(s.record(i), "record", func(w io.Writer) error { _, err := w.Write(append(text, '\n')); return err })
	if err != nil {
		return false, err
	}
	mu.Lock()
	s.seen[i] = true
	mu.Unlock()
	return true, nil
}

func (s *planned) forget(mu *sync.Mutex, i int) error {
	mu.Lock()
	defer mu.Unlock()
	return s.discard(i)
}

// Status is how far a stage is.
type Status struct {
	Stage     *Stage
	Done      int     // items that lie in this folder
	Elsewhere int     // items that another folder has, and that need not be made
	Bytes     int64   // of both
	Rate      float64 // items a second, of the shards that are done here or elsewhere; 0: none is
}

// Status tells, without touching a file, which stages are done here, and which may be taken from other folders of stages. made, unless nil, names shards
// that runs before this one will have made by then: they count as elsewhere, and this run's own are added to it.
func (p *Pipeline) Status(from []string, made map[string]bool) []Status {
	out := make([]Status, len(p.stages))
	for k, s := range p.stages {
		out[k].Stage = &s.Stage
		items, seconds := 0, 0.0
		for i := range s.Shards() {
			f, here := finished(s.dir, i)
			if here = here && f.record.Plan == s.id; here {
				out[k].Done += s.Shard(i).Count
			} else if other, ok := s.elsewhere(i, from); ok {
				f, out[k].Elsewhere = other, out[k].Elsewhere+s.Shard(i).Count
			} else if name := s.made(i); made[name] {
				out[k].Elsewhere += s.Shard(i).Count
				continue
			} else {
				if made != nil {
					made[name] = true
				}
				continue
			}
			out[k].Bytes += f.record.Bytes
			items, seconds = items+f.record.Count, seconds+f.record.Seconds
		}
		if seconds > 0 {
			out[k].Rate = float64(items) / seconds
		}
	}
	return out
}

// made names shard i by what it is made of, and by its plan where that is not told.
func (s *planned) made(i int) string {
	if key := s.key(i); key != "" {
		return key
	}
	return fmt.Sprintf("%s %d", s.id, i)
}
