// Package export turns trajectory trees into JSON lines for trainers.
//
// A [Writer] takes the trees of one task at a time, has an estimator compute their
// advantages and writes them in one of the [Formats]; its [Manifest] says how, and counts
// what has no line. The table in formats.go says what a format's line is made of: a tree,
// a step of a trajectory, a sequence of tokens, or a group. Every format is a file with the
// type of its lines, which is the schema, and a function that encodes one.
//
// What several trajectories share is resolved before that, in the same way for all
// formats: steps.go says which tokens of which step a trajectory trains, with what
// advantage and weight, and sample.go lays them out as sequences.
//
// The encoders append bytes by hand, because an export must keep up with disks: what a
// path's rows repeat is encoded once and copied.
package export
