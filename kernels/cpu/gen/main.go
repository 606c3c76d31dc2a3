package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/mmcloughlin/avo/build"
)

var routines = map[string]func(){"gemm": gemm, "pack": pack, "bf16": bf16, "widen": widen, "peak": peak, "winograd": winograd, "bank": bank}

func main() {
	// avo's own flags (-out, -stubs, -pkg) are parsed by Generate.
	name := flag.String("routine", "", "`name` of the routine to write")
	flag.Parse()
	routine, ok := routines[*name]
	if !ok {
		fmt.Fprintf(os.Stderr, "gen: no routine %q\n", *name)
		os.Exit(2)
	}
	build.ConstraintExpr("amd64,!purego")
	routine()
	build.Generate()
}
