// Package sparkd is the domain of the sparkd daemon: the words that every other package
// speaks, and nothing else. It imports the standard library only. What follows is a tour
// of the whole program along the life of one tree; docs/glossary.md explains the words.
//
// # One idea: Expand(node, k)
//
// A [Tree] is made of [Node] values. A node is one agent step: the tokens that the model generated, then the
// tokens that the environment answered. Node 0 holds the opening context (system text, task, first observation).
// The spans on a path from node 0 to a leaf, one behind the other, are exactly what the model saw and produced;
// nothing sampled is ever tokenised again.
//
// A tree grows by one operation: expand a node into k children, that is, sample k continuations of one prefix,
// step k copies of the environment's state and append k nodes. M roots are Expand(node 0, M), a linear step is
// Expand(leaf, 1), a branch at a critical state is Expand(leaf, B), in the terms of SPARK (arXiv 2601.20209), and
// re-expansion of earlier states, as in Tree-GRPO, is Expand(inner node, k). So a fork has one prefix by
// construction, and the engine computes it once.
//
// # The request arrives: api
//
// A trainer posts a [Spec]: which [Tasks], which [Policy], how to sample, what each tree may spend. Package api reads
// it strictly, names the field at fault where something is, and knows of the daemon only the small interface that it
// needs. routes.go is the one list of routes. Handlers return an [Error]; one function makes a status and a body of it.
//
// # It waits and runs: daemon
//
// Package daemon is the composition root. It opens the engine, the environments and the store from one
// configuration, writes the [Rollout] down before it answers, and starts its trees when there is room. One run
// loop owns the queue; what runs next is decided by a pure strategy, and everything that blocks happens outside of
// the loop. At a shutdown trees stop at a committed round; at the next start they grow on from there.
//
// # Where to branch: branching
//
// Each tree is grown by one goroutine, sampler.Grow. At the beginning of a round it asks a branching policy: given
// the tree so far, the budget and a random source seeded by tree and round, which nodes are expanded next, into
// how many continuations, and why? Policies are pure. They know no engine, no clock and no store, so a tree is
// reproducible from its seed. One table in branching describes them all: names, parameters with their ranges, what
// they need to see, the rule.
//
// # A round: sampler
//
// The sampler renders prompts ([Context] says in which form), asks the engine once for each expansion, reads
// actions and [Signals] out of the texts, steps one copy of the environment for each continuation, and commits the
// new nodes as one round. What breaks becomes a failed node with its error: it earns no reward, least of all a 0,
// and its place in the budget is free again.
//
// # Tokens: engine
//
// [Engine] is one of the two interfaces that several rooms share. What an engine cannot do is flagged in its
// [Capabilities] and on the spans that it makes, never faked. engine/embedded runs llama.cpp inside the process:
// one goroutine owns the model, forks share the blocks of their prefix's keys and values, and attention walks a
// branch's own path (engine/embedded/DESIGN.md). Servers have a package each (llamaserver, vllm, sglang, generic,
// ollama) with a plan of its own for sampling k siblings at the price of one prefix, and share what is common
// (engine/remote); engine/pool makes one engine of many and sends a request where its prefix is held. Package
// prefixcache is the radix index that knows who holds what.
//
// # Answers: env
//
// [Env] is the other interface. A state is copied natively ([Forker]), by writing it down ([Snapshotter]), or by
// replaying the path's actions in a fresh copy, with every observation compared: a difference is an env_diverged
// failure of that branch. env/alfworld plays ALFWorld's rules in Go, houses of its own or a user's game files;
// env/worker runs any program that answers lines of JSON; openenv, agentgym and mcp are clients of servers;
// env/session is driven by the trainer's own process.
//
// # The commit: store
//
// A round is one atomic commit in Badger. Values are framed with a version and a checksum, nodes are written by field
// number, a tree's header holds the count and the hash of its nodes: loss is noticed, not assumed away. store/DESIGN.md
// says what survives what, docs/store.md what may change in the format. Events are numbered by the same commit.
//
// # Credit and rows: branching/advantage, export
//
// When a tree has ended, an estimator computes advantages from its rewards and its shape (branching/advantage),
// and a format writes it as lines that trainers read (package export): each format is one literal with its fields,
// from which JSON, schema and Parquet follow. export/reward runs a user's own rule over finished trees.
// branching/measure says what branching yielded, with intervals.
//
// # Around it
//
// cmd/sparkd is the command line: a table of commands, and their files. coldstart makes supervised examples from an
// expert; bundled is a small policy that is part of the program; train/ and python/ are the Python side, which knows
// the HTTP API and the rows only. internal/ has what two rooms share and nobody else may use.
//
// Who may import whom is a table in layers_test.go, and a test: arrows point down, and
// nothing is registered by init. CONTRIBUTING.md says which files a change touches.
package sparkd
