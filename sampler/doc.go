// Package sampler grows trajectory trees. [Grow] asks a branching policy for the
// expansions of the next round, samples each expansion with one engine request, steps
// one copy of the environment per continuation, and commits the round as new nodes.
//
// # Prompts
//
// A conversation is rendered in append form: every piece of text is rendered once, tokenised alone and appended, so
// that the tokens of a path only ever grow and what an engine has computed of them stays valid. [Template] holds the
// pieces that a model's chat template puts around the turns, and [Prompt] the words, in the [Style] that the template
// names. Text that an environment wrote is tokenised without control tokens: an observation cannot end a turn.
//
// # Reproducibility
//
// Everything drawn for a node depends on the tree's seed and the node's place in the tree: the seed of a sample on
// its parent and child index, the policy's draws on the round. Ids follow the order of expansions, never the order
// of arrival. A tree that was interrupted is grown on from its last committed round to the same end, if the engine
// repeats its samples.
//
// # Failures
//
// An engine or environment that breaks, hangs or diverges makes failed nodes, which carry the error, earn no
// reward and take no place in the budget. Only a canceled context and a failed commit end Grow early.
package sampler
