package alfworld

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"sparkd"
)

// world is a problem made ready to play: entities in ALFWorld's order and under its names, and every text that
// does not depend on the state. It is never changed after newWorld, so the copies of an environment share it.
type world struct {
	layout
	phrasing    *Phrasing
	agents      []string     // names; all of these are sorted by ALFWorld's id, the order of its lists
	locations   []string     // names
	receptacles []receptacle //
	objects     []object
	byName      names   // the order of commands
	places      []place // per location
	types       struct{ receptacle, object []string }
	fits        []bool // canContain, [receptacle type × object type]
	commands    []commands
	goal        test
	target      target
	first       state
	intro       string
}

type receptacle struct {
	name      string // "drawer 3"
	kind      int16  // index in types.receptacle, -1: of no type
	location  int16  // -1: out of reach
	openable  bool
	appliance verb // doClean, doHeat or doCool; verbs: none
}

type object struct {
	name  string // "mug 1"
	kind  int16  // index in types.object, -1: of no type
	can   Affordance
	knife bool
	holds []int16 // what lies in this movable receptacle
}

// names holds indices in the order of names.
type names struct{ receptacles, objects []int16 }

// place is the receptacles at one location: in order of id and in order of name.
type place struct{ byID, byName []int16 }

// commands are those of an agent that one entity or none stands in, by entity.
type commands struct{ of [verbs][]string }

// newWorld makes p ready to play.
func newWorld(p *Problem) (*world, error) {
	w := &world{phrasing: p.Phrasing}
	if w.phrasing == nil {
		own, err := ownWording()
		if err != nil {
			return nil, err
		}
		another := *own
		another.sentence = p.Goal.Sentence
		w.phrasing = &another
	}
	w.layout = newLayout(len(p.Agents), len(p.Locations), len(p.Receptacles), len(p.Objects))
	w.first = make(state, w.size)
	n := number(p)
	w.addReceptacles(p, n)
	w.addObjects(p, n)
	if err := w.addAgents(p, n); err != nil {
		return nil, err
	}
	w.fits = make([]bool, len(w.types.receptacle)*len(w.types.object))
	for r, rt := range w.types.receptacle {
		for o, ot := range w.types.object {
			w.fits[r*len(w.types.object)+o] = p.Fits[rt][ot]
		}
	}
	w.orderNames()
	if err := w.setGoal(&p.Goal, n.entities); err != nil {
		return nil, err
	}
	w.writeCommands()
	w.intro = w.describeIntro()
	return w, nil
}

func (w *world) addReceptacles(p *Problem, n *numbering) {
	w.receptacles = make([]receptacle, len(p.Receptacles))
	w.places = make([]place, len(p.Locations))
	w.locations = n.names[locationKind]
	for i, from := range n.order[receptacleKind] {
		r := &p.Receptacles[from]
		w.receptacles[i] = receptacle{
			name: n.names[receptacleKind][i], kind: intern(&w.types.receptacle, r.Type), location: -1,
			openable: r.Openable, appliance: appliance(r.Type),
		}
		if r.Opened {
			w.opened(w.first).add(int16(i))
		}
		if r.Location >= 0 {
			at := n.index[locationKind][r.Location]
			w.receptacles[i].location = at
			w.places[at].byID = append(w.places[at].byID, int16(i))
		}
	}
}

func (w *world) addObjects(p *Problem, n *numbering) {
	w.objects = make([]object, len(p.Objects))
	for i, from := range n.order[objectKind] {
		o := &p.Objects[from]
		kind := strings.ToLower(o.Type)
		w.objects[i].name, w.objects[i].kind = n.names[objectKind][i], intern(&w.types.object, o.Type)
		w.objects[i].can, w.objects[i].knife = o.Can, kind == "knife" || kind == "butterknife"
		for _, r := range o.In {
			w.in(w.first, n.index[receptacleKind][r]).add(int16(i))
		}
		for _, at := range o.At {
			w.near(w.first, n.index[locationKind][at]).add(int16(i))
		}
		for _, outer := range o.Inside {
			box := &w.objects[n.index[objectKind][outer]]
			box.holds = append(box.holds, int16(i)) // in order of id, as i is
		}
		for c := Clean; c <= On; c <<= 1 {
			if o.Is&c != 0 {
				w.made(w.first, c).add(int16(i))
			}
		}
	}
}

func (w *world) addAgents(p *Problem, n *numbering) error {
	w.agents = n.names[agentKind]
	about := 0
	for i, from := range n.order[agentKind] {
		a := &p.Agents[from]
		if a.Location >= 0 {
			w.walk(w.first, int16(i), n.index[locationKind][a.Location])
			about++
		}
		for _, o := range a.Holds {
			w.held(w.first, int16(i)).add(n.index[objectKind][o])
		}
		if a.Busy {
			w.hands(w.first).add(int16(i))
		}
	}
	if about > 1 && !w.phrasing.named {
		// The real package lets the agent act that its planner's variable order puts first.
		return sparkd.Invalid(grammarField,
			`begin every template with "{a.name}: ", as ALFWorld's example of several agents does`,
			"%d agents share the same commands", about)
	}
	return nil
}

// writeCommands writes the commands that no choice of two entities stands in.
func (w *world) writeCommands() {
	w.commands = make([]commands, len(w.agents))
	for a := range w.agents {
		for _, v := range w.phrasing.verbs {
			var of []string
			switch v {
			case doHelp, doInventory, doLook:
				of = []string{w.command(action{v, int16(a), -1, -1, -1})}
			case doOpen, doClose, doExamineReceptacle, doGoTo:
				of = make([]string, len(w.receptacles))
				for r := range of {
					if w.receptacles[r].location >= 0 {
						of[r] = w.command(action{v, int16(a), -1, int16(r), -1})
					}
				}
			case doUse, doExamineObject:
				of = make([]string, len(w.objects))
				for o := range of {
					of[o] = w.command(action{v, int16(a), int16(o), -1, -1})
				}
			}
			w.commands[a].of[v] = of
		}
	}
}

// orderNames fills byName and the places' byName.
func (w *world) orderNames() {
	w.byName.receptacles = sorted(w.receptacles, func(r *receptacle) string { return r.name })
	w.byName.objects = sorted(w.objects, func(o *object) string { return o.name })
	for _, r := range w.byName.receptacles {
		if at := w.receptacles[r].location; at >= 0 {
			w.places[at].byName = append(w.places[at].byName, r)
		}
	}
}

// sorted returns the indices of list in the order of key.
func sorted[T any](list []T, key func(*T) string) []int16 {
	order := make([]int16, len(list))
	for i := range order {
		order[i] = int16(i)
	}
	slices.SortFunc(order, func(a, b int16) int { return cmp.Compare(key(&list[a]), key(&list[b])) })
	return order
}

// holds reports whether receptacle r can hold object o.
func (w *world) holds(r, o int16) bool { return w.holdsKind(r, w.objects[o].kind) }

// holdsKind reports whether receptacle r can hold objects of a type.
func (w *world) holdsKind(r, kind int16) bool { return w.canContain(w.receptacles[r].kind, kind) }

// canContain reports whether a type of receptacle can hold a type of object.
func (w *world) canContain(receptacle, object int16) bool {
	return receptacle >= 0 && object >= 0 && w.fits[int(receptacle)*len(w.types.object)+int(object)]
}

// intern returns the index of t in list, which it extends if need be; -1 for no type.
func intern(list *[]string, t string) int16 {
	if t == "" {
		return -1
	}
	if i := slices.Index(*list, t); i >= 0 {
		return int16(i)
	}
	*list = append(*list, t)
	return int16(len(*list) - 1)
}

var (
	mangler   = strings.NewReplacer("-", "_minus_", "|", "_bar_", "+", "_plus_", ".", "_dot_", ",", "_comma_")
	demangler = strings.NewReplacer("_minus_", "-", "_bar_", "|", "_plus_", "+", "_dot_", ".", "_comma_", ",")
)

// mangle returns an id as PDDL and TextWorld's lists see it: in lower case, with words
// for the signs. Lists are in the order of these ids.
func mangle(id string) string { return strings.ToLower(mangler.Replace(id)) }

// entity is one of the things of a world by its index there.
type entity struct {
	kind  kind
	index int16
}

// numbering is the entities of a problem in ALFWorld's order, with its names.
type numbering struct {
	order    map[kind][]int    // order[k][i]: where the i-th is in the problem
	index    map[kind][]int16  // the inverse of order
	names    map[kind][]string // names[k][i]
	entities map[string]entity // by id
}

// numbered is an entity on its way to its name.
type numbered struct {
	id, word string
	counted  bool // it gets a number
	kind     kind
	at       int // in the problem
}

// list lists the entities of a problem, sorted by id.
func (p *Problem) list() []numbered {
	all := make([]numbered, 0, len(p.Agents)+len(p.Locations)+len(p.Receptacles)+len(p.Objects))
	add := func(k kind, at int, id string) {
		id = mangle(id)
		word, counted := wordOf(id)
		all = append(all, numbered{id, word, counted, k, at})
	}
	for i := range p.Agents {
		add(agentKind, i, p.Agents[i].ID)
	}
	for i := range p.Locations {
		add(locationKind, i, p.Locations[i])
	}
	for i := range p.Receptacles {
		add(receptacleKind, i, p.Receptacles[i].ID)
	}
	for i := range p.Objects {
		add(objectKind, i, p.Objects[i].ID)
	}
	slices.SortFunc(all, func(a, b numbered) int { return cmp.Compare(a.id, b.id) })
	return all
}

// number names the entities as ALFWorld's Demangler does: the type and a number, counted
// down along the sorted ids of all kinds, so that the last of a type is number 1.
func number(p *Problem) *numbering {
	all := p.list()
	left := map[string]int{}
	for _, e := range all {
		if e.counted {
			left[e.word]++
		}
	}
	n := &numbering{
		order: map[kind][]int{}, names: map[kind][]string{}, entities: make(map[string]entity, len(all)),
		index: map[kind][]int16{
			agentKind: make([]int16, len(p.Agents)), locationKind: make([]int16, len(p.Locations)),
			receptacleKind: make([]int16, len(p.Receptacles)), objectKind: make([]int16, len(p.Objects)),
		},
	}
	for _, e := range all {
		at := int16(len(n.order[e.kind]))
		name := e.word + " " // what has no place in its id has no number either
		if e.counted {
			name += strconv.Itoa(left[e.word])
			left[e.word]--
		}
		n.order[e.kind] = append(n.order[e.kind], e.at)
		n.names[e.kind] = append(n.names[e.kind], name)
		n.index[e.kind][e.at] = at
		n.entities[e.id] = entity{e.kind, at}
	}
	return n
}

// wordOf returns the type word of a mangled id, and whether ALFWorld numbers it. The
// basin of a sink or bathtub carries its type at the end ("Sink|…|SinkBasin").
func wordOf(id string) (word string, numbered bool) {
	word, _, numbered = strings.Cut(demangler.Replace(id), "|")
	if numbered && strings.Contains(id, "basin") {
		word += "basin"
	}
	return word, numbered
}
