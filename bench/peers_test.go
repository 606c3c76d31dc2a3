package bench

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/tensor"
)

func TestRows(t *testing.T) {
	for _, row := range Rows() {
		found, err := FindWorkloads(row.Case)
		require.NoError(t, err, row.Title)
		assert.Len(t, found, 1)
		assert.NotEmpty(t, row.Peers, row.Title)
		for _, entry := range slices.Concat(row.Peers, row.More) {
			_, name := row.peerCase(entry)
			found, err := FindWorkloads(name)
			require.NoError(t, err, "%s: %s", row.Title, entry)
			assert.Equal(t, row.Class(), found[0].DType)
		}
	}
	rows, err := FindRows("gemm/77x2048x512", "detr/*/f32")
	require.NoError(t, err)
	assert.Len(t, rows, 3)
	_, err = FindRows("gemm/1x1x1")
	assert.ErrorContains(t, err, "no row")
}

func TestEnginesOfPeers(t *testing.T) {
	s := Setup{Self: "me", Python: "python", Scripts: "there", Threads: 2}
	e := s.engine("faiss-avx512")
	assert.Equal(t, []string{"python", filepath.Join("there", "peer.py"), "faiss-avx512"}, e.Command)
	assert.Contains(t, e.Env, "OPENBLAS_CORETYPE=SkylakeX")
	assert.NotContains(t, e.Env, "OPENBLAS_CORETYPE")
	assert.Contains(t, e.Env, "OMP_NUM_THREADS=2")
	assert.Contains(t, s.engine("faiss").Env, "OPENBLAS_CORETYPE", "taken away: as shipped")
	assert.Equal(t, []string{"me", "bench", "serve"}, s.engine("gonum").Command)
}

// playRow is what this binary does when a row starts it: as `syntic bench serve`, or as peer.py ENGINE, of which one is well, one not installed, one broken.
func playRow() {
	if os.Args[1] == "bench" {
		if err := Serve(os.Stdin, os.Stdout, tensor.CPU()); err != nil {
			os.Exit(1)
		}
		return
	}
	playPeer(map[string]string{"onednn": "good", "openblas-avx512": "missing", "numpy": "dies", "torch": "unknown"}[os.Args[2]])
}

func TestMeasureRow(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	t.Setenv(peerPart, "row")
	rows, err := FindRows("gemm/77x2048x512/f32")
	require.NoError(t, err)
	c := Ceiling{FLOPs: 1e12, Bytes: 1e12}
	records, absent, err := MeasureRow(context.Background(), Setup{Self: self, Python: self, Scripts: "x", Threads: 1}, rows[0], true, Pace{Rounds: 4, Sample: time.Second / 4}, c)
	require.NoError(t, err)
	require.Len(t, records, 2)
	assert.Equal(t, Ours, records[0].Engine)
	assert.Len(t, records[0].Samples, 4)
	assert.InEpsilon(t, 2.0*77*2048*512, records[0].Tally.FLOPs, 1e-12)
	assert.Equal(t, "onednn", records[1].Engine)
	assert.Equal(t, 0.25, records[1].Median)
	assert.Equal(t, 4.0, records[1].PerSecond)
	require.Len(t, absent, 3)
	assert.Equal(t, Absent{"openblas-avx512", "not installed (torch)"}, absent[0])
	assert.Contains(t, absent[1].Why, "MemoryError: too much")
	assert.Contains(t, absent[2].Why, "no such case")

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, _, err = MeasureRow(ctx, Setup{Self: self, Python: self, Scripts: "x", Threads: 1}, rows[0], false, Pace{Rounds: 1}, c)
	assert.Error(t, err)
	_, _, err = MeasureRow(context.Background(), Setup{Self: "/nothing/here", Python: self, Threads: 1}, rows[0], false, Pace{Rounds: 1}, c)
	assert.ErrorContains(t, err, "gemm/77x2048x512/f32")
}

// Rows of one query have reading measured in turns with the engines, others not.
func TestReadingInTurns(t *testing.T) {
	for _, r := range Rows() {
		assert.Equal(t, strings.HasSuffix(r.Title, "one query") || strings.Contains(r.Title, "one query,"), r.readsMemory(), r.Case)
		assert.False(t, r.Share > 0 && !r.readsMemory(), r.Case)
	}
	r, err := newReader()
	require.NoError(t, err)
	defer r.close()
	r.turn(time.Millisecond)
	r.turn(time.Millisecond)
	require.Len(t, r.Seconds, 2)
	for _, s := range r.Seconds {
		assert.Greater(t, s, readBytes/1e13) // ten terabytes a second would not be memory
		assert.Less(t, s, 60.0)
	}
}

func TestStandings(t *testing.T) {
	rec := func(engine, name string, items float64, samples ...float64) Record {
		r := Record{Case: name, Engine: engine, Items: items, Samples: samples, Row: "CLIP image, 32"}
		switch {
		case strings.HasPrefix(name, "clip-text"):
			r.Row = "CLIP text, real captions"
		case strings.HasPrefix(name, "topk"):
			r.Row = "top 64, Q = 256"
		}
		r.rates("model")
		return r
	}
	list := Standings([]Record{
		rec("syntic", "clip-image/b32/f32", 32, 9), rec("syntic", "clip-image/b32/f32", 32, 0.5, 0.5, 0.5), rec("onnxruntime", "clip-image/b32/f32", 32, 1, 1, 1), rec("torch-compile", "clip-image/b32/f32", 32, 0.8, 0.8, 0.8),
		rec("syntic", "clip-image/b32/bf16", 32, 0.25), rec("torch-compile", "clip-image/b32/bf16", 32, 0.2),
		rec("syntic", "clip-text-real/b512/f32", 512, 1), rec("onnxruntime", "clip-text/b64/f32", 64, 1), rec("syntic", "clip-text/b64/f32", 64, 1), rec("syntic", "topk/q256/f32", 256, 1),
	})
	require.Len(t, list, 4)
	assert.Equal(t, "torch-compile", list[0].Peers[0].Engine, "the best first")
	assert.InDelta(t, 1.6, list[0].Peers[0].Ratio, 1e-12)
	assert.InDelta(t, 1.6, list[0].Peers[0].Low, 1e-12)
	assert.True(t, list[0].Met())
	assert.False(t, list[1].Met())
	assert.InDelta(t, 0.8/0.25, list[1].Cross, 1e-12)
	assert.InDelta(t, 8.0, list[2].Peers[0].Ratio, 1e-12, "by items a second")
	assert.InDelta(t, 8.0, list[2].Peers[0].High, 1e-12)
	assert.Empty(t, list[3].Peers)
	assert.False(t, list[3].Met())

	s := Standing{Row: Row{Goal: 2, Grown: 64 << 20}, Ours: &Record{Base: 1 << 20, Peak: 65 << 20, Share: 0.9}, Peers: []Against{{Ratio: 2}}}
	assert.True(t, s.Met())
	assert.Equal(t, "2, ≤ 64 MiB grown", s.Goals())
	s.Ours.Peak++
	assert.False(t, s.Met())
	s = Standing{Row: Row{Share: 0.85}, Ours: s.Ours}
	assert.True(t, s.Met())
	assert.Equal(t, "85 % of limit", s.Goals())
	s.Ours.Share = 0.84
	assert.False(t, s.Met())
	assert.Empty(t, Row{}.Goals())
}

// python runs Python in the folder of the peers; the test is left out where there is none.
func python(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Stdin = "peers", strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.Output()
	require.NoError(t, err)
	return string(out)
}

// TestPeersProtocol speaks with peer.py itself, through a case that its engine does not do, with or without its packages.
func TestPeersProtocol(t *testing.T) {
	out := python(t, `{"do":"run","calls":1,"repeats":1}`+"\n"+`{"do":"load","case":"cider/5000x5/f32"}`+"\nnonsense\n"+`{"do":"free"}`+"\n", "peer.py", "faiss")
	var all []Reply
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
		var r Reply
		require.NoError(t, d.Decode(&r))
		all = append(all, r)
	}
	require.Len(t, all, 4)
	assert.Contains(t, all[0].Error, "load first")
	assert.NotEmpty(t, all[1].Error)
	assert.True(t, all[1].Unknown || all[1].Missing != "", "%+v", all[1])
	assert.NotEmpty(t, all[2].Error)
	assert.Empty(t, all[3].Error)
}

func TestPeersHaveTheSameCaptions(t *testing.T) {
	out := python(t, "", "-c", "import json, metrics_peer as m; print(json.dumps(m.captions(200, 5)))")
	var theirs [2]map[string][]string
	require.NoError(t, json.Unmarshal([]byte(out), &theirs))
	set := captions(200, 5)
	for i := range 200 {
		key := strconv.Itoa(i)
		assert.Equal(t, set.Refs[i], theirs[0][key])
		assert.Equal(t, []string{set.Cands[i]}, theirs[1][key])
	}
}
