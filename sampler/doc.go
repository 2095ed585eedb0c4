// Package sampler grows trajectory trees. [Grow] asks a branching policy for the
// expansions of the next round, samples each expansion with one engine request, steps
// one copy of the environment per continuation, and commits the round as new nodes.
//
// # Prompts
//
// A conversation is rendered in append form: every piece of text is rendered once, tokenised once and appended, so
// that the tokens of a path only ever grow and what an engine has computed of them stays valid. [Template] holds the
// pieces that a model's chat template puts around the turns, and [Prompt] the words, in the [Style] that the template
// names. A message and what the template puts around it are tokenised together, so that their ids are those that the
// whole text has; only behind an answer, whose tokens stay as they were sampled, a token of the whole text may be
// another. A message that spells out control tokens is tokenised apart from the rest, as the plain text that it is: an
// observation cannot end a turn. The end of an answer's turn stands there once, whoever wrote it.
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
