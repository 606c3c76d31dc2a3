package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"syntic/syntic/plan"
)

func TestTable(t *testing.T) {
	table := NewTable("row", ">CIDEr-D", "note")
	table.Row("SynTIC", "198.5", "a\nb")
	table.Row("猫 café", 7.25)
	table.Rule()
	table.Row("e\u0301", "–", "end")
	var b bytes.Buffer
	require.NoError(t, table.Write(&b))
	assert.Equal(t, strings.Join([]string{
		"row      CIDEr-D  note",
		"──────────────────────",
		"SynTIC     198.5  a; b",
		"猫 café     7.25",
		"──────────────────────",
		"e\u0301              –  end",
		"",
	}, "\n"), b.String())

	bare := NewTable("", "")
	bare.Row("a", "b")
	b.Reset()
	require.NoError(t, bare.Write(&b))
	assert.Equal(t, "a  b\n", b.String())
	assert.Panics(t, func() { bare.Row(1, 2, 3) })
}

func TestPlainProgress(t *testing.T) {
	var b bytes.Buffer
	now := time.Unix(0, 0)
	p := NewProgress(&b)
	defer p.Close()
	p.now = func() time.Time { return now }

	stage := p.Stage("generate", 4000)
	stage.Add(1000)
	p.report()
	assert.Empty(t, b.String(), "a stage that has just begun says nothing")
	now = now.Add(10 * time.Second)
	p.report()
	assert.Equal(t, "generate: 1000/4000 (25 %), 100.0/s, 30s left\n", b.String())
	b.Reset()
	stage.Add(3000)
	now = now.Add(10 * time.Second)
	stage.Done()
	stage.Done()
	p.report()
	assert.Equal(t, "generate: 4000/4000 (100 %), 200.0/s, 20s spent\n", b.String())

	b.Reset()
	resumed := p.Stage("train", 3000)
	plan.Skip(resumed, 1000)
	now = now.Add(5 * time.Second)
	p.report()
	assert.Equal(t, "train: 1000/3000 (33 %)\n", b.String(), "what an earlier run did says nothing of the rate")
	b.Reset()
	resumed.Add(1000)
	now = now.Add(5 * time.Second)
	p.report()
	assert.Equal(t, "train: 2000/3000 (66 %), 100.0/s, 10s left\n", b.String())
	resumed.Done()

	b.Reset()
	unknown := p.Stage("search", 0)
	unknown.Add(3)
	now = now.Add(time.Second)
	unknown.Done()
	assert.Equal(t, "search: 3, 3.0/s, 1s spent\n", b.String())
	_, err := p.Write([]byte("a log line\n"))
	require.NoError(t, err)
	assert.Contains(t, b.String(), "a log line\n")
}

// TestBarsEnd draws bars where no terminal is: stages that stop early or never end must not hang Close.
func TestBarsEnd(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer null.Close()
	assert.False(t, terminal(null), "a device without a size gets lines")
	p := newProgress(null, true)
	whole, half, open := p.Stage("whole", 3), p.Stage("half", 10), p.Stage("open", 0)
	plan.Skip(whole, 1)
	whole.Add(2)
	whole.Done()
	half.Add(5)
	half.Done()
	half.Done()
	open.Add(1)
	done := make(chan struct{})
	go func() { p.Close(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("Close hangs")
	}
}

func TestQuiet(t *testing.T) {
	bar := plan.OrQuiet(nil).Stage("x", 1)
	bar.Add(1)
	bar.Done()
	p := NewProgress(&bytes.Buffer{})
	defer p.Close()
	assert.Equal(t, plan.Progress(p), plan.OrQuiet(p))
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 10 << 10: "10 KiB", 1<<20 - 1: "1.0 MiB", 23 << 30: "23 GiB", -2048: "-2.0 KiB"} {
		assert.Equal(t, want, Bytes(n))
	}
}
