// Package daemon is the composition root of sparkd: it reads the configuration, opens the store, the engine and
// the environments, and runs rollouts until it is told to stop.
//
// # Life of a rollout
//
// Submit checks a request against what the engine and the environment can do, stores it and puts it in a bounded
// queue. Each tree grows in one goroutine; of all rollouts at most daemon.trees trees grow at once, and the next
// free place goes to the rollout that has the fewest trees growing, the oldest first. A rollout is done when all
// its trees ended, and failed only if none survived.
//
// # Crashes and shutdown
//
// Every round of a tree is one commit. What a crash or a shutdown interrupts is grown on from its last committed round
// at the next start, from the same seeds, so that the finished tree is the one that an undisturbed run would have made.
package daemon
