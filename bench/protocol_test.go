package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/tensor"
)

func TestServe(t *testing.T) {
	var out bytes.Buffer
	in := strings.Join([]string{`{"do":"run","calls":1,"repeats":1}`, `{"do":"load","case":"gemm/77x512x512/f32"}`, `{"do":"run","calls":2,"repeats":3}`, `{"do":"count"}`,
		`{"do":"run","calls":0,"repeats":3}`, `{"do":"load","case":"nothing"}`, `{"do":"dance"}`, `{`, `{"do":"load","case":"gemm/77x512x512/f32"}`, `{"do":"free"}`, `{"do":"count"}`}, "\n")
	require.NoError(t, Serve(strings.NewReader(in), &out, tensor.CPU()))
	var all []Reply
	for d := json.NewDecoder(&out); d.More(); {
		var r Reply
		require.NoError(t, d.Decode(&r))
		all = append(all, r)
	}
	require.Len(t, all, 11)
	assert.Contains(t, all[0].Error, "want load first")
	assert.Empty(t, all[1].Error)
	assert.Len(t, all[2].Seconds, 3)
	assert.InEpsilon(t, 2.0*77*512*512, all[3].Tally.FLOPs, 1e-12)
	assert.Contains(t, all[4].Error, "0 calls")
	assert.True(t, all[5].Unknown)
	assert.Contains(t, all[6].Error, "want load first", "the failed load left no case")
	assert.NotEmpty(t, all[7].Error)
	assert.Empty(t, all[8].Error)
	assert.Empty(t, all[9].Error)
	assert.Contains(t, all[10].Error, "want load first")
}

// peerPart is the variable by which a test starts this binary as a peer.
const peerPart = "SYNTIC_TEST_PEER"

func TestMain(m *testing.M) {
	switch part := os.Getenv(peerPart); part {
	case "":
	case "row":
		playRow()
		return
	default:
		playPeer(part)
		return
	}
	os.Exit(m.Run())
}

// playPeer answers as a peer would: part is what it is like.
func playPeer(part string) {
	requests := json.NewDecoder(os.Stdin)
	for {
		var q Request
		if requests.Decode(&q) != nil {
			return
		}
		switch {
		case q.Do == "load" && part == "missing":
			fmt.Println(`{"error": "torch is not installed", "missing": "torch"}`)
		case q.Do == "load" && part == "unknown":
			fmt.Println(`{"error": "no such case", "unknown": true}`)
		case q.Do == "load" && part == "dies":
			fmt.Fprintln(os.Stderr, "Traceback:\nMemoryError: too much")
			os.Exit(1)
		case q.Do == "load":
			fmt.Println("a library's greeting")
			fmt.Printf(`{"version": "1.2", "note": "%s"}`+"\n", os.Getenv("NOTE"))
		case part == "short":
			fmt.Println(`{"seconds": []}`)
		case part == "zero":
			fmt.Println(`{"seconds": [0]}`)
		case q.Do == "run":
			seconds := make([]float64, q.Repeats)
			for i := range seconds {
				seconds[i] = 0.25
			}
			json.NewEncoder(os.Stdout).Encode(Reply{Seconds: seconds})
		default:
			fmt.Println(`{}`)
		}
	}
}

// fakePeer is an engine played by this binary.
func fakePeer(t *testing.T, name, part string) Engine {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	return Engine{Name: name, Command: []string{self}, Env: []string{peerPart + "=" + part, "NOTE=hello", "SYNTIC_KERNEL"}}
}

func TestPeersAnswer(t *testing.T) {
	r, err := fakePeer(t, "fake", "good").Open(context.Background(), "gemm/1x1x1/f32")
	require.NoError(t, err)
	defer r.Close()
	assert.Equal(t, "1.2", r.load.Version)
	assert.Equal(t, "hello", r.load.Note)
	require.NoError(t, r.Warm(time.Second))
	assert.Equal(t, 4, r.Calls, "a second of calls of 0.25 s")
	require.NoError(t, r.Round())
	assert.Equal(t, []float64{0.25}, r.Samples)
	assert.Equal(t, 7, Pace{Time: 7 * time.Second, Rounds: 3}.rounds([]*Runner{r}))
	assert.Equal(t, 5, Pace{Time: 5 * time.Second / 2, Rounds: 5}.rounds([]*Runner{r, r}), "a round takes 2 s, five of them no more than four times 2.5 s")
	assert.Equal(t, 3, Pace{Time: 2 * time.Second, Rounds: 5}.rounds([]*Runner{r, r}))
	assert.Equal(t, 2, Pace{Time: time.Second / 2, Rounds: 2}.rounds([]*Runner{r, r}))
	assert.Equal(t, 5, Pace{Rounds: 5}.rounds([]*Runner{r}))
}

func TestPeersThatFail(t *testing.T) {
	for part, want := range map[string]string{"missing": "torch is not installed", "unknown": "no such case", "dies": "MemoryError: too much", "short": "0 samples of 1", "zero": "time of 0 s"} {
		r, err := fakePeer(t, "fake", part).Open(context.Background(), "x")
		if err == nil {
			err = r.Warm(0)
			r.Close()
		}
		assert.ErrorContains(t, err, want, part)
	}
	_, err := Engine{Name: "none", Command: []string{"/nothing/here"}}.Open(context.Background(), "x")
	assert.ErrorContains(t, err, "none")
}

func TestEnvironment(t *testing.T) {
	assert.Equal(t, []string{"B=2", "A=3", "D=4"}, environment([]string{"A=1", "B=2", "C=3"}, []string{"A=3", "C", "D=4"}))
	assert.Contains(t, OurEngine("x", 2, "cpu", InBF16, "gemm=bf16_go").Env, "SYNTIC_KERNEL=*=bf16,gemm=bf16_go")
	assert.Equal(t, []string{"GOMAXPROCS=1"}, OurEngine("x", 1, "cpu", InF32, "").Env)
}
