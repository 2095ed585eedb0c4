package worker

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"sparkd"
	"sparkd/internal/excerpt"
	"sparkd/internal/jsonlines"
)

// version of the protocol that is spoken here.
const version = 1

// Bounds of what a worker may say.
const (
	maxLine     = 16 << 20 // bytes of an answer
	maxSessions = 1024
	maxWords    = 2000 // runes of its words that go into an error
)

// request is one line to a worker. Which fields an op has, docs/environments-reference.md says.
type request struct {
	ID       uint64            `json:"id"`
	Op       string            `json:"op"`
	Protocol int               `json:"protocol,omitzero"`
	Options  map[string]string `json:"options,omitzero"`
	Session  string            `json:"session,omitzero"`
	To       string            `json:"to,omitzero"`
	Task     *task             `json:"task,omitzero"`
	Action   *string           `json:"action,omitzero"`
	Actions  []string          `json:"actions,omitzero"`
	State    []byte            `json:"state,omitzero"` // base64
}

// limit is the time in which a request must be answered.
func (r *request) limit(o *Options) time.Duration {
	if r.Op == "hello" {
		return o.StartTimeout
	}
	return o.CallTimeout * time.Duration(len(r.Actions)+1)
}

type task struct {
	Split string `json:"split"`
	Index int    `json:"index"`
}

func taskOf(t sparkd.Task) *task { return &task{Split: t.Split, Index: t.Index} }

// breach is an answer that the protocol does not allow. Its worker is not to be trusted any more.
type breach string

func (b breach) Error() string { return string(b) }

func breachf(format string, args ...any) breach { return breach(fmt.Sprintf(format, args...)) }

// breached is the breach of an answer that could not be read.
func breached(err error) error {
	if err == nil {
		return nil
	}
	return breach(err.Error())
}

// unasked is a line that is no answer to the request under way, but belongs to one before or to none.
type unasked string

func (u unasked) Error() string { return "it wrote without being asked: " + excerpt.Line([]byte(u)) }

// parseAnswer reads the answer to request id: its ok, or as a *sparkd.Error the failure that it reports.
func parseAnswer(line []byte, id uint64) (json.RawMessage, error) {
	f := jsonlines.FieldsOf("answer", line)
	if err := f.End(); err != nil {
		return nil, breachf("it wrote a line that is no answer: %s; %v", excerpt.Line(line), err)
	}
	of, went, failed := f.Raw("id"), f.Raw("ok"), f.Raw("error")
	switch n, err := strconv.ParseUint(string(of), 10, 64); {
	case err == nil && n < id:
		return nil, unasked(line)
	case err != nil || n != id:
		return nil, breachf("it wrote an answer without id %d, that of the request: %s", id, excerpt.Line(line))
	case f.End() != nil:
		return nil, breached(f.End())
	case failed != nil && went != nil:
		return nil, breachf("its answer has both ok and error; leave one out: %s", excerpt.Line(line))
	case failed != nil:
		return nil, parseFailure(failed)
	case !bytes.HasPrefix(went, []byte("{")):
		return nil, breachf("its answer has neither an ok object nor an error object: %s", excerpt.Line(line))
	}
	return went, nil
}

// parseFailure reads the failure that a worker reports.
func parseFailure(data []byte) error {
	var code, message, field, remedy string
	f := jsonlines.FieldsOf("error", data)
	f.Read("code", &code)
	f.Read("message", &message)
	f.Read("field", &field)
	f.Read("remedy", &remedy)
	if err := breached(f.End()); err != nil {
		return err
	}
	e := sparkd.NewError(sparkd.CodeEnv, excerpt.Text(field, maxWords), excerpt.Text(remedy, maxWords),
		"%s", cmp.Or(excerpt.Text(message, maxWords), "the worker reports a failure and does not say which"))
	if code == string(sparkd.CodeInvalid) {
		e.Code = sparkd.CodeInvalid
	}
	return e
}

// parseObservation reads what a reset or a step answers.
func parseObservation(ok []byte) (sparkd.Observation, error) {
	return readObservation("observation", ok)
}

func readObservation(what string, data []byte) (o sparkd.Observation, err error) {
	f := jsonlines.FieldsOf(what, data)
	f.Need("text", &o.Text)
	f.Read("goal", &o.Goal)
	f.Read("admissible", &o.Admissible)
	f.Read("reward", &o.Reward)
	f.Read("done", &o.Done)
	f.Read("success", &o.Success)
	slices.Sort(o.Admissible)
	o.Success = o.Done && o.Success
	return o, breached(f.End())
}

// parseReplay reads the observations of a replay of n actions.
func parseReplay(ok []byte, n int) ([]sparkd.Observation, error) {
	var all []json.RawMessage
	f := jsonlines.FieldsOf("replay", ok)
	f.Need("observations", &all)
	if err := breached(f.End()); err != nil {
		return nil, err
	}
	seen := make([]sparkd.Observation, len(all))
	for i := range seen {
		o, err := readObservation(fmt.Sprintf("observation %d of %d", i, len(all)), all[i])
		if err != nil {
			return nil, err
		}
		if seen[i] = o; o.Done && i < len(seen)-1 {
			return nil, breach("its replay goes on after the end of the episode")
		}
	}
	if len(seen) > n+1 || len(seen) == 0 || len(seen) < n+1 && !seen[len(seen)-1].Done {
		return nil, breachf("its replay of %d actions has %d observations", n, len(seen))
	}
	return seen, nil
}

// parseState reads a snapshot.
func parseState(ok []byte) (state []byte, err error) {
	f := jsonlines.FieldsOf("snapshot", ok)
	f.Need("state", &state)
	if err = breached(f.End()); err == nil && len(state) == 0 {
		err = breach("its snapshot is empty")
	}
	return state, err
}

// parseNothing reads the answer of an op that has none but that it went well.
func parseNothing([]byte) (struct{}, error) { return struct{}{}, nil }
