package export

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"runtime"
	"slices"
	"strings"

	"sparkd"
	"sparkd/branching/advantage"
)

// Writer writes the lines of groups of trees to w, in the order of Write. Groups are
// encoded in the background, on all processors; what is encoded and not yet written
// is bounded by a fixed number of groups. A Writer is used by one goroutine.
type Writer struct {
	w        io.Writer
	rescore  func(*sparkd.Tree) (*sparkd.Tree, error)
	pending  []*encoder // oldest first
	spare    []*encoder
	manifest Manifest
	sum      hash.Hash // nil: not wanted
	err      error
}

// NewWriter returns a Writer, or an error of code invalid that names the option at fault. Flush ends an export.
func NewWriter(w io.Writer, o Options) (*Writer, error) {
	format, _ := formatNamed(o.Format)
	estimator, _ := advantage.New(o.Advantage, o.Estimator)
	if err := o.Validate(); err != nil {
		return nil, err
	}
	counts := Manifest{PolicyVersions: map[string]int{}, Labels: map[string]int{}}
	counts.Recipe = Recipe{
		Format: o.Format, Dedupe: o.Dedupe, Advantage: o.Advantage, Estimator: estimator.Options(), Pairs: o.Pairs,
		Filter: o.Filter.String(), Rescored: o.Rescore != nil, Entropies: o.Entropies, Text: o.Text}
	out := &Writer{w: w, rescore: o.Rescore, manifest: counts}
	if o.Checksum {
		out.sum = sha256.New()
	}
	for range 2 * runtime.GOMAXPROCS(0) { // twice, so that a slow group at the head leaves none idle
		done := make(chan struct{}, 1)
		out.spare = append(out.spare, &encoder{o: o, format: format, estimator: estimator, done: done})
	}
	return out, nil
}

// Write adds the lines of one group: all trees of one task in one rollout, whose trajectories are compared with
// each other. The trees must not change before the next Flush. After an error every Write returns it again.
func (w *Writer) Write(group []*sparkd.Tree) error {
	if len(w.spare) == 0 {
		w.drain()
	}
	if w.err == nil && w.rescore != nil {
		group, w.err = w.rescored(group)
	}
	if w.err != nil || len(group) == 0 {
		return w.err
	}
	last := len(w.spare) - 1
	e := w.spare[last]
	w.spare, w.pending = w.spare[:last], append(w.pending, e)
	go func() {
		defer func() {
			if r := recover(); r != nil { // a defect costs this export, not the daemon
				e.err = sparkd.Errorf(sparkd.CodeInternal, "encoding a tree panicked: %v", r)
			}
			e.done <- struct{}{}
		}()
		e.encode(group)
	}()
	return nil
}

// Flush waits for the groups that are being encoded and writes them.
func (w *Writer) Flush() error {
	for len(w.pending) > 0 {
		w.drain()
	}
	return w.err
}

// Bytes returns how many bytes were written so far.
func (w *Writer) Bytes() int64 { return w.manifest.Bytes }

// Manifest says what was written up to the last Flush.
func (w *Writer) Manifest() Manifest {
	m := w.manifest.clone()
	if w.sum != nil {
		m.SHA256 = hex.EncodeToString(w.sum.Sum(nil))
	}
	return m
}

// rescored returns the group with other rewards, without the trees that have none. What
// cannot go on, a cancelled export, is an error.
func (w *Writer) rescored(group []*sparkd.Tree) ([]*sparkd.Tree, error) {
	var out []*sparkd.Tree
	for _, t := range group {
		again, err := w.rescore(t)
		if err == nil {
			out = append(out, again)
			continue
		}
		e := sparkd.AsError(err)
		if e.Code == sparkd.CodeCanceled || errors.Is(err, context.DeadlineExceeded) { // the export, not the rule
			return nil, err
		}
		reason := strings.TrimPrefix(e.Message, "tree "+t.ID+": ") // which is a field of its own
		w.manifest.omit("tree", "it was not re-scored: "+reason, e.Remedy, t.ID)
	}
	return out, nil
}

// drain waits for the oldest group and writes it, unless an earlier one failed.
func (w *Writer) drain() {
	e := w.pending[0]
	w.pending = slices.Delete(w.pending, 0, 1)
	<-e.done
	w.spare = append(w.spare, e)
	if w.err = cmp.Or(w.err, e.err); w.err != nil {
		return
	}
	var n int
	n, w.err = w.w.Write(e.out.b)
	if w.sum != nil {
		w.sum.Write(e.out.b[:n])
	}
	e.m.Bytes = int64(n)
	w.manifest.Add(&e.m)
}
