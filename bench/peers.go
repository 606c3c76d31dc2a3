package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Row is a line of the table of peers: a case of ours, the engines that it is held against, and what is asked for.
type Row struct {
	Title string
	Case  string   // ours
	Peers []string // engines, in the settings known to be best; "engine@name/shape" where they do another case, compared by items a second
	More  []string // engines that are known to be slower
	Goal  float64  // our rate over the best peer's; 0 for none
	Share float64  // of the ceiling, asked for instead of Goal; 0 for none
	Grown int64    // bytes that the work may take beyond weights and inputs, asked for besides; 0 for any number
}

// Class is the precision class of the row.
func (r Row) Class() kernelsDType { return kernelsDType(r.Case[strings.LastIndexByte(r.Case, '/')+1:]) }

// peerCase splits an entry of Peers into the engine and what it does.
func (r Row) peerCase(entry string) (engine, name string) {
	engine, other, found := strings.Cut(entry, "@")
	if !found {
		return engine, r.Case
	}
	return engine, other + "/" + string(r.Class())
}

// readsMemory says that what limits the row is reading the bank once: the rate of that, which changes within minutes where others share the machine's memory, is then
// measured in turns with the engines.
func (r Row) readsMemory() bool { return strings.Contains(r.Case, "/q1/") }

// row is one that asks for a ratio alone.
func row(title, name string, peers, more []string, goal float64) Row {
	return Row{Title: title, Case: name, Peers: peers, More: more, Goal: goal}
}

// Rows is the table, in the order of its printing.
func Rows() []Row {
	blas, onlyF32 := []string{"onednn", "openblas-avx512", "numpy"}, []string{"torch"}
	rows := []Row{
		row("GEMM large", "gemm/1024x1024x1024/f32", blas, onlyF32, 1),
		row("GEMM CLIP, 32 images", "gemm/1600x3072x768/f32", blas, onlyF32, 1),
		row("GEMM of a convolution 64×64×320", "gemm/4096x320x2880/f32", blas, onlyF32, 1),
		row("GEMM of a convolution 16×16×1280", "gemm/256x1280x11520/f32", blas, onlyF32, 1),
		row("GEMM M = 50", "gemm/50x3072x768/f32", blas, onlyF32, 1.05),
		row("GEMM M = 77", "gemm/77x2048x512/f32", blas, onlyF32, 1.05),
		row("GEMM bf16 large", "gemm/1024x1024x1024/bf16", []string{"onednn"}, onlyF32, 1),
		row("GEMM bf16 CLIP, 32 images", "gemm/1600x3072x768/bf16", []string{"onednn"}, onlyF32, 1),
		row("GEMM bf16 M = 77", "gemm/77x2048x512/bf16", []string{"onednn"}, onlyF32, 1),
		row("GEMM against Go: gonum", "gemm/1600x768x768/f32", []string{"gonum"}, nil, 15),
		row("GEMM against Go: gomlx", "gemm/1600x768x3072/f32", []string{"gomlx"}, nil, 4),
		row("GEMM bf16 against Go: gomlx", "gemm/1600x768x768/bf16", []string{"gomlx"}, nil, 9),
		row("CLIP image, 32", "clip-image/b32/f32", []string{"onnxruntime", "torch-compile"}, []string{"torch", "torch-cl"}, 1.12),
		row("CLIP image, 32", "clip-image/b32/bf16", []string{"torch-compile"}, []string{"torch", "torch-cl"}, 1.15),
		row("CLIP image, 1", "clip-image/b1/f32", []string{"onnxruntime", "torch-compile"}, []string{"torch"}, 1.45),
		row("CLIP image, 1", "clip-image/b1/bf16", []string{"torch-compile"}, []string{"torch"}, 0),
		row("CLIP text, 64 padded", "clip-text/b64/f32", []string{"onnxruntime", "torch-compile"}, []string{"torch"}, 1.35),
		row("CLIP text, 64 padded", "clip-text/b64/bf16", []string{"torch-compile"}, []string{"torch"}, 1.25),
		row("CLIP text, real captions", "clip-text-real/b512/f32", []string{"onnxruntime@clip-text/b64", "torch-compile@clip-text/b64"}, []string{"torch"}, 5),
		row("CLIP text, real captions", "clip-text-real/b512/bf16", []string{"torch-compile@clip-text/b64"}, []string{"torch"}, 5),
		row("SD 1.4 UNet step 512²", "sd-unet/512/f32", []string{"torch-compile"}, []string{"torch", "torch-cl", "onnxruntime"}, 1.75),
		row("SD 1.4 UNet step 512²", "sd-unet/512/bf16", []string{"torch-compile"}, []string{"torch", "torch-cl"}, 1.8),
		row("VAE decode 512²", "sd-vae-decode/512/f32", []string{"torch-cl"}, []string{"torch", "torch-compile", "onnxruntime"}, 1.4),
		row("VAE decode 512²", "sd-vae-decode/512/bf16", []string{"torch-cl"}, []string{"torch", "torch-compile"}, 1.3),
		row("DETR-R50 800×1066", "detr/800x1066/f32", []string{"torch-cl"}, []string{"torch", "torch-compile", "onnxruntime"}, 1.7),
		row("DETR-R50 800×1066", "detr/800x1066/bf16", []string{"torch-cl"}, []string{"torch", "torch-compile"}, 1.3),
		row("decoder training", "decoder-train/b80t40/f32", []string{"torch-compile"}, []string{"torch"}, 2.5),
		row("decoder training", "decoder-train/b80t40/bf16", []string{"torch-compile"}, []string{"torch"}, 1.4),
	}
	for _, a := range []struct {
		title, shape string
		f32, half    float64
	}{{"attention 4096×40", "sd64", 2.2, 3.5}, {"attention 1024×80", "sd32", 2.2, 3.5}, {"attention CLIP", "clip-image", 4, 0}, {"attention to text", "cross64", 4, 0}, {"attention of the decoder", "decoder", 4, 0}} {
		rows = append(rows, row(a.title, "attention/"+a.shape+"/f32", []string{"torch"}, nil, a.f32), row(a.title, "attention/"+a.shape+"/bf16", []string{"torch"}, nil, a.half))
	}
	return append(rows,
		row("attention 4096×40, both ways", "attention-train/sd64/f32", []string{"torch"}, nil, 2),
		row("attention 1024×80, both ways", "attention-train/sd32/f32", []string{"torch"}, nil, 2),
		Row{Title: "InfoNCE N = 8192", Case: "infonce/n8192/f32", Peers: []string{"torch", "torch-chunk"}, More: []string{"torch-compile"}, Goal: 3.5, Grown: 64 << 20},
		row("InfoNCE N = 8192", "infonce/n8192/bf16", []string{"torch"}, []string{"torch-compile"}, 4),
		row("projection, Q = 256", "project/q256/f32", []string{"torch-sdpa", "torch-chunk"}, []string{"torch"}, 2.4),
		row("projection, Q = 256", "project/q256/bf16", []string{"torch-chunk"}, []string{"torch-sdpa"}, 1.7),
		Row{Title: "projection, one query", Case: "project/q1/f32", Peers: []string{"torch-sdpa", "torch-chunk"}, More: []string{"torch"}, Share: 0.85},
		Row{Title: "projection, one query", Case: "project/q1/bf16", Peers: []string{"torch-chunk"}, More: []string{"torch-sdpa"}, Share: 0.85},
		row("top 64, Q = 256", "topk/q256/f32", []string{"faiss-avx512", "faiss"}, []string{"torch", "torch-chunk"}, 1.35),
		row("top 64, one query", "topk/q1/f32", []string{"faiss-avx512", "faiss"}, []string{"torch", "torch-chunk"}, 1.15),
		row("top 64, Q = 256, bf16 scan", "topk-bf16-scan/q256/f32", []string{"faiss-avx512@topk/q256", "faiss@topk/q256"}, nil, 2.9),
		row("top 64, Q = 256, int8 scan", "topk-int8-scan/q256/f32", []string{"faiss-avx512@topk/q256", "faiss@topk/q256"}, nil, 2.9),
		row("top 64, one query, bf16 scan", "topk-bf16-scan/q1/f32", []string{"faiss-avx512@topk/q1", "faiss@topk/q1"}, nil, 2.3),
		row("top 64, one query, int8 scan", "topk-int8-scan/q1/f32", []string{"faiss-avx512@topk/q1", "faiss@topk/q1"}, nil, 3.5),
		row("CIDEr-D 5,000 × 5", "cider/5000x5/f32", []string{"pycocoevalcap"}, nil, 30),
		row("BLEU 5,000 × 5", "bleu/5000x5/f32", []string{"pycocoevalcap"}, nil, 30),
		row("ROUGE-L 5,000 × 5", "rouge/5000x5/f32", []string{"pycocoevalcap"}, nil, 30),
		row("process start to first feature", "start/clip-image/f32", []string{"python+torch"}, nil, 5))
}

// FindRows are the rows whose case a pattern of [FindWorkloads] matches, or all for none.
func FindRows(patterns ...string) ([]Row, error) {
	rows := Rows()
	if len(patterns) == 0 {
		return rows, nil
	}
	for _, p := range patterns {
		if !slices.ContainsFunc(rows, func(r Row) bool { return matches(p, r.Case) }) {
			return nil, fmt.Errorf("no row %q in the table of peers: want a case such as %s or the first parts of one", p, rows[0].Case)
		}
	}
	return slices.DeleteFunc(rows, func(r Row) bool {
		return !slices.ContainsFunc(patterns, func(p string) bool { return matches(p, r.Case) })
	}), nil
}

// Setup is where peers are found.
type Setup struct {
	Self    string // this program
	Python  string
	Scripts string // bench/peers
	Threads int
	Kernels string // SYNTIC_KERNEL of ours
}

// engine is the program for a name of the table.
func (s Setup) engine(name string) Engine {
	n := strconv.Itoa(s.Threads)
	env := []string{"OMP_NUM_THREADS=" + n, "OPENBLAS_NUM_THREADS=" + n, "MKL_NUM_THREADS=" + n, "HF_HUB_OFFLINE=1", "TOKENIZERS_PARALLELISM=false", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "PYTHONPATH"}
	switch name {
	case "gonum":
		return Engine{name, []string{s.Self, "bench", "serve"}, []string{"GOMAXPROCS=" + n, "SYNTIC_KERNEL=gemm=gonum"}}
	case "gomlx":
		return Engine{name, []string{"go", "run", "-C", filepath.Join(s.Scripts, "gomlx"), "."}, []string{"GOMAXPROCS=" + n, "GOEXPERIMENT=simd"}}
	}
	if strings.HasSuffix(name, "-avx512") { // their detection takes some processors that have AVX-512 for older ones
		env = append(slices.DeleteFunc(env, func(v string) bool { return v == "OPENBLAS_CORETYPE" }), "OPENBLAS_CORETYPE=SkylakeX")
	}
	return Engine{name, []string{s.Python, filepath.Join(s.Scripts, "peer.py"), name}, env}
}

// Absent is an engine that gave no result, and why.
type Absent struct{ Engine, Why string }

// MeasureRow measures ours and the peers of a row in turns, each in a process of its own that stays alive: a sample of each in every round, in an order
// that changes from round to round. Peers that cannot are told in absent; ours failing is an error. In the records of a row of one query, the ceiling's rate of reading
// is the median of plain reads that took turns with the engines.
func MeasureRow(ctx context.Context, s Setup, row Row, all bool, pace Pace, c Ceiling) (records []Record, absent []Absent, err error) {
	found, err := FindWorkloads(row.Case)
	if err != nil {
		return nil, nil, err
	}
	type part struct {
		r *Runner
		w Workload
	}
	var parts []part
	defer func() {
		for _, p := range parts {
			p.r.Close()
		}
	}()
	open := func(e Engine, w Workload) error {
		r, err := e.Open(ctx, w.String())
		if err != nil {
			return err
		}
		if err := r.Warm(pace.Sample); err != nil {
			r.Close()
			return err
		}
		parts = append(parts, part{r, w})
		return nil
	}
	if err := open(OurEngine(s.Self, s.Threads, "cpu", row.Class(), s.Kernels), found[0]); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", row.Case, err)
	}
	peers := row.Peers
	if all {
		peers = slices.Concat(peers, row.More)
	}
	for _, entry := range peers {
		engine, name := row.peerCase(entry)
		w, err := FindWorkloads(name)
		if err != nil {
			return nil, nil, err
		}
		if err := open(s.engine(engine), w[0]); err != nil {
			if ctx.Err() != nil {
				return nil, nil, ctx.Err()
			}
			absent = append(absent, Absent{engine, reason(err)})
		}
	}
	runners := make([]*Runner, len(parts))
	for i, p := range parts {
		runners[i] = p.r
	}
	var read *reader
	if row.readsMemory() {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(s.Threads))
		if read, err = newReader(); err != nil {
			return nil, nil, err
		}
		defer read.close()
	}
	for round := range pace.rounds(runners) {
		if read != nil {
			read.turn(pace.Sample)
		}
		for i := range runners {
			if err := ctx.Err(); err != nil {
				return nil, nil, err
			}
			if r := runners[(i+round)%len(runners)]; r != nil {
				if err := r.Turn(); err != nil {
					return nil, nil, fmt.Errorf("%s: %w", row.Case, err)
				}
			}
		}
	}
	if read != nil {
		c.Bytes = readBytes / Summarise(read.Seconds).Median
	}
	for _, p := range parts {
		rec := p.r.record(p.w, s.Threads, c)
		rec.Row = row.Title
		if rec.Engine == Ours {
			if err := p.r.count(&rec, p.w.Kind); err != nil {
				return nil, nil, err
			}
		} else {
			rec.rates(p.w.Kind)
		}
		records = append(records, rec)
	}
	return records, absent, nil
}

// reason is why an engine is absent, in a few words.
func reason(err error) string {
	var answer *PeerError
	if errors.As(err, &answer) && answer.Reply.Missing != "" {
		return "not installed (" + answer.Reply.Missing + ")"
	}
	return err.Error()
}
