package sparkd

import (
	"cmp"
	"fmt"
	"time"
)

// SessionSpec asks for a rollout whose environments live in the caller's process: sparkd
// says which calls to make on which copies, the caller answers what came of them.
type SessionSpec struct {
	Rollout Spec `json:"rollout"` // tasks.env is EnvClient
	// Fork is ForkNative where the caller can copy its environments, else ForkReplay.
	Fork        string  `json:"fork"`
	StepTimeout float64 `json:"step_timeout"` // seconds that one call may take
	IdleTimeout float64 `json:"idle_timeout"` // seconds of silence after which the caller counts as lost
	// MaxSteps is how many steps an episode of the caller's environment has, which the rollout's max_steps does not
	// exceed; 0: the environment does not say.
	MaxSteps int `json:"max_steps"`
}

// EnvClient is the environment of sessions.
const EnvClient = "client"

// MaxSessionTimeout bounds the timeouts of a session.
const MaxSessionTimeout = 24 * time.Hour

// DefaultSessionSpec is what a request for a session is read into.
func DefaultSessionSpec() SessionSpec {
	s := SessionSpec{Rollout: RequestSpec(), Fork: ForkReplay, StepTimeout: 300, IdleTimeout: 60}
	s.Rollout.Tasks.Env = EnvClient
	return s
}

// Validate names the first field at fault; the rollout is branching.Resolve's.
func (s *SessionSpec) Validate() error {
	seconds := func(field string, x float64) error {
		if Finite(x) && x > 0 && x <= MaxSessionTimeout.Seconds() {
			return nil
		}
		return Invalid(field, "use seconds, up to a day", "%v is no time limit", x)
	}
	if s.Rollout.Tasks.Env != EnvClient {
		return Invalid("rollout.tasks.env", fmt.Sprintf("use %q, or POST /v1/rollouts", EnvClient),
			"a session drives %q, not %q", EnvClient, s.Rollout.Tasks.Env)
	}
	if s.Fork != ForkNative && s.Fork != ForkReplay {
		return Invalid("fork", "one of native, replay", "unknown way to fork %q", s.Fork)
	}
	if s.MaxSteps < 0 {
		return Invalid("max_steps", "use steps, or 0 where the environment has no such limit",
			"%d is negative", s.MaxSteps)
	}
	return cmp.Or(seconds("step_timeout", s.StepTimeout), seconds("idle_timeout", s.IdleTimeout))
}

// EnvCall is one call that a session's caller is to make on a copy of its environment.
type EnvCall struct {
	ID   uint64 `json:"id"`   // ascending; the answer repeats it
	Copy int    `json:"copy"` // which copy of the environment
	// Op is "reset", "step", "replay" (a fresh copy: reset, then all actions), "fork" (a
	// fresh copy in the state of From) or "close", which is not answered.
	Op      string   `json:"op"`
	Task    *Task    `json:"task,omitzero"`    // reset, replay
	Action  *string  `json:"action,omitzero"`  // step; never absent there, also where it is ""
	Actions []string `json:"actions,omitzero"` // replay; never absent there, also where there are none
	From    int      `json:"from,omitzero"`    // fork; copies are numbered from 1
}

// EnvAnswer answers an EnvCall: by an observation (reset, step), by all observations of a
// replay, the reset's first, by nothing (fork), or by an error.
type EnvAnswer struct {
	ID           uint64        `json:"id" required:"true"`
	Observation  *Observation  `json:"observation,omitempty"`
	Observations []Observation `json:"observations,omitempty"`
	Error        string        `json:"error,omitempty"`
}
