// Package advantage turns the rewards of finished trajectory trees into advantages. Everything in it is pure: an
// [Estimator] is a function of the trees of one task, so that stored trees can be scored again without inference.
//
// A step that several trajectories share exists once per trajectory in [Credit.Copies]
// and once in [Credit.Unique]; which of the two a trainer wants is the deduplication
// that it asks for at export. The weights of the rows make both the same loss.
//
// Formulas, sources and a worked example: docs/advantages.md.
package advantage
