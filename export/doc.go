// Package export turns trajectory trees into JSON lines for trainers.
//
// A [Writer] takes the trees of one task at a time, has an estimator compute their advantages and writes them in
// one of the [Formats]; its [Manifest] says how, and counts what has no line.
//
// A format is a literal in a file of its own. It lists the fields of a line, each with its name, how its value is
// taken and what it means; field.go makes of that the writer of lines, the columns of Parquet, and the tables that
// docs/export.md is checked against. What a line is made of is said by the function around the fields: a tree, a
// step of a trajectory (row.go), a sequence of tokens (sequences.go), a pair (dpo.go) or a group. A new format is
// one more literal and a line in formats.go.
//
// What several trajectories share is resolved before that, in the same way for all formats: steps.go says which tokens
// of which step a trajectory trains, with what advantage and weight, and sequences.go lays them out as sequences.
//
// Lines are appended to a buffer, because an export must keep up with disks: numbers are
// written by hand (number.go), and what a path's rows repeat is encoded once and copied.
package export
