package api

import (
	"context"
	"iter"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sparkd"
)

// Backend is what the server needs of the daemon. Its methods are called from many goroutines. Errors carry the
// codes of [sparkd.Error]; any other error is answered as an internal one, its text kept for the log.
type Backend interface {
	// Submit resolves and checks a request as it was read, with the room in the queue (queue_full), and queues it.
	// One whose id is known returns the stored rollout and created false if the specs are equal, and a conflict if
	// they differ. An empty id is chosen here.
	Submit(ctx context.Context, spec sparkd.Spec) (r sparkd.Rollout, created bool, err error)
	// Rollout returns one rollout, or not_found.
	Rollout(ctx context.Context, id string) (sparkd.Rollout, error)
	// Wait returns a rollout once it has ended or ctx has, which is no error.
	Wait(ctx context.Context, id string) (sparkd.Rollout, error)
	// Rollouts returns a page of rollouts and the cursor of the next one, "" when there is none.
	Rollouts(ctx context.Context, l List) (page []sparkd.Rollout, next string, err error)
	// Cancel ends a rollout and returns it; one that has ended is returned as it is.
	Cancel(ctx context.Context, id string) (sparkd.Rollout, error)
	// OpenSession submits a rollout whose caller drives the environments; a known one goes on. s has passed
	// Validate; errors are those of Submit, their fields below "rollout".
	OpenSession(ctx context.Context, s sparkd.SessionSpec) (r sparkd.Rollout, created bool, err error)
	// SessionCalls returns the calls behind the id after that the session's caller is to
	// make. It waits for one until ctx ends, which is no error, or the session does.
	SessionCalls(ctx context.Context, id string, after uint64) (SessionCalls, error)
	// SessionAnswers takes what came of calls; answers to calls that nobody waits for any more are named in stale.
	SessionAnswers(ctx context.Context, id string, answers []sparkd.EnvAnswer) (stale []uint64, err error)
	// CloseSession ends a session: its branches fail.
	CloseSession(ctx context.Context, id string) (sparkd.Rollout, error)
	// Tree returns a tree as far as it is committed, one that has not begun too, or not_found.
	Tree(ctx context.Context, id string) (*sparkd.Tree, error)
	// Completed yields finished trees in order of completion. It yields at most one
	// error, last. An unknown rollout is not_found, a cursor that it cannot read invalid,
	// one of another store conflict.
	Completed(ctx context.Context, f Filter) iter.Seq2[Entry, error]
	// Events returns up to limit events behind a cursor or a Seq ("" is the beginning), in order of Seq.
	Events(ctx context.Context, after string, limit int) ([]LoggedEvent, error)
	// LastEvent returns the cursor behind the newest event.
	LastEvent(ctx context.Context) (string, error)
	// Subscribe returns a channel that receives after events were appended (several may share one wake-up) and a
	// function that ends the subscription. The channel may be closed when no more events can come.
	Subscribe() (wake <-chan struct{}, cancel func())
	// Engines describes what samples. It does not block.
	Engines() Engines
	// Reload moves the engine to new weights and waits for it.
	Reload(ctx context.Context, w sparkd.Weights) error
	// Drain takes a replica out of service, or puts it back; not_found if there is none.
	Drain(replica string, out bool) error
	// Info describes the daemon. It does not block.
	Info() Info
	// Ready returns nil while the daemon accepts rollouts, otherwise why not.
	Ready() error
	// Gatherer returns the daemon's metrics.
	Gatherer() prometheus.Gatherer
}

// SessionCalls are calls to make, and how the session's rollout stands; once that has ended there are no more.
type SessionCalls struct {
	Calls []sparkd.EnvCall    `json:"calls"`
	State sparkd.RolloutState `json:"state"`
}

// List selects rollouts.
type List struct {
	After  string                // cursor of the page before; "" for the beginning
	Limit  int                   // most rollouts
	States []sparkd.RolloutState // in one of these states; empty for all
	Oldest bool                  // oldest first, not newest
}

// LoggedEvent is an event and the cursor that goes on behind it.
type LoggedEvent struct {
	Cursor string
	sparkd.Event
}

// Filter selects finished trees.
type Filter struct {
	Rollout string // "" for all rollouts
	After   string // cursor of the last tree already seen; "" for the beginning
	Limit   int    // most trees; 0 for all
}

// Entry is a finished tree and its place in the order of completion.
type Entry struct {
	Cursor string
	Tree   *sparkd.Tree
}

// Info describes a running daemon: the answer of GET /v1/info.
type Info struct {
	Version string    `json:"version"`
	Commit  string    `json:"commit,omitempty"`
	Go      string    `json:"go"`
	Started time.Time `json:"started"`

	Engine       sparkd.EngineInfo `json:"engine"`
	Prompt       string            `json:"prompt,omitempty"` // style of the prompts; "" where there is no engine
	Environments []sparkd.EnvInfo  `json:"environments"`
	Policies     []string          `json:"policies"`
	Advantages   []string          `json:"advantages"`
	Formats      []string          `json:"formats"`

	Queued    int    `json:"queued"`     // rollouts that wait
	Running   int    `json:"running"`    // rollouts that run
	Queue     int    `json:"queue"`      // most rollouts that may wait
	Trees     int    `json:"trees"`      // most trees that grow at once
	LastEvent uint64 `json:"last_event"` // Seq of the newest event
}
