package store

import (
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"sparkd"
)

const (
	remedyDamaged = "run `sparkd check` to see what else is damaged; restore the folder from a backup, " +
		"or sample the tree again under a new rollout"
	remedyBroken = "nothing more is written; free or repair the disk and restart sparkd, " +
		"trees grow on from their last committed round"
)

// damaged returns the error that names a damaged record. Check lists its Finding.
func damaged(kind FindingKind, key []byte, format string, args ...any) error {
	return finding(kind, "", "", key, fmt.Sprintf(format, args...))
}

func finding(kind FindingKind, rollout, tree string, key []byte, problem string) error {
	f := &Finding{
		Kind:    kind,
		Rollout: rollout,
		Tree:    tree,
		Key:     describeKey(key),
		Problem: problem,
		Remedy:  remedyDamaged,
	}
	return f.err()
}

func (f *Finding) err() error {
	return &sparkd.Error{Code: sparkd.CodeDamaged, Message: f.Error(), Remedy: f.Remedy, Err: f}
}

// inTree adds the names of a tree and its rollout to a damaged error.
func inTree(err error, rollout, tree string) error {
	var f *Finding
	if !errors.As(err, &f) {
		return err
	}
	named := *f
	named.Rollout, named.Tree = rollout, tree
	return named.err()
}

// storeError gives an error of Badger its code; errors that have one stay as they are.
func storeError(err error) error {
	var e *sparkd.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return err
	case errors.Is(err, badger.ErrDBClosed):
		return errClosed()
	}
	return &sparkd.Error{
		Code:    sparkd.CodeStore,
		Message: fmt.Sprintf("the store failed: %v", err),
		Remedy:  "see the log of the daemon and the disk's health",
		Err:     err,
	}
}

func errClosed() error {
	const remedy = "try again when sparkd runs"
	return &sparkd.Error{Code: sparkd.CodeUnavailable, Message: "the store is closed", Remedy: remedy}
}

func notFound(what, id string) error {
	return &sparkd.Error{
		Code:    sparkd.CodeNotFound,
		Message: fmt.Sprintf("no %s %q", what, id),
		Remedy:  "check the id; GET /v1/rollouts lists what there is",
	}
}

// recoverDamage turns a panic of Badger over a damaged table into an error.
func recoverDamage(err *error) {
	if r := recover(); r != nil {
		problem := fmt.Sprintf("a table of the database cannot be read: %v", r)
		f := &Finding{Kind: Altered, Problem: problem, Remedy: remedyDamaged}
		*err = f.err()
	}
}
