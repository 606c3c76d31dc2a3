package cli

import (
	"runtime"
	"runtime/debug"
	"strings"
)

// Version tells what this binary was built from: module version, revision, "modified" if the tree was not clean,
// Go version and platform.
func Version() string {
	parts := []string{"unknown build"}
	if info, ok := debug.ReadBuildInfo(); ok {
		parts[0] = info.Main.Version
		if parts[0] == "" {
			parts[0] = "(devel)"
		}
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision" && !strings.Contains(parts[0], s.Value[:min(12, len(s.Value))]):
				parts = append(parts, s.Value[:min(12, len(s.Value))])
			case s.Key == "vcs.modified" && s.Value == "true" && !strings.Contains(parts[0], "dirty"):
				parts = append(parts, "modified")
			case s.Key == "-tags":
				parts = append(parts, "tags "+s.Value)
			}
		}
	}
	return strings.Join(append(parts, runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH), " ")
}
