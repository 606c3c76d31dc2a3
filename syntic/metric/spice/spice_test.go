package spice

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Counts and F of the program for images of coco_val2017_heldout (pycocoevalcap 1.2).
func TestF(t *testing.T) {
	for _, c := range []struct {
		Counts
		f  float64
		ok bool
	}{
		{Counts{1, 2, 19}, 0.08695652173913045, true},
		{Counts{0, 3, 5}, 0, true},
		{Counts{0, 0, 5}, 0, true},
		{Counts{0, 0, 0}, 0, false},
		{Counts{0, 3, 0}, 0, false},
	} {
		f, ok := c.F()
		assert.Equal(t, c.ok, ok, c.Counts)
		assert.Equal(t, c.f, f, c.Counts)
	}
}

// The example of the paper's figure 1 in small: a young girl on a court.
func TestCount(t *testing.T) {
	cand := []Tuple{{"girl"}, {"court"}, {"girl", "young"}, {"girl", "on", "court"}, {"girl"}}
	refs := []Tuple{{"child"}, {"court"}, {"child", "young"}, {"court", "tennis"}, {"child", "on", "court"}, {"court"}}
	assert.Equal(t, Counts{TP: 1, FP: 3, FN: 4}, Count(cand, refs, nil))
	synonym := func(a, b string) bool { return a == "girl" && b == "child" }
	n := Count(cand, refs, synonym)
	assert.Equal(t, Counts{TP: 4, FP: 0, FN: 1}, n)
	f, ok := n.F()
	assert.True(t, ok)
	assert.InDelta(t, 2*1*0.8/1.8, f, 1e-15)
	// one tuple of the references matches one of the caption only, the equal one first
	assert.Equal(t, Counts{TP: 1, FP: 1}, Count([]Tuple{{"girl"}, {"child"}}, []Tuple{{"child"}}, synonym))
	assert.Zero(t, Count(nil, nil, nil))
}

// install makes a folder with a jar and libraries that are none and a java that is a shell script.
func install(t *testing.T, script string) *Program {
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in for java is a shell script")
	}
	dir := t.TempDir()
	lib := filepath.Join(dir, "lib")
	require.NoError(t, os.Mkdir(lib, 0o777))
	for _, name := range []string{filepath.Join(dir, "spice-1.0.jar"), filepath.Join(lib, libraries[0]), filepath.Join(lib, libraries[1])} {
		require.NoError(t, os.WriteFile(name, nil, 0o666))
	}
	java := filepath.Join(dir, "java")
	require.NoError(t, os.WriteFile(java, []byte("#!/bin/sh\n"+script), 0o777))
	return &Program{Jar: dir, Java: java}
}

const modern = "if [ \"$1\" = -version ]; then echo 'openjdk version \"17.0.15\" 2025-04-15' >&2; exit 0; fi\n"

// answer writes what the arguments were and a result in the program's form to the file after -out.
const answer = `echo "$@" > args.txt
cp "$(echo "$@" | sed 's/.*-jar [^ ]* \([^ ]*\).*/\1/')" in.txt
out=$(echo "$@" | sed 's/.*-out \([^ ]*\).*/\1/')
echo '[{"image_id":2,"scores":{"All":{"pr":NaN,"re":NaN,"f":NaN,"tp":0.0,"fp":0.0,"fn":0.0}}},
{"image_id":1,"scores":{"Color":{"f": NaN},"All":{"f":0.08,"tp":1.0,"fp":2.0,"fn":19.0}}}]' > "$out"
`

var two = []Image{{1, "a cat", []string{"a black cat", "cat"}}, {2, "", []string{""}}}

func TestRun(t *testing.T) {
	before, err := filepath.Glob(filepath.Join(os.TempDir(), "syntic-spice-*"))
	require.NoError(t, err)
	p := install(t, modern+answer)
	p.Memory = "3G"
	counts, err := p.Run(context.Background(), two)
	require.NoError(t, err)
	assert.Equal(t, []Counts{{1, 2, 19}, {0, 0, 0}}, counts)
	args, err := os.ReadFile(filepath.Join(p.Jar, "args.txt"))
	require.NoError(t, err)
	assert.Contains(t, string(args), "--add-opens java.base/java.lang=ALL-UNNAMED")
	assert.Contains(t, string(args), "-Xmx3G -jar "+filepath.Join(p.Jar, "spice-1.0.jar"))
	in, err := os.ReadFile(filepath.Join(p.Jar, "in.txt"))
	require.NoError(t, err)
	assert.JSONEq(t, `[{"image_id":1,"test":"a cat","refs":["a black cat","cat"]},{"image_id":2,"test":"","refs":[""]}]`, string(in))
	after, err := filepath.Glob(filepath.Join(os.TempDir(), "syntic-spice-*"))
	require.NoError(t, err)
	assert.LessOrEqual(t, len(after), len(before), "the cache is cleaned")
}

func TestOldJavaTakesNoOpens(t *testing.T) {
	p := install(t, "if [ \"$1\" = -version ]; then echo 'java version \"1.8.0_292\"' >&2; exit 0; fi\n"+answer)
	_, err := p.Run(context.Background(), two)
	require.NoError(t, err)
	args, err := os.ReadFile(filepath.Join(p.Jar, "args.txt"))
	require.NoError(t, err)
	assert.NotContains(t, string(args), "--add-opens")
	assert.Contains(t, string(args), "-Xmx8G")
}

func TestRunFails(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"crash":     {modern + "echo 'Exception in thread main: no models' >&2; echo '	at a.b.C(C.java:1)' >&2; exit 1", "exit status 1: Exception in thread main: no models"},
		"memory":    {modern + "echo 'java.lang.OutOfMemoryError: Java heap space' >&2; exit 1", "more than 8G"},
		"silent":    {modern + "exit 0", "without a result"},
		"unknown":   {"echo what; exit 0", "want version"},
		"no images": {modern + `echo '[]' > "$(echo "$@" | sed 's/.*-out \([^ ]*\).*/\1/')"`, "nothing for image 1 of 2"},
		"no counts": {modern + `echo '[{"image_id":1,"scores":{}}]' > "$(echo "$@" | sed 's/.*-out \([^ ]*\).*/\1/')"`, "no counts"},
		"no JSON":   {modern + `echo 'x' > "$(echo "$@" | sed 's/.*-out \([^ ]*\).*/\1/')"`, "SPICE's result"},
	} {
		_, err := install(t, c.script).Run(context.Background(), two)
		assert.ErrorContains(t, err, c.want, name)
	}
}

func TestRunTakesTooLong(t *testing.T) {
	p := install(t, modern+"exec sleep 60")
	p.Timeout = 3 * time.Second
	began := time.Now()
	_, err := p.Run(context.Background(), two)
	assert.ErrorContains(t, err, "not done after 3s")
	assert.Less(t, time.Since(began), 40*time.Second)
}

func TestAbsent(t *testing.T) {
	p := install(t, modern)
	p.Java = filepath.Join(p.Jar, "nojava")
	_, err := p.Run(context.Background(), two)
	assert.ErrorContains(t, err, "there is no java")
	require.NoError(t, os.Remove(filepath.Join(p.Jar, "lib", libraries[1])))
	_, err = p.Run(context.Background(), two)
	assert.ErrorContains(t, err, "3.6.0-models.jar")
	_, err = (&Program{Jar: filepath.Join(p.Jar, "none")}).Run(context.Background(), two)
	assert.ErrorContains(t, err, "none: no such file or directory: want spice-1.0.jar and, in lib beside it, ")
}
