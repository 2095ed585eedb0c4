package alfworld

import (
	"strings"

	"sparkd"
)

// TaskType is one of ALFWorld's six task types, by its name in traj_data.json.
type TaskType string

const (
	PickAndPlace TaskType = "pick_and_place_simple"
	LookInLight  TaskType = "look_at_obj_in_light"
	PickClean    TaskType = "pick_clean_then_place_in_recep"
	PickHeat     TaskType = "pick_heat_then_place_in_recep"
	PickCool     TaskType = "pick_cool_then_place_in_recep"
	PickTwo      TaskType = "pick_two_obj_and_place"
)

// TaskTypes lists the task types in ALFWorld's order (1 to 6).
func TaskTypes() []TaskType {
	return []TaskType{PickAndPlace, LookInLight, PickClean, PickHeat, PickCool, PickTwo}
}

// Goal is a goal and the sentence that tells it to the agent.
type Goal struct {
	Type       TaskType
	Object     string // type of the target object: "Mug"
	Receptacle string // type of the target receptacle; "" for LookInLight
	Lamp       string // "DeskLamp" or "FloorLamp"; "" for the others
	Sentence   string // "put a clean mug in coffeemachine"; of games without a Phrasing
	Condition  expr   // of a game file, which need not be of a Type
}

// templates are the task sentences of gen/goal_library.py, two for each type.
var templates = map[TaskType][2]string{
	PickAndPlace: {"put a {obj} in {recep}", "put some {obj} on {recep}"},
	LookInLight:  {"look at {obj} under the {toggle}", "examine the {obj} with the {toggle}"},
	PickClean:    {"put a clean {obj} in {recep}", "clean some {obj} and put it in {recep}"},
	PickHeat:     {"put a hot {obj} in {recep}", "heat some {obj} and put it in {recep}"},
	PickCool:     {"put a cool {obj} in {recep}", "cool some {obj} and put it in {recep}"},
	PickTwo:      {"put two {obj} in {recep}", "find two {obj} and put them in {recep}"},
}

// goals are the conditions of gen/goal_library.py.
var goals = map[TaskType]string{
	PickAndPlace: `(and (exists (?r - receptacle) (exists (?o - object) (and
		(inReceptacle ?o ?r) (objectType ?o {obj}Type) (receptacleType ?r {recep}Type)))))`,
	PickClean: treated("cleanable", "isClean"),
	PickHeat:  treated("heatable", "isHot"),
	PickCool:  treated("coolable", "isCool"),
	PickTwo: `(and (exists (?r - receptacle) (exists (?o1 - object) (and
		(objectType ?o1 {obj}Type) (receptacleType ?r {recep}Type) (inReceptacle ?o1 ?r)
		(exists (?o2 - object) (and (not (= ?o1 ?o2))
			(objectType ?o2 {obj}Type) (receptacleType ?r {recep}Type) (inReceptacle ?o2 ?r)))))))`,
	LookInLight: `(and
		(exists (?ot - object ?r - receptacle ?a - agent ?l - location) (and
			(objectType ?ot {toggle}Type) (toggleable ?ot) (isToggled ?ot)
			(receptacleAtLocation ?r ?l) (atLocation ?a ?l) (inReceptacle ?ot ?r)))
		(exists (?o - object ?a - agent) (and (objectType ?o {obj}Type) (holds ?a ?o))))`,
}

func treated(able, is string) string {
	return `(and (exists (?r - receptacle) (exists (?o - object) (and (` + able + ` ?o)
		(objectType ?o {obj}Type) (receptacleType ?r {recep}Type) (` + is + ` ?o) (inReceptacle ?o ?r)))))`
}

// fill puts the goal's types into a template.
func (g *Goal) fill(template string) string {
	return strings.NewReplacer("{obj}", g.Object, "{recep}", g.Receptacle, "{toggle}", g.Lamp).Replace(template)
}

// longer are the sentences of the goals of gen/goal_library.py beyond the six task types;
// "_slice" is for pddl_params.object_sliced of traj_data.json.
var longer = map[string]string{
	"pick_and_place_with_movable_recep":       "put {obj} in a {mrecep} and then put them in {recep}",
	"pick_and_place_with_movable_recep_slice": "put sliced {obj} in a {mrecep} and then put them in {recep}",
	"pick_and_place_simple_slice":             "slice {obj} and put in {recep}",
	"pick_clean_then_place_in_recep_slice":    "put a clean slice of {obj} in {recep}",
	"pick_heat_then_place_in_recep_slice":     "put a hot slice of {obj} in {recep}",
	"pick_cool_then_place_in_recep_slice":     "put a cool slice of {obj} in {recep}",
	"pick_two_obj_and_place_slice":            "put two sliced {obj} in {recep}",
	"look_at_obj_in_light_slice":              "look at sliced {obj} under the {toggle}",
}

func (g *Goal) tell(template int) { g.Sentence = strings.ToLower(g.fill(templates[g.Type][template])) }

// condition returns what must hold.
func (g *Goal) condition() (expr, error) {
	if g.Condition.list != nil {
		return g.Condition, nil
	}
	return parseLisp(goalField, g.fill(goals[g.Type]))
}

// recognise finds the type of a condition of gen/goal_library.py, and its objects.
func (g *Goal) recognise() {
	for _, kind := range TaskTypes() {
		template, err := parseLisp(goalField, goals[kind])
		found := map[string]string{}
		if err == nil && matches(&template, &g.Condition, found) {
			g.Type, g.Object = kind, found["{obj}type"]
			g.Receptacle, g.Lamp = found["{recep}type"], found["{toggle}type"]
			return
		}
	}
}

// matches compares a template with a condition and finds what stands in its gaps.
func matches(template, e *expr, found map[string]string) bool {
	if strings.HasPrefix(template.word, "{") && e.list == nil {
		name := typeName(e.word)
		old, again := found[template.word]
		found[template.word] = name
		return !again || old == name
	}
	if template.word != e.word || len(template.list) != len(e.list) {
		return false
	}
	for i := range template.list {
		if !matches(&template.list[i], &e.list[i], found) {
			return false
		}
	}
	return true
}

// target is what the expert goes for: types, and what an object must have been made.
type target struct {
	object, receptacle, lamp int16 // types; -1 where the goal names none
	needs                    Change
	able                     Affordance
	known                    bool // the goal is of a type that the expert knows
}

// setGoal makes the goal ready and refuses one that can never hold.
func (w *world) setGoal(g *Goal, entities map[string]entity) error {
	condition, err := g.condition()
	if err != nil {
		return err
	}
	b := builder{world: w, entities: entities, scope: map[string]slot{}, settled: map[*expr]bool{}, choices: 1}
	if w.goal, err = b.build(&condition, false); err != nil {
		return err
	}
	if !w.goal(&facts{world: w, s: w.reach(), relaxed: true}) {
		return sparkd.Invalid(goalField, "generate the game again, or leave it out",
			"no sequence of actions can reach the goal %s", &condition)
	}
	if g.Type == "" {
		return nil
	}
	w.target = target{object: kindIndex(w.types.object, g.Object),
		receptacle: kindIndex(w.types.receptacle, g.Receptacle), lamp: kindIndex(w.types.object, g.Lamp), known: true}
	if v, ok := wanted[g.Type]; ok {
		w.target.needs, w.target.able = treatments[v].makes, treatments[v].able
	}
	return nil
}

// won reports whether the goal holds.
func (w *world) won(s state) bool { return w.goal(&facts{world: w, s: s}) }
