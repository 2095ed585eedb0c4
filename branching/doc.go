// Package branching decides where a trajectory tree forks. Everything in it is pure:
// it reads trees and returns values; it knows no engine, environment, clock or store.
//
// A [Policy] answers one question per round: given the tree so far, its budget and a seeded random source, which
// nodes are expanded next, and into how many continuations? An empty answer means that the tree is finished.
// Because the answer depends on nothing else, a tree that is read back from disk grows on exactly as it would have
// grown undisturbed, provided that each round draws from [PolicyRand]. What a policy must remember, such as how
// many of its iterations are over, it reads from the reasons that nodes record.
//
// The table in table.go describes every policy: its names, the parameters that it takes at their published values, its
// N, what it needs of an engine, and its rule. [Resolve] fills a request in from it and refuses what does not fit. A
// rule, in the file of its family, proposes continuations; what all policies have in common is around the rules: roots,
// live leaves, budgets, retries, the limits on forks, and what fills places that a rule leaves free ([Policy.Next]).
//
// [Vote] chooses one trajectory of a tree. How the rewards of the leaves flow back over
// the branches is package advantage's.
package branching
