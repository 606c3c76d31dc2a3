package spice

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Program is the user's own SPICE.
type Program struct {
	Jar     string        // spice-1.0.jar, or the folder that holds it with lib beside it
	Java    string        // the java command; "" is java on the PATH
	Memory  string        // heap, as java's -Xmx takes it; "" is 8G, as pycocoevalcap gives
	Timeout time.Duration // of the whole run; 0 is none
	// Progress, if not nil, is told every few seconds how long the program has run.
	Progress func(time.Duration)
}

// Image is what one image gives the program: tokenised captions, as pycocoevalcap gives them.
type Image struct {
	ID   int      `json:"image_id"`
	Test string   `json:"test"`
	Refs []string `json:"refs"`
}

// libraries must lie in lib beside the jar; pycocoevalcap ships SPICE without them and fetches them at its first run.
var libraries = []string{"stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar"}

// find gives the paths of java and of the jar, or says what is absent.
func (p *Program) find() (java, jar string, err error) {
	jar = p.Jar
	if info, err := os.Stat(jar); err == nil && info.IsDir() {
		jar = filepath.Join(jar, "spice-1.0.jar")
	}
	if jar, err = filepath.Abs(jar); err != nil {
		return "", "", err
	}
	for _, path := range append([]string{""}, libraries...) {
		file := jar
		if path != "" {
			file = filepath.Join(filepath.Dir(jar), "lib", path)
		}
		if _, err := os.Stat(file); err != nil {
			var at *fs.PathError
			if errors.As(err, &at) {
				err = at.Err
			}
			return "", "", fmt.Errorf("SPICE is its authors' program, which is not part of this one: %s: %w: want spice-1.0.jar and, in lib beside it, %s, or leave SPICE out", file, err,
				strings.Join(libraries, " and "))
		}
	}
	java = p.Java
	if java == "" {
		java = "java"
	}
	if java, err = exec.LookPath(java); err != nil {
		return "", "", fmt.Errorf("SPICE runs as a Java program, and there is no java: %w: install a Java runtime (8 or later) or leave SPICE out", err)
	}
	return java, jar, nil
}

var javaVersion = regexp.MustCompile(`version "(\d+)(?:\.(\d+))?`)

// flags are what this Java needs. From Java 9 on packages are closed to the reflection that SPICE's libraries (LMDB, FST) use.
func flags(ctx context.Context, java string) ([]string, error) {
	text, err := exec.CommandContext(ctx, java, "-version").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("SPICE: %s -version: %w: %s", java, err, tail(text))
	}
	m := javaVersion.FindSubmatch(text)
	if m == nil {
		return nil, fmt.Errorf("SPICE: %s -version says %q: want version \"8\" or later", java, tail(text))
	}
	if major, _ := strconv.Atoi(string(m[1])); major < 9 { // 1.8 is Java 8
		return nil, nil
	}
	var out []string
	for _, p := range []string{"java.lang", "java.lang.reflect", "java.math", "java.net", "java.nio", "java.text", "java.util", "java.util.concurrent", "sun.nio.ch"} {
		out = append(out, "--add-opens", "java.base/"+p+"=ALL-UNNAMED")
	}
	return out, nil
}

// Run gives the counts of all tuples of each image [N]. Input, output and the program's cache lie in a temporary folder that is
// removed at the end. It returns an error if Java, the jar or a library is absent, the program fails, takes longer than the
// timeout, or gives other images than it was asked for.
func (p *Program) Run(ctx context.Context, images []Image) ([]Counts, error) {
	java, jar, err := p.find()
	if err != nil {
		return nil, err
	}
	if p.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, p.Timeout, fmt.Errorf("SPICE: not done after %v: give it more time, or fewer images", p.Timeout))
		defer cancel()
	}
	args, err := flags(ctx, java)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "syntic-spice-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	input, err := json.Marshal(images)
	if err != nil {
		return nil, err
	}
	in, out, cache := filepath.Join(dir, "in.json"), filepath.Join(dir, "out.json"), filepath.Join(dir, "cache")
	if err := errors.Join(os.WriteFile(in, input, 0o600), os.Mkdir(cache, 0o700)); err != nil {
		return nil, err
	}
	memory := p.Memory
	if memory == "" {
		memory = "8G"
	}
	args = append(args, "-Xmx"+memory, "-jar", jar, in, "-cache", cache, "-out", out, "-subset", "-silent")
	if err := p.wait(ctx, java, args, filepath.Dir(jar)); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(out)
	if err != nil {
		return nil, fmt.Errorf("SPICE ended without a result: %w", err)
	}
	return parse(text, images)
}

func (p *Program) wait(ctx context.Context, java string, args []string, dir string) error {
	cmd := exec.CommandContext(ctx, java, args...)
	var said bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = dir, &said, &said, 5*time.Second
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("SPICE: %w", err)
	}
	began, ended := time.Now(), make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if p.Progress != nil {
				p.Progress(time.Since(began))
			}
		case err := <-ended:
			switch {
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case err != nil && strings.Contains(said.String(), "OutOfMemoryError"):
				return fmt.Errorf("SPICE ran out of its memory: give it more than %s", memoryOf(args))
			case err != nil:
				return fmt.Errorf("SPICE: %s: %w: %s", filepath.Base(java), err, complaint(said.Bytes()))
			}
			return nil
		}
	}
}

func memoryOf(args []string) string {
	for _, a := range args {
		if m, ok := strings.CutPrefix(a, "-Xmx"); ok {
			return m
		}
	}
	return ""
}

// complaint gives the lines in which a Java program says why it ended, without the stack, or else the end of what it said.
func complaint(text []byte) string {
	var lines []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "at ") && (strings.Contains(line, "Exception") || strings.Contains(line, "Error")) {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return tail(text)
	}
	return tail([]byte(strings.Join(lines[:min(3, len(lines))], "; ")))
}

// tail gives the end of what a program said, on one line.
func tail(text []byte) string {
	s := strings.Join(strings.Fields(string(text)), " ")
	if len(s) > 300 {
		s = "… " + strings.ToValidUTF8(s[len(s)-300:], "")
	}
	return s
}

// notANumber is how the program writes undefined scores, which is no JSON.
var notANumber = regexp.MustCompile(`:\s*NaN`)

// parse reads the program's result, a list of {"image_id", "scores": {"All": {"tp", "fp", "fn", …}, …}} in any order.
func parse(text []byte, images []Image) ([]Counts, error) {
	var rows []struct {
		ID     int `json:"image_id"`
		Scores map[string]struct{ TP, FP, FN *float64 }
	}
	if err := json.Unmarshal(notANumber.ReplaceAll(text, []byte(":null")), &rows); err != nil {
		return nil, fmt.Errorf("SPICE's result: %w", err)
	}
	counts := make(map[int]Counts, len(rows))
	for _, r := range rows {
		all, ok := r.Scores["All"]
		if !ok || all.TP == nil || all.FP == nil || all.FN == nil || *all.TP < 0 || *all.TP != math.Trunc(*all.TP) {
			return nil, fmt.Errorf(`SPICE's result: image %d: no counts "tp", "fp" and "fn" under "All"`, r.ID)
		}
		counts[r.ID] = Counts{int(*all.TP), int(*all.FP), int(*all.FN)}
	}
	out := make([]Counts, len(images))
	for i, im := range images {
		c, ok := counts[im.ID]
		if !ok {
			return nil, fmt.Errorf("SPICE's result: nothing for image %d of %d", i+1, len(images))
		}
		out[i] = c
	}
	return out, nil
}
