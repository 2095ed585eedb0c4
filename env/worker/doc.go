// Package worker plays environments that run in other programs, in any language: workers that answer lines of JSON
// on stdin and stdout. docs/environments-reference.md has the protocol on one page, with a complete session.
//
// # Places
//
// A worker holds as many copies as it has sessions; a pool has at most Options.Workers of them. That bounds what
// runs at once, not how many copies are open: a copy that has no call under way is idle, and when another needs a
// place, the place of the copy that was idle longest is taken. On its next use its state is rebuilt, from the last
// snapshot if there is one, by replay if not, and every observation must have the hash it had before. A call waits
// for a place only while it holds none itself, so copies never wait for each other in a circle; what holds a place
// gives it back after one call, which has a deadline.
//
// # Failures
//
// A worker that hangs past its deadline, grows beyond its memory, writes what is no answer,
// or ends is killed with all its children and replaced. The call that met this fails with
// a sparkd.Error; the other copies in that worker do not notice, but for a rebuild.
package worker
