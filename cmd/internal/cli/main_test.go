package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type badFile struct{}

func (badFile) Error() string  { return "photo.jpg: not an image" }
func (badFile) BadInput() bool { return true }

// testRoot is a tree with one verb for each way to end.
func testRoot() *cobra.Command {
	root := &cobra.Command{Use: "syntic", Version: "v1"}
	(&Globals{UseKernel: func(op, variant string) error {
		if op != "attention" {
			return fmt.Errorf("no op %q", op)
		}
		return nil
	}}).Register(root)
	verb := func(use string, run func() error) *cobra.Command {
		return &cobra.Command{Use: use, Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return run() }}
	}
	need := verb("need", func() error { return nil })
	need.Flags().String("refs", "", "a file")
	_ = need.MarkFlagRequired("refs")
	group := &cobra.Command{Use: "world", Short: "group"}
	group.AddCommand(verb("train", func() error { return nil }))
	wait := &cobra.Command{Use: "wait", Annotations: Resumable, RunE: func(cmd *cobra.Command, _ []string) error {
		fmt.Fprintln(cmd.OutOrStdout(), "ready")
		<-cmd.Context().Done()
		return fmt.Errorf("generate: %w", cmd.Context().Err())
	}}
	hang := verb("hang", func() error {
		fmt.Println("ready")
		select {}
	})
	root.AddCommand(verb("ok", func() error { return nil }), verb("fail", func() error { return errors.New("the disk\n\tis gone") }),
		verb("bad", func() error { return fmt.Errorf("caption: %w", BadInput(errors.New("empty file"))) }),
		verb("lib", func() error { return fmt.Errorf("caption: %w", badFile{}) }), need, group, wait, hang)
	return root
}

func TestExitCodesAndMessages(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		want string // of stderr
	}{
		{"ok", 0, ""},
		{"fail", 1, "syntic: the disk; is gone\n"},
		{"bad", 3, "syntic: caption: empty file\n"},
		{"lib", 3, "syntic: caption: photo.jpg: not an image\n"},
		{"ok --nonsense", 2, "syntic: unknown flag: --nonsense; see syntic ok --help\n"},
		{"ok extra", 2, "syntic: unknown command \"extra\" for \"syntic ok\"; see syntic ok --help\n"},
		{"need", 2, "syntic: required flag(s) \"refs\" not set; see syntic need --help\n"},
		{"fial", 2, "syntic: unknown command \"fial\", did you mean fail?; see syntic --help\n"},
		{"world trian", 2, "syntic: unknown command \"trian\", did you mean train?; see syntic world --help\n"},
		{"ok --device gpu", 2, "syntic: --device \"gpu\": want auto, cpu, cuda or cuda:N\n"},
		{"ok --device cuda:1", 0, ""},
		{"ok --threads -1", 2, "syntic: --threads -1: want 0 (all) or a positive number\n"},
		{"ok --kernel attention", 2, "syntic: --kernel \"attention\": want op=variant, such as attention=naive\n"},
		{"ok --kernel gemm=x", 2, "syntic: no op \"gemm\"\n"},
	} {
		var out, errs bytes.Buffer
		assert.Equal(t, c.code, Main(testRoot(), strings.Fields(c.args), &out, &errs), c.args)
		assert.Equal(t, c.want, errs.String(), c.args)
		assert.Empty(t, out.String(), c.args)
	}
	for _, args := range []string{"", "world", "ok --help", "--version"} {
		var out, errs bytes.Buffer
		assert.Equal(t, 0, Main(testRoot(), strings.Fields(args), &out, &errs), args)
		assert.NotEmpty(t, out.String(), args)
		assert.Empty(t, errs.String(), args)
	}
}

func TestGlobalsTakeEffect(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	t.Setenv(KernelEnv, "gemm=tiled")
	assert.Equal(t, 0, Main(testRoot(), strings.Fields("ok --threads 3 --kernel attention=naive"), os.Stdout, os.Stderr))
	assert.Equal(t, 3, runtime.GOMAXPROCS(0))
	assert.Equal(t, "gemm=tiled,attention=naive", os.Getenv(KernelEnv))
}

// TestMain lets the test binary play the command, so that signals hit a process of their own.
func TestMain(m *testing.M) {
	if args := os.Getenv("CLI_TEST_ARGS"); args != "" {
		os.Exit(Main(testRoot(), strings.Fields(args), os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func startChild(t *testing.T, args string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CLI_TEST_ARGS="+args)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = out.Read(make([]byte, 6)) // "ready"
	require.NoError(t, err)
	return cmd, &errs
}

func TestFirstSignalStopsCleanly(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd, errs := startChild(t, "wait --device cpu it's")
		require.NoError(t, cmd.Process.Signal(sig))
		_ = cmd.Wait()
		assert.Equal(t, 130, cmd.ProcessState.ExitCode())
		assert.Contains(t, errs.String(), `syntic: interrupted; what was finished is kept, go on with: syntic wait --device cpu 'it'\''s'`)
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	cmd, _ := startChild(t, "hang")
	deadline := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer deadline.Stop()
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		_ = cmd.Process.Signal(syscall.SIGINT)
		select {
		case <-done:
			assert.Equal(t, 130, cmd.ProcessState.ExitCode())
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}
