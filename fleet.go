package sparkd

import (
	"context"
	"time"
)

// Fleet is an Engine made of replicas: servers that hold the same model.
type Fleet interface {
	Engine
	// Replicas says how each of them stands, in a fixed order. It does not block.
	Replicas() []Replica
	// Drain takes a replica out of service, or back in. What runs there ends there.
	Drain(name string, out bool) error
}

// Replica is one server of a Fleet, as it stands.
type Replica struct {
	Name    string     `json:"name"`            // its address
	Dialect string     `json:"dialect"`         // "vllm", "sglang", "llamacpp", "ollama", "generic"
	Version string     `json:"version"`         // of the server, as it says
	State   string     `json:"state"`           // ReplicaUp, ReplicaDown or ReplicaDraining
	Error   *Error     `json:"error,omitempty"` // why it is down
	Since   time.Time  `json:"since"`           // of the state
	Info    EngineInfo `json:"info"`

	Running int `json:"running"` // requests under way
	Waiting int `json:"waiting"` // requests that wait for a place

	Requests int `json:"requests"` // answered
	Failures int `json:"failures"` // not answered, or wrongly
	// Prompt tokens asked for; how many of them the pool expected the replica to hold; and
	// how many it says it reused, which is not counted where it says nothing.
	PromptTokens   int `json:"prompt_tokens"`
	ExpectedTokens int `json:"expected_tokens"`
	CachedTokens   int `json:"cached_tokens"`
}

// States of a Replica.
const (
	ReplicaUp       = "up"
	ReplicaDown     = "down"
	ReplicaDraining = "draining"
)

// Reloader is an Engine whose weights can be exchanged while it runs.
type Reloader interface {
	Engine
	// Reload moves the engine to other weights of the same model and returns their policy version. Requests under
	// way end on the weights that they began with or, where the engine cannot keep both, are waited for; what was
	// computed with the old weights is never used with the new. After an error the old weights serve on.
	Reload(ctx context.Context, w Weights) (version string, err error)
}

// Weights says where new weights are.
type Weights struct {
	// Path is a file or folder that the engine can read: a GGUF for the embedded engine, a
	// checkpoint or LoRA folder for a server, in that server's file system.
	Path string `json:"path"`
	// Version names them; "" takes a hash of the file where the engine can read it.
	Version string `json:"version,omitempty"`
	LoRA    bool   `json:"lora,omitempty"` // Path holds an adapter
}
