package alfworld

import (
	"math/bits"
)

// state is what changes while playing: the dynamic facts of alfred.pddl, as bits. Where
// each fact stands, the world's layout says. A copy of the words is a copy of the state.
type state []uint64

// set is a set of objects or receptacles in a state.
type bitset []uint64

func (b bitset) has(i int16) bool { return b[i>>6]>>(i&63)&1 != 0 }
func (b bitset) add(i int16)      { b[i>>6] |= 1 << (i & 63) }
func (b bitset) remove(i int16)   { b[i>>6] &^= 1 << (i & 63) }

// list appends the members in order.
func (b bitset) list(to []int16) []int16 {
	for w, rest := range b {
		for ; rest != 0; rest &= rest - 1 {
			to = append(to, first(w, rest))
		}
	}
	return to
}

// first returns the smallest member of the w-th word of a set, of which rest is left.
func first(w int, rest uint64) int16 { return int16(w<<6 + bits.TrailingZeros64(rest)) }

// layout says at which word of a state each fact starts. A table of sets of objects has width words a row.
type layout struct {
	width    int
	openSet  int // opened: a set of receptacles
	busySet  int // holdsAny: a bit per agent
	heldRow  int // holds: per agent
	inRow    int // inReceptacle: per receptacle
	goneRow  int // per receptacle: what an action has taken from it and none has put back
	nearRow  int // objectAtLocation: per location
	madeRow  int // isClean … isOn: per Change
	size     int
	openSize int
}

// maxAgents is the number of bits of busySet.
const maxAgents = 64

// newLayout places the facts. The first words are the agents' locations, plus one.
func newLayout(agents, locations, receptacles, objects int) layout {
	l := layout{width: (objects + 63) / 64, openSize: (receptacles + 63) / 64}
	at := agents
	place := func(words int) int {
		at += words
		return at - words
	}
	l.busySet, l.openSet = place(1), place(l.openSize)
	l.heldRow = place(agents * l.width)
	l.inRow, l.goneRow = place(receptacles*l.width), place(receptacles*l.width)
	l.nearRow = place(locations * l.width)
	l.madeRow = place(changes * l.width)
	l.size = at
	return l
}

func (l *layout) row(s state, table int, i int16) bitset {
	at := table + int(i)*l.width
	return bitset(s[at : at+l.width])
}

// at returns an agent's location, -1 if it is nowhere.
func (l *layout) at(s state, a int16) int16 { return int16(s[a]) - 1 }

func (l *layout) walk(s state, a, to int16)           { s[a] = uint64(to + 1) }
func (l *layout) opened(s state) bitset               { return bitset(s[l.openSet : l.openSet+l.openSize]) }
func (l *layout) hands(s state) bitset                { return bitset(s[l.busySet : l.busySet+1]) }
func (l *layout) busy(s state, a int16) bool          { return l.hands(s).has(a) }
func (l *layout) held(s state, a int16) bitset        { return l.row(s, l.heldRow, a) }
func (l *layout) in(s state, r int16) bitset          { return l.row(s, l.inRow, r) }
func (l *layout) gone(s state, r int16) bitset        { return l.row(s, l.goneRow, r) }
func (l *layout) near(s state, location int16) bitset { return l.row(s, l.nearRow, location) }

// made returns the objects that have been made so; c is one Change.
func (l *layout) made(s state, c Change) bitset {
	return l.row(s, l.madeRow, int16(bits.TrailingZeros8(uint8(c))))
}
