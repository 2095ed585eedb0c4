package alfworld

// nothingHappens answers text that is no applicable action.
const nothingHappens = "Nothing happens."

// query is a list that texts show, by the words of alfred.twl2. It finds things in order
// of their ids, which is the order of TextWorld's facts.
type query struct {
	yields variable // of what it finds
	needs  variable // what must be bound
	given  bool     // what it yields may be bound already
	find   func(c *scene, found []int16) []int16
}

var queries = map[string]query{
	"inreceptacle(o:object, r:receptacle)":              {varO, varR, false, findIn},
	"holds(a:agent, o:object)":                          {varO, varA, false, findHeld},
	"inreceptacleobject(o2:object, o:object)":           {varO, varO, true, findInside},
	"receptacleatlocation(r:receptacle, lend:location)": {varR, varR | varLEnd, true, findGiven},
	"receptacleatlocation(r:receptacle, l:location)":    {varR, 0, false, findReceptacles},
	"atlocation(a:agent, l:location) & receptacleatlocation(r:receptacle, l:location)": {
		varR, 0, false, findFacing},
	"atlocation(a:agent, l:location) & objectatlocation(o:object, l:location) & " +
		"receptacleatlocation(r:receptacle, l:location) & not_inreceptacle(o:object, r:receptacle)": {
		varO, 0, false, findTaken},
}

func findIn(c *scene, found []int16) []int16 { return c.in(c.s, c.recept).list(found) }

func findHeld(c *scene, found []int16) []int16 { return c.held(c.s, c.agent).list(found) }

// findInside finds what lies in a movable receptacle. No action changes that; nor does an object lie in itself.
func findInside(c *scene, found []int16) []int16 {
	for _, o := range c.objects[c.object].holds {
		if o != c.object {
			found = append(found, o)
		}
	}
	return found
}

func findGiven(c *scene, found []int16) []int16 { return append(found, c.recept) }

func findReceptacles(c *scene, found []int16) []int16 {
	if c.location != unbound {
		return append(found, c.places[c.location].byID...)
	}
	for r := range c.receptacles {
		if c.receptacles[r].location >= 0 {
			found = append(found, int16(r))
		}
	}
	return found
}

// around calls do with the location of the agent, or of every agent if none is bound.
func around(c *scene, do func(location int16)) {
	if c.agent != unbound {
		if c.location >= 0 {
			do(c.location)
		}
		return
	}
	for a := range c.agents {
		if at := c.at(c.s, int16(a)); at >= 0 {
			do(at)
		}
	}
}

func findFacing(c *scene, found []int16) []int16 {
	around(c, func(at int16) { found = append(found, c.places[at].byID...) })
	return found
}

// findTaken finds the objects at the agent's location once for every receptacle there
// that they were taken from: ALFWorld's "objects on the floor".
func findTaken(c *scene, found []int16) []int16 {
	around(c, func(at int16) {
		here := c.places[at].byID
		near := c.near(c.s, at)
		for w := range near {
			rest := uint64(0)
			for _, r := range here {
				rest |= near[w] & c.gone(c.s, r)[w]
			}
			for ; rest != 0; rest &= rest - 1 {
				o := first(w, rest)
				for _, r := range here {
					if c.gone(c.s, r).has(o) {
						found = append(found, o)
					}
				}
			}
		}
	})
	return found
}

// describe returns the answer to action a, which led to state s.
func (w *world) describe(s state, a action, t *table) string {
	c := scene{facts: facts{world: w, s: s}, agent: a.agent, location: w.at(s, a.agent), object: a.object,
		tool: a.tool, recept: a.receptacle, items: t.items}
	p := t.text[:0]
	w.phrasing.answers[a.verb](&p, &c)
	t.text, t.items = p, c.items
	return string(p)
}

// describeIntro is the first observation.
func (w *world) describeIntro() string {
	c := scene{facts: facts{world: w, s: w.first}, agent: unbound, location: unbound, object: unbound, tool: unbound,
		recept: unbound}
	var p prose
	w.phrasing.intro(&p, &c)
	return string(p)
}

// command writes the command of an action.
func (w *world) command(a action) string {
	c := scene{facts: facts{world: w}, agent: a.agent, object: a.object, tool: a.tool, recept: a.receptacle}
	if a.verb == doGoTo {
		c.location = w.receptacles[a.receptacle].location
	}
	p := make(prose, 0, 64)
	w.phrasing.commands[a.verb](&p, &c)
	return string(p)
}

// table is where an environment writes its texts before they are copied.
type table struct {
	text  prose
	items []int16
}
