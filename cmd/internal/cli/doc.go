// Package cli is what the verbs of the command line share: how a command ends, how it shows progress, how it prints.
//
//   - main.go: Main runs a command tree; signals, exit codes, the one line on stderr
//   - errors.go: BadInput and Usage, the kinds of error that choose the exit code
//   - flags.go: flags that every verb has: --kernel, --device, --threads
//   - progress.go: Progress, bars on a terminal (terminal_*.go) and plain lines elsewhere
//   - table.go: Table, aligned columns for stdout
//   - bytes.go: Bytes, sizes as people read them
//   - version.go: what --version prints
package cli
