package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"syntic/bench"
	"syntic/cmd/internal/cli"
	"syntic/syntic/world"
	"syntic/syntic/world/weights"
)

// What a default run needs: its memory limit, and room for stages, pictures and report.
const (
	runMemory = 2 << 30
	runDisk   = 512 << 20
)

// finding is one line of the examination.
type finding struct {
	Subject string `json:"subject"`
	State   string `json:"state"` // ok, note (slower or less than possible) or problem (syntic run cannot work)
	Found   string `json:"found"`
	Advice  string `json:"advice"`
}

const (
	stateOK      = "ok"
	stateNote    = "note"
	stateProblem = "problem"
)

// builtin is the drawn world's models that this binary carries.
var builtin = weights.FS

func doctorCmd() *cobra.Command {
	var asJSON bool
	var out string
	cmd := &cobra.Command{
		Use: "doctor", Short: "Examine this machine: processor, memory, GPU, weights, disk; one line of advice each", Args: cobra.NoArgs,
		Long: "Examine what syntic finds on this machine. Exit code 0 unless something makes syntic run impossible here: then 3.",
		RunE: func(cmd *cobra.Command, _ []string) error { return doctor(cmd.OutOrStdout(), out, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a list of {\"subject\", \"state\", \"found\", \"advice\"}")
	cmd.Flags().StringVar(&out, "out", ".", "`folder` in which a run would write")
	return cmd
}

func doctor(w io.Writer, out string, asJSON bool) error {
	m := bench.Describe()
	list := []finding{examineCPU(m), examineCores(m), examineMemory(memory()), examineGPU(m), examineWeights(builtin), examineDisk(out), examineFolder(out), examineGo()}
	var err error
	if asJSON {
		err = json.NewEncoder(w).Encode(list)
	} else {
		table := cli.NewTable("subject", "state", "found", "advice")
		for _, f := range list {
			table.Row(f.Subject, f.State, f.Found, f.Advice)
		}
		err = table.Write(w)
	}
	for _, f := range list {
		if f.State == stateProblem {
			err = errors.Join(err, cli.BadInput(fmt.Errorf("%s: %s; %s", f.Subject, f.Found, f.Advice)))
		}
	}
	return err
}

func examineCPU(m bench.Machine) finding {
	f := finding{"cpu", stateOK, fmt.Sprintf("%s; kernels use %s; it has %s", m.CPU.Name, m.CPU.Used, strings.Join(m.CPU.Features, " ")), "nothing to do"}
	switch {
	case m.CPU.Used != m.CPU.Found:
		f.State, f.Advice = stateNote, "unset SYNTIC_ISA to use "+m.CPU.Found
	case m.CPU.Used == "go" && m.Arch == "amd64":
		f.State, f.Advice = stateNote, "without AVX2 and FMA, or built with -tags purego, expect runs many times slower"
	case m.CPU.Used == "go":
		f.State, f.Advice = stateNote, "there is assembly for amd64 only: expect runs many times slower"
	}
	return f
}

func examineCores(m bench.Machine) finding {
	f := finding{"cores", stateOK, fmt.Sprintf("%d threads in use", m.Threads), "results are the same for any number; --threads N sets it"}
	if m.CPU.Logical > 0 {
		f.Found = fmt.Sprintf("%d threads in use of %d (%d cores)", m.Threads, m.CPU.Logical, m.CPU.Physical)
	}
	if m.Threads < 2 {
		f.State, f.Advice = stateNote, "the default run is planned for 2 cores: expect twice the time"
	}
	return f
}

func examineMemory(free, total int64) finding {
	f := finding{"memory", stateOK, fmt.Sprintf("%s free of %s", cli.Bytes(free), cli.Bytes(total)), "nothing to do"}
	switch {
	case total == 0:
		f.State, f.Found, f.Advice = stateNote, "unknown on this system", "the default run is planned for 2 GiB"
	case free < runMemory:
		f.State, f.Advice = stateNote, "the default run is planned for 2 GiB: close other programs or raise the container's limit"
	}
	return f
}

func examineGPU(m bench.Machine) finding {
	switch {
	case len(m.GPUs) > 0:
		var names []string
		for i, g := range m.GPUs {
			name := fmt.Sprintf("cuda:%d %s, %s", i, g.Name, cli.Bytes(g.Memory))
			if g.Detail != "" {
				name += ", " + g.Detail
			}
			names = append(names, name)
		}
		return finding{"gpu", stateOK, strings.Join(names, "; "), "used by --device auto"}
	case m.CUDA:
		return finding{"gpu", stateNote, "CUDA kernels are built in, but no GPU can be used: " + m.NoGPU, "check the driver with nvidia-smi; everything runs on the CPU"}
	}
	f := finding{"gpu", stateOK, "none used: this binary has no CUDA kernels", "nothing to do: everything runs on the CPU"}
	if version, err := os.ReadFile("/proc/driver/nvidia/version"); err == nil {
		line, _, _ := strings.Cut(string(version), "\n")
		f.Found += " (an NVIDIA driver is installed: " + strings.Join(strings.Fields(line), " ") + ")"
	}
	return f
}

// examineWeights looks for the models of the drawn world, and whether they were packed for the world that this binary draws.
func examineWeights(files fs.FS) finding {
	sizes := map[string]int64{}
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".safetensors") {
			return err
		}
		info, err := d.Info()
		if err == nil {
			model, _, _ := strings.Cut(path, "/")
			sizes[model] += info.Size()
		}
		return err
	})
	if err != nil {
		return finding{"weights", stateProblem, "the built-in models cannot be listed: " + err.Error(), "build syntic again from an undamaged source tree"}
	}
	var have, lack []string
	for _, model := range []string{"clip", "sd", "detr"} {
		if sizes[model] == 0 {
			lack = append(lack, model)
			continue
		}
		have = append(have, model+" "+cli.Bytes(sizes[model]))
	}
	now := fmt.Sprintf("%016x", world.Fingerprint())
	if len(lack) > 0 {
		return finding{"weights", stateProblem, fmt.Sprintf("not in this binary: %s; it draws world %s", strings.Join(lack, ", "), now),
			"syntic world train, syntic world pack, then build; or name folders: --set clip.model=DIR"}
	}
	text, err := fs.ReadFile(files, weights.WorldFile)
	trained := strings.TrimSpace(string(text))
	f := finding{"weights", stateOK, fmt.Sprintf("%s; trained on world %s, which this binary draws", strings.Join(have, ", "), now), "nothing to do"}
	switch {
	case err != nil:
		f.State, f.Found = stateNote, fmt.Sprintf("%s; not recorded on which world they were trained; this binary draws world %s", strings.Join(have, ", "), now)
		f.Advice = "syntic world pack records it"
	case trained != now:
		f.State, f.Found = stateNote, fmt.Sprintf("%s; trained on world %s; this binary draws world %s", strings.Join(have, ", "), trained, now)
		f.Advice = "the drawings changed since: train again with syntic world train"
	}
	return f
}

func examineDisk(folder string) finding {
	free, err := diskFree(existing(folder))
	f := finding{"disk", stateOK, cli.Bytes(free) + " free", "nothing to do"}
	switch {
	case err != nil:
		f.State, f.Found, f.Advice = stateNote, "unknown: "+err.Error(), fmt.Sprintf("a run wants %s", cli.Bytes(runDisk))
	case free < runDisk:
		f.State, f.Advice = stateProblem, fmt.Sprintf("a run wants %s: make room or choose another folder with --out", cli.Bytes(runDisk))
	}
	return f
}

// examineFolder tries what a run would do first: make a file in the folder, or in the nearest one above that exists.
func examineFolder(folder string) finding {
	if err := writableFolder(folder); err != nil {
		return finding{"folder", stateProblem, err.Error(), "choose another with --out"}
	}
	if abs, err := filepath.Abs(folder); err == nil {
		folder = abs
	}
	return finding{"folder", stateOK, folder + " can be written", "nothing to do"}
}

func examineGo() finding {
	return finding{"go", stateOK, "syntic " + cli.Version(), "Go 1.26 or newer builds it; no C compiler is needed"}
}
