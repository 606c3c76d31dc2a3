package plan

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Record says that a shard is done and what it is.
type Record struct {
	Plan    string  `json:"plan"` // id of the stage's plan
	Shard   int     `json:"shard"`
	First   int     `json:"first"`
	Count   int     `json:"count"`
	SHA256  string  `json:"sha256"` // of the data
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"` // that making it took
	Host    string  `json:"host,omitempty"`
	Key     string  `json:"key,omitempty"` // of what the shard is made of, whatever the plan (Stage.Piece)
}

// failpoint is called at the named points of a commit; tests replace it to end the process there or to fill the disk.
var failpoint = func(string) error { return nil }

func (s *planned) data(i int) string   { return filepath.Join(s.dir, fmt.Sprintf("%05d.bin", i)) }
func (s *planned) record(i int) string { return filepath.Join(s.dir, fmt.Sprintf("%05d.json", i)) }

// writePlan makes the stage's folder and puts its plan there.
func (s *planned) writePlan() error {
	if err := errors.Join(os.MkdirAll(s.dir, 0o777), syncDir(filepath.Dir(s.dir))); err != nil {
		return err
	}
	_, err := publish(filepath.Join(s.dir, "plan.json"), "plan", func(w io.Writer) error {
		_, err := w.Write(s.text)
		return err
	})
	return err
}

// commit makes shard i by fill, publishes it and its record.
func (s *planned) commit(mu *sync.Mutex, shard Shard, fill func(io.Writer) error) error {
	began := time.Now()
	sum, err := publish(s.data(shard.Index), "data", fill)
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	text, err := json.MarshalIndent(Record{s.id, shard.Index, shard.First, shard.Count, sum.hash, sum.bytes, time.Since(began).Seconds(), host, s.key(shard.Index)}, "", "  ")
	if err != nil {
		return err
	}
	path := s.record(shard.Index)
	_, err = publish(path, "record", func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
	var conflict *ConflictError
	if errors.As(err, &conflict) { // another worker's record, with its own seconds: the data is what must agree
		os.Remove(conflict.Kept)
		if other, readErr := s.read(shard.Index); readErr == nil && other.SHA256 == sum.hash {
			err = nil
		}
	}
	if err == nil {
		mu.Lock()
		s.seen[shard.Index] = true
		mu.Unlock()
	}
	return err
}

type checksum struct {
	hash  string
	bytes int64
}

// publish writes a file that is complete or absent and never replaces one: temporary file, fsync, link, fsync of the
// folder. If path exists, equal bytes are fine and different ones a *ConflictError, which keeps the new bytes.
func publish(path, what string, fill func(io.Writer) error) (checksum, error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp-*")
	if err != nil {
		return checksum{}, err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if err := failpoint(what + "-opened"); err != nil {
		return checksum{}, err
	}
	out := &sumWriter{file: bufio.NewWriterSize(tmp, 1<<16), sum: sha256.New()}
	if err := fill(out); err != nil {
		return checksum{}, errors.Join(out.err, err)
	}
	if err := errors.Join(out.err, out.file.Flush(), failpoint(what+"-written"), tmp.Chmod(0o644), tmp.Sync(), tmp.Close(), failpoint(what+"-synced")); err != nil {
		return checksum{}, err
	}
	mine := checksum{hex.EncodeToString(out.sum.Sum(nil)), out.n}
	switch err := os.Link(tmp.Name(), path); {
	case errors.Is(err, fs.ErrExist):
		return mine, compare(path, tmp.Name(), mine)
	case err != nil:
		// A file system without hard links: nobody else writes here while the folder is locked, so look and rename.
		if _, statErr := os.Lstat(path); statErr == nil {
			return mine, compare(path, tmp.Name(), mine)
		}
		if err := os.Rename(tmp.Name(), path); err != nil {
			return checksum{}, err
		}
	}
	if err := failpoint(what + "-published"); err != nil {
		return checksum{}, err
	}
	return mine, errors.Join(syncDir(filepath.Dir(path)), failpoint(what+"-durable"))
}

// compare holds the published file at path against the new one at tmp.
func compare(path, tmp string, mine checksum) error {
	theirs, err := sumFile(path)
	if err != nil || theirs == mine {
		return err
	}
	kept := fmt.Sprintf("%s.conflict-%.12s", path, mine.hash)
	if err := os.Rename(tmp, kept); err != nil {
		return err
	}
	return &ConflictError{path, kept, theirs.hash, mine.hash}
}

// sumWriter hashes and counts what passes, and remembers the first error even if the caller loses it.
type sumWriter struct {
	file *bufio.Writer
	sum  interface {
		io.Writer
		Sum([]byte) []byte
	}
	n   int64
	err error
}

func (w *sumWriter) Write(data []byte) (int, error) {
	n, err := w.file.Write(data)
	w.sum.Write(data[:n])
	w.n += int64(n)
	if w.err == nil {
		w.err = err
	}
	return n, err
}

func sumFile(path string) (checksum, error) {
	f, err := os.Open(path)
	if err != nil {
		return checksum{}, err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	return checksum{hex.EncodeToString(sum.Sum(nil)), n}, err
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// read returns the record of shard i. It is fs.ErrNotExist if there is none.
func (s *planned) read(i int) (Record, error) {
	text, err := os.ReadFile(s.record(i))
	if err != nil {
		return Record{}, err
	}
	var r Record
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	want := s.Shard(i)
	if err := decoder.Decode(&r); err != nil {
		return r, &DamagedError{s.record(i), err.Error()}
	}
	if r.Plan != s.id || (Shard{r.Shard, r.First, r.Count}) != want {
		return r, &DamagedError{s.record(i), "it belongs to another plan or shard"}
	}
	return r, nil
}

// done tells whether shard i is done, by its record and the size of its data. What disagrees is removed, record first,
// so that the shard is made again.
func (s *planned) done(i int) (Record, bool, error) {
	r, err := s.read(i)
	var damaged *DamagedError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r, false, nil
	case errors.As(err, &damaged):
		return r, false, s.discard(i)
	case err != nil:
		return r, false, err
	}
	info, err := os.Stat(s.data(i))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, false, err
	}
	if err != nil || info.Size() != r.Bytes {
		return r, false, s.discard(i)
	}
	return r, true, nil
}

// discard removes shard i, its record first: a shard without record is not done.
func (s *planned) discard(i int) error {
	for _, path := range []string{s.record(i), s.data(i)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := syncDir(s.dir); err != nil {
			return err
		}
	}
	delete(s.seen, i)
	return nil
}

// Read returns the bytes of a finished shard. The first time in this process it checks their hash; if they disagree with
// the record the shard is removed and the error is a *DamagedError.
func (p *Pipeline) Read(stage string, shard int) ([]byte, error) {
	s := p.stage(stage)
	r, err := s.read(shard)
	if err != nil {
		return nil, fmt.Errorf("stage %s, shard %d: %w", stage, shard, err)
	}
	data, err := os.ReadFile(s.data(shard))
	if err != nil {
		return nil, fmt.Errorf("stage %s, shard %d: %w", stage, shard, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.seen[shard] && int64(len(data)) == r.Bytes {
		return data, nil
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != r.SHA256 {
		what := fmt.Sprintf("%d bytes, sha256 %.12x, recorded %d, %.12s", len(data), sum, r.Bytes, r.SHA256)
		return nil, errors.Join(&DamagedError{s.data(shard), what}, s.discard(shard))
	}
	s.seen[shard] = true
	return data, nil
}
