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
	f := Finding{kind, rollout, tree, describeKey(key), problem, remedyDamaged}
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
	const remedy = "see the log of the daemon and the disk's health"
	return sparkd.NewError(sparkd.CodeStore, "", remedy, "the store failed: %v", err).Because(err)
}

func errClosed() error {
	return sparkd.NewError(sparkd.CodeUnavailable, "", "try again when sparkd runs", "the store is closed")
}

func notFound(what, id string) error {
	const remedy = "check the id; GET /v1/rollouts lists what there is"
	return sparkd.NewError(sparkd.CodeNotFound, "", remedy, "no %s %q", what, id)
}

// recoverDamage turns a panic of Badger over a damaged table into an error.
func recoverDamage(err *error) {
	if r := recover(); r != nil {
		problem := fmt.Sprintf("a table of the database cannot be read: %v", r)
		*err = (&Finding{Kind: Altered, Problem: problem, Remedy: remedyDamaged}).err()
	}
}
