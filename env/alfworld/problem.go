package alfworld

// Problem is everything that makes a game: the static facts, the initial state, the goal
// and the phrasing of an ALFWorld game. The generator makes it, or readProblem does.
type Problem struct {
	Agents      []Agent
	Locations   []string // ids
	Receptacles []Receptacle
	Objects     []Object
	// Fits is canContain: Fits[receptacle type][object type].
	Fits     map[string]map[string]bool
	Goal     Goal
	Phrasing *Phrasing // nil: that of alfworld 0.4.2
}

// Agent is one who acts. Games have one; ALFWorld can play several.
type Agent struct {
	ID       string
	Location int   // index, -1: nowhere
	Holds    []int // objects
	Busy     bool  // holdsAny: cannot take
}

// Receptacle is a piece of furniture in or on which objects lie.
type Receptacle struct {
	ID       string // as ALFRED writes it, "Drawer|+00.95|+00.22|-02.20", or as PDDL does
	Type     string // "Drawer"; "" is of no type
	Location int    // where the agent stands to use it, -1: it cannot be reached; several may share one
	Openable bool
	Opened   bool
}

// Object is a thing.
type Object struct {
	ID     string // "Mug|+01.23|+00.90|-02.11"
	Type   string // "Mug"
	In     []int  // the receptacles that hold it; games by ALFRED's physics may name several
	At     []int  // the fact objectAtLocation; in generated games that of its receptacle
	Inside []int  // the movable receptacles (objects) it lies in
	Can    Affordance
	Is     Change // what it has been made before the game starts
}

// Affordance is what can be done to an object.
type Affordance uint8

const (
	Pickupable Affordance = 1 << iota
	Toggleable
	Cleanable
	Heatable
	Coolable
	Sliceable
	Container // a movable receptacle: a bowl, a mug … (isReceptacleObject)
)

// Change is what has become of an object.
type Change uint8

const (
	Clean   Change = 1 << iota // isClean
	Hot                        // isHot
	Cool                       // isCool
	Toggled                    // isToggled: never taken back
	Sliced                     // isSliced
	On                         // isOn: changes at every use, and no text tells it
	changes = iota
)
