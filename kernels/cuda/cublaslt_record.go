//go:build cuda

package cuda

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"syntic/kernels"
	"syntic/kernels/cuda/cublaslt"
	"syntic/kernels/cuda/driver"
)

// RecordEnv names the record of products that cuBLASLt was faster at, instead of the file for the device in the user's cache folder.
const RecordEnv = "SYNTIC_CUBLASLT_RECORD"

// ltRecord is a file of JSON lines: a head, then what was measured of each class of products.
type ltRecord struct {
	path string
	head ltHead
	all  []*ltEntry
}

type ltHead struct {
	Device  string `json:"device"`
	Library int    `json:"library"` // its version: another reads the ways otherwise
}

// ltEntry is what was measured of a class of products.
type ltEntry struct {
	Format    string  `json:"format"` // to which operands are rounded
	Weight    string  `json:"weight"` // of B in memory
	Batch     int     `json:"batch"`  // rounded up to a power of two, and so is M
	M         int     `json:"m"`
	N         int     `json:"n"`
	K         int     `json:"k"`
	Trans     string  `json:"trans"`          // of A and B: nn, nt, tn, tt
	One       string  `json:"one,omitempty"`  // which of them, a, b or ab, is one for the whole batch
	Bias      bool    `json:"bias,omitempty"` // is added
	Adds      string  `json:"adds,omitempty"` // residual or out
	Own       string  `json:"own"`            // the fastest of our variants
	OwnMicros float64 `json:"own_us"`
	Micros    float64 `json:"us"`
	Way       string  `json:"way"` // 64 bytes in hexadecimal digits

	shape ltShape
	way   cublaslt.Way
}

// RecordError tells what is wrong in a record.
type RecordError struct {
	Path string
	Line int
	What string
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("%s:%d: %s; correct it, or remove the file and measure anew (syntic bench tune)", e.Path, e.Line, e.What)
}

// BadInput marks it as the caller's.
func (e *RecordError) BadInput() bool { return true }

func recordPath(device string) (string, error) {
	if path := os.Getenv(RecordEnv); path != "" {
		return path, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, strings.ToLower(device))
	return filepath.Join(dir, "syntic", "cublaslt", name+".jsonl"), nil
}

// readRecord reads a record; nil if there is none.
func readRecord(path string) (*ltRecord, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &ltRecord{path: path}
	for i, line := range bytes.Split(bytes.TrimRight(data, "\n"), []byte("\n")) {
		if i == 0 {
			if err = strictly(line, &r.head); err == nil && (r.head.Device == "" || r.head.Library <= 0) {
				err = errors.New(`want {"device": a name, "library": a version} first`)
			}
		} else {
			e := &ltEntry{}
			if err = strictly(line, e); err == nil {
				err = e.check()
			}
			if err == nil && r.find(e.shape) != nil {
				err = errors.New("this class of products is there already")
			}
			r.all = append(r.all, e)
		}
		if err != nil {
			return nil, &RecordError{path, i + 1, err.Error()}
		}
	}
	return r, nil
}

func strictly(line []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return fmt.Errorf("not a line of this record: %w", err)
	}
	if d.More() {
		return errors.New("more than one value in a line")
	}
	return nil
}

// check reads what the words of an entry stand for.
func (e *ltEntry) check() error {
	x := ltShape{batch: e.Batch, m: e.M, n: e.N, k: e.K, bias: e.Bias, residual: e.Adds == "residual", accumulate: e.Adds == "out", oneA: strings.Contains(e.One, "a"), oneB: strings.Contains(e.One, "b")}
	formats := append([]kernels.DType{kernels.F32}, productFormats...)
	named := func(name string) int {
		return slices.IndexFunc(formats, func(f kernels.DType) bool { return f.String() == name })
	}
	format, weight := named(e.Format), named(e.Weight)
	way, err := hex.DecodeString(e.Way)
	switch {
	case format < 0:
		return fmt.Errorf("format %q: want f32, bf16, f16 or tf32", e.Format)
	case weight < 0 || e.Weight == "tf32":
		return fmt.Errorf("weight %q: want f32, bf16 or f16", e.Weight)
	case min(e.N, e.K, e.M, e.Batch) < 1 || e.M != powerOfTwo(e.M) || e.Batch != powerOfTwo(e.Batch):
		return fmt.Errorf("batch %d, m %d, n %d, k %d: want positive numbers, the first two powers of two", e.Batch, e.M, e.N, e.K)
	case !slices.Contains([]string{"nn", "nt", "tn", "tt"}, e.Trans):
		return fmt.Errorf("trans %q: want nn, nt, tn or tt", e.Trans)
	case !slices.Contains([]string{"", "a", "b", "ab"}, e.One):
		return fmt.Errorf("one %q: want a, b, ab or nothing", e.One)
	case !slices.Contains([]string{"", "residual", "out"}, e.Adds):
		return fmt.Errorf("adds %q: want residual, out or nothing", e.Adds)
	case !(e.OwnMicros > 0) || !(e.Micros > 0):
		return fmt.Errorf("own_us %g, us %g: want positive times", e.OwnMicros, e.Micros)
	case err != nil || len(way) != len(e.way):
		return fmt.Errorf("way %q: want %d hexadecimal digits", e.Way, 2*len(e.way))
	}
	x.format, x.weight, x.transA, x.transB = formats[format], formats[weight], e.Trans[0] == 't', e.Trans[1] == 't'
	e.shape, e.way = x, cublaslt.Way(way)
	return nil
}

// entryOf is a measurement of a class.
func entryOf(x ltShape, own string, ownSeconds, seconds float64, way cublaslt.Way) *ltEntry {
	letter := func(t bool, one, other string) string {
		if t {
			return one
		}
		return other
	}
	return &ltEntry{Format: x.format.String(), Weight: x.weight.String(), Batch: x.batch, M: x.m, N: x.n, K: x.k, Trans: letter(x.transA, "t", "n") + letter(x.transB, "t", "n"),
		One: letter(x.oneA, "a", "") + letter(x.oneB, "b", ""), Bias: x.bias, Adds: letter(x.residual, "residual", letter(x.accumulate, "out", "")),
		Own: own, OwnMicros: ownSeconds * 1e6, Micros: seconds * 1e6, Way: hex.EncodeToString(way[:]), shape: x, way: way}
}

// String names a class, such as bf16 1×4096×320×320 nt, B bf16, bias.
func (x ltShape) String() string {
	e := entryOf(x, "", 0, 0, cublaslt.Way{})
	text := fmt.Sprintf("%s %d×%d×%d×%d %s, B %s", e.Format, e.Batch, e.M, e.N, e.K, e.Trans, e.Weight)
	for _, more := range []string{e.One, e.Adds} {
		if more != "" {
			text += ", " + more
		}
	}
	if e.Bias {
		text += ", bias"
	}
	return text
}

func (r *ltRecord) find(class ltShape) *ltEntry {
	for _, e := range r.all {
		if e.shape == class {
			return e
		}
	}
	return nil
}

// write replaces the file as a whole.
func (r *ltRecord) write() error {
	var text bytes.Buffer
	lines := json.NewEncoder(&text)
	if err := lines.Encode(r.head); err != nil {
		return err
	}
	for _, e := range r.all {
		if err := lines.Encode(e); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(r.path), 0o755); err != nil {
		return err
	}
	part := r.path + ".part"
	if err := os.WriteFile(part, text.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Rename(part, r.path)
}

// load reads the record of the devices of this process, which must all be of one kind, if the library is there that it was made with. It says in a line what
// came of it, "" if there is no record.
func (l *ltLibrary) load() (string, error) {
	n, err := driver.Count()
	if err != nil || n == 0 {
		return "", err
	}
	name, err := driver.Name(0)
	if err != nil {
		return "", err
	}
	path, err := recordPath(name)
	if err != nil {
		return "", nil // no cache folder: no record
	}
	r, err := readRecord(path)
	if r == nil || err != nil {
		return "", err
	}
	for i := range n {
		if other, err := driver.Name(i); err != nil || other != r.head.Device {
			return fmt.Sprintf("cuBLASLt not used: its record is of %s, device %d is %s", r.head.Device, i, other), nil
		}
	}
	version, err := cublaslt.Version()
	if err != nil {
		return "cuBLASLt not used: " + err.Error(), nil
	}
	if version != r.head.Library {
		return fmt.Sprintf("cuBLASLt not used: its record was made with version %d, here is %d: measure anew (syntic bench tune)", r.head.Library, version), nil
	}
	faster := 0
	for _, e := range r.all {
		if e.Micros < e.OwnMicros {
			faster++
		}
	}
	l.mu.Lock()
	l.record = r
	l.mu.Unlock()
	l.awake.Store(faster > 0)
	return fmt.Sprintf("cuBLASLt %d for %d of %d recorded products", version, faster, len(r.all)), nil
}
