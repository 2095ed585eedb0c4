package alfworld

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// taskRooms says in which rooms a task type can be set (GOALS_VALID of gen/constants.py).
var taskRooms = map[TaskType][]int{
	PickAndPlace: {kitchen, livingRoom, bedroom, bathroom},
	LookInLight:  {livingRoom, bedroom},
	PickClean:    {kitchen, bathroom},
	PickHeat:     {kitchen},
	PickCool:     {kitchen},
	PickTwo:      {kitchen, livingRoom, bedroom, bathroom},
}

// lampStands are the receptacles on which a lamp stands.
var lampStands = set("Bed CoffeeTable Desk DiningTable Dresser Shelf SideTable Sofa TVStand")

// generate draws a game of a task type in a house. Its goal does not hold at first, and
// everything that it takes is there.
func generate(rng *rand.Rand, houseID int, kind TaskType) *Problem {
	p := &Problem{Receptacles: house(houseID), Fits: fits}
	p.finish()
	g := generator{Problem: p, rng: rng, ids: newIDs(rng), byKind: map[string][]int{}}
	for i, r := range p.Receptacles {
		if g.byKind[r.Type] == nil {
			g.kinds = append(g.kinds, r.Type)
		}
		g.byKind[r.Type] = append(g.byKind[r.Type], i)
	}
	stock := drawStock(rng, &rooms[houseID%len(rooms)])
	p.Goal = g.drawGoal(kind, stock)
	p.Goal.tell(rng.IntN(2))
	g.furnish(stock)
	return p
}

// finish names the locations of the receptacles and puts the agent at one of its own.
func (p *Problem) finish() {
	start := 0
	for _, r := range p.Receptacles {
		start = max(start, r.Location+1)
	}
	for i := range start + 1 {
		p.Locations = append(p.Locations, "loc|"+strconv.Itoa(i)+"|0|0|30")
	}
	p.Agents = []Agent{{ID: "agent1", Location: start}}
}

// generator is a problem in the making.
type generator struct {
	*Problem
	rng    *rand.Rand
	ids    *ids
	kinds  []string         // receptacle types of the house
	byKind map[string][]int // type → receptacles
}

// drawStock draws which object types a room has, each as often as the floor plans do.
func drawStock(rng *rand.Rand, plan *room) []string {
	var stock []string
	for _, entry := range strings.Fields(plan.objects) {
		kind, plans, _ := strings.Cut(entry, ":")
		if rng.IntN(30) < atoi(plans) {
			stock = append(stock, kind)
		}
	}
	return stock
}

// drawGoal draws target object and receptacle among the pairs that make sense.
func (g *generator) drawGoal(kind TaskType, stock []string) Goal {
	if kind == LookInLight {
		return g.drawLookGoal(stock)
	}
	goal := Goal{Type: kind}
	var pairs [][2]string
	for _, o := range stock {
		for _, r := range g.kinds {
			if suits(kind, o, r) && slices.ContainsFunc(g.kinds,
				func(from string) bool { return from != r && fits[from][o] }) {
				pairs = append(pairs, [2]string{o, r})
			}
		}
	}
	pair := pairs[g.rng.IntN(len(pairs))]
	goal.Object, goal.Receptacle = pair[0], pair[1]
	return goal
}

// suits reports whether an object type may have to be brought to a receptacle type.
// What is cleaned, heated or cooled is not left where that is done.
func suits(kind TaskType, object, receptacle string) bool {
	v, treated := wanted[kind]
	return fits[receptacle][object] && (!treated || able[treatments[v].able][object] && appliance(receptacle) != v)
}

func (g *generator) drawLookGoal(stock []string) Goal {
	goal := Goal{Type: LookInLight, Lamp: "DeskLamp"}
	var lamps, objects []string
	for _, o := range stock {
		switch {
		case able[Toggleable][o]:
			lamps = append(lamps, o)
		case slices.ContainsFunc(g.kinds, func(r string) bool { return fits[r][o] }):
			objects = append(objects, o)
		}
	}
	if len(lamps) > 0 {
		goal.Lamp = lamps[g.rng.IntN(len(lamps))]
	}
	goal.Object = objects[g.rng.IntN(len(objects))]
	return goal
}

// furnish places one to three objects of each type of the stock.
func (g *generator) furnish(stock []string) {
	if g.Goal.Lamp != "" && !slices.Contains(stock, g.Goal.Lamp) {
		stock = append(stock, g.Goal.Lamp)
	}
	for _, kind := range stock {
		n := 1
		switch {
		case kind == g.Goal.Object && g.Goal.Type == PickTwo:
			n = 2 + g.rng.IntN(2)
		case kind == g.Goal.Object:
			n = 1 + g.rng.IntN(3)
		case !able[Toggleable][kind]:
			n = max(1, g.rng.IntN(5)-1) // 1, 1, 1, 2, 3
		}
		for range n {
			g.place(kind)
		}
	}
}

// place puts an object of a type somewhere: a type of receptacle first, so that a room
// with many drawers does not hide everything in them. Target objects do not start in
// target receptacles. A type that fits nowhere in the house is left out.
func (g *generator) place(kind string) {
	var where []string
	for _, r := range g.kinds {
		ok := fits[r][kind]
		if able[Toggleable][kind] {
			ok = lampStands[r]
		}
		if ok && !(kind == g.Goal.Object && r == g.Goal.Receptacle) {
			where = append(where, r)
		}
	}
	if len(where) == 0 {
		return
	}
	among := g.byKind[where[g.rng.IntN(len(where))]]
	in := among[g.rng.IntN(len(among))]
	g.Objects = append(g.Objects, Object{
		ID: g.ids.next(kind), Type: kind, In: []int{in}, At: []int{g.Receptacles[in].Location}, Can: affordances(kind),
	})
}

// fingerprint identifies the initial state and the goal.
func (p *Problem) fingerprint() uint64 {
	h := fnv.New64a()
	write := func(parts ...string) {
		for _, s := range parts {
			h.Write([]byte(s))
			h.Write([]byte{0})
		}
	}
	for _, r := range p.Receptacles {
		write(r.ID)
	}
	for _, o := range p.Objects {
		write(o.ID, p.Receptacles[o.In[0]].ID)
	}
	write(string(p.Goal.Type), p.Goal.Object, p.Goal.Receptacle, p.Goal.Lamp)
	return h.Sum64()
}
