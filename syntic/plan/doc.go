// Package plan divides long work into shards that are complete or absent, whatever kills the process.
//
// A Pipeline is a list of stages. Each stage has an immutable plan: what its output depends on, written as canonical
// JSON; the SHA-256 of that text is the stage's id and names its folder. A stage whose inputs change therefore gets a new
// folder and so do the stages that read it; everything else is found finished. A stage's output is cut into shards of
// contiguous items. A shard is done if and only if its record exists and agrees with its data:
//
//	DIR/generate-3f9ac01b22d4/plan.json    the plan; its SHA-256 begins with 3f9ac01b22d4
//	DIR/generate-3f9ac01b22d4/00007.bin    data: temporary file, fsync, link (never overwrites), fsync of the folder
//	DIR/generate-3f9ac01b22d4/00007.json   record, published the same way after the data: hash, size, plan, seconds
//
// Two workers may make the same shard: the second finds the first's file and compares. Equal bytes are fine, different
// ones are kept beside it as a conflict and are an error, for every output is a pure function of plan and index.
//
//   - stage.go: Stage, Shard, Pipeline; ids
//   - run.go: Run, the Driver interface, the local driver
//   - commit.go: publishing data and records; verification
//   - adopt.go: finished shards of other runs, taken instead of made; Status, how far a plan is
//   - lock.go: one run in a folder; leftovers
//   - errors.go: errors of the output folder
//   - progress.go: the interface through which libraries tell how far they are
package plan
