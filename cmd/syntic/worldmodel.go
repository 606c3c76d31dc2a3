package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"syntic/cmd/internal/cli"
	"syntic/syntic/pipeline"
)

// modelFolder is the folder that a flag names; where it is pipeline.World, that of the drawn world's own model ("clip", "sd", "detr"),
// unpacked until done is called, which stderr is told.
func modelFolder(cmd *cobra.Command, flag, dir, name string) (folder string, done func(), err error) {
	if dir != pipeline.World {
		return dir, func() {}, nil
	}
	tmp, err := os.MkdirTemp("", "syntic-"+name+"-")
	if err != nil {
		return "", nil, err
	}
	done = func() { os.RemoveAll(tmp) }
	if folder, err = pipeline.WorldModel(tmp, name); err != nil {
		done()
		return "", nil, err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "model: the drawn world's own %s (%s names a folder)\n", name, flag)
	return folder, done, nil
}

// badInput marks an error of work on the user's files as theirs, but for an interruption.
func badInput(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return cli.BadInput(err)
}
