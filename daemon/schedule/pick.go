package schedule

import "iter"

// Pick chooses the rollout that gets the next free place among those that have a tree to
// begin, which come in the order of their submission; nil where there are none. It changes
// nothing. Whatever it chooses, the bounds of a Scheduler hold.
type Pick func(ready iter.Seq[*Rollout]) *Rollout

// FewestGrowing picks the rollout with the fewest trees growing, and of those the oldest.
//
// A rollout that runs is older than any that waits, and with nothing growing it is picked before them: so at most
// as many rollouts run as trees may grow, and each of them has an equal share.
func FewestGrowing(ready iter.Seq[*Rollout]) *Rollout {
	var best *Rollout
	for r := range ready {
		if best == nil || r.Growing < best.Growing {
			best = r
		}
	}
	return best
}
