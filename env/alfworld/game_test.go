package alfworld

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sparkd"
)

// gameBytes writes p as a game.tw-pddl in the words of alfworld 0.4.2.
func gameBytes(t testing.TB, p *Problem) []byte {
	t.Helper()
	b, err := json.Marshal(map[string]any{
		"pddl_domain": domainText, "grammar": strings.ReplaceAll(grammarText, "UNKNOWN GOAL", p.Goal.Sentence),
		"pddl_problem": p.pddl(), "solvable": true, "walkthrough": []string{"look"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A generated game reads back from its file as the same game: the same answers in a walk
// by the expert, who recognises the goal.
func TestGameFilesOfGeneratedGames(t *testing.T) {
	for _, task := range tasks(6) {
		p, err := ProblemOf(task)
		if err != nil {
			t.Fatal(err)
		}
		read, err := readGame(gameBytes(t, p))
		if err != nil {
			t.Fatalf("%v: %v", task, err)
		}
		if read.Goal.Type != p.Goal.Type || !strings.EqualFold(read.Goal.Object, p.Goal.Object) {
			t.Errorf("%v: recognised as %s of %s", task, read.Goal.Type, read.Goal.Object)
		}
		a, b := start(t, task), New()
		play(t, b, read)
		plan, err := Expert(b)
		if err != nil {
			t.Fatalf("%v: %v", task, err)
		}
		for _, command := range plan {
			if x, y := step(t, a, command), step(t, b, command); !reflect.DeepEqual(x, y) {
				t.Fatalf("%v: %q: the task says %+v, its file %+v", task, command, x, y)
			}
		}
		if !b.done {
			t.Errorf("%v: the expert's plan does not win", task)
		}
	}
}

// An initial state without a game file is played in the words of 0.4.2.
func TestInitialState(t *testing.T) {
	p := kitchenette(PickHeat)
	read, err := readState([]byte(p.pddl()), []byte(`{"task_type": "pick_heat_then_place_in_recep",
		"pddl_params": {"object_target": "Apple", "parent_target": "GarbageCan",
		"toggle_target": "", "mrecep_target": "", "object_sliced": false}}`))
	if err != nil {
		t.Fatal(err)
	}
	a, b := New(), New()
	if x, y := play(t, a, p), play(t, b, read); !reflect.DeepEqual(x, y) || y.Goal != "put a hot apple in garbagecan" {
		t.Errorf("the state is played as %+v, want %+v", y, x)
	}
}

// edit replaces a part of a text that must be there.
func edit(t *testing.T, text, old, new string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("%q is not in the text", old)
	}
	return strings.ReplaceAll(text, old, new)
}

// Every game that cannot be played is refused with the field at fault and a remedy.
func TestBadGames(t *testing.T) {
	good := gameBytes(t, kitchenette(PickAndPlace))
	change := func(key string, edits ...string) []byte {
		var game map[string]any
		if err := json.Unmarshal(good, &game); err != nil {
			t.Fatal(err)
		}
		text, _ := game[key].(string)
		for i := 0; i < len(edits); i += 2 {
			text = edit(t, text, edits[i], edits[i+1])
		}
		game[key] = text
		b, err := json.Marshal(game)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	whole := func(old, new string) []byte { return []byte(edit(t, string(good), old, new)) }
	apple := "Apple_bar__plus_02_dot_00_bar__plus_00_dot_00_bar__plus_00_dot_00"
	for _, c := range []struct {
		name    string
		game    []byte
		field   string
		message string
	}{
		{"truncated", good[:len(good)/2], gameFile, "not JSON, or cut off"},
		{"not JSON", []byte("(define (problem x))"), gameFile, "not JSON"},
		{"empty", nil, gameFile, "not JSON"},
		{"another type", []byte(`{"pddl_domain": 3}`), gameFile, "not JSON"},
		{"no problem", whole(`"pddl_problem"`, `"problem"`), problemField, "no such text"},
		{"no grammar", whole(`"grammar"`, `"gramma"`), grammarField, "no such text"},
		{"no domain", whole(`"pddl_domain"`, `"domain"`), domainField, "no such text"},
		{"unsolvable", whole(`"solvable":true`, `"solvable":false`), "solvable", "no solution"},
		{"a domain of blocks", change(domainField, domainText,
			"(define (domain blocks) (:predicates (on ?x ?y)) (:action stack :parameters (?x) :effect (on ?x ?x)))"),
			domainField, "another domain"},
		{"no domain at all", change(domainField, domainText, "hello"), domainField, "one expression"},
		{"a changed rule", change(domainField, "(not (isHot ?o))", "(isHot ?o)"), domainField,
			"coolobject is not as in ALFWorld's"},
		{"a missing rule", change(domainField, ":action look", ":action peer"), domainField, "another domain"},
		{"a problem of another domain", change(problemField, "(:domain alfred)", "(:domain put_task)"),
			problemField, `"put_task"`},
		{"a problem without a goal", change(problemField, "(:goal", "(:gaol"), problemField, "no section (:goal"},
		{"an open parenthesis", change(problemField, "(:init", "(:init ("), problemField, "not closed"},
		{"a parenthesis too many", change(problemField, "(:init", ") (:init"), problemField, "too many (line"},
		{"no ASCII", change(problemField, "agent1 -", "agent\u00e9 -"), problemField, "ASCII (line 4)"},
		{"an unknown type", change(problemField, "agent1 - agent", "agent1 - robot"), problemField, `"robot"`},
		{"declared twice", change(problemField, "agent1 - agent", "agent1 agent1 - agent"),
			problemField, "declared twice"},
		{"not declared", change(problemField, apple+" - object", ""), problemField, "does not declare"},
		{"a fact of the wrong kind", change(problemField, "(openable ", "(opened agent1) (openable "),
			problemField, "of the type agent"},
		{"two places", change(problemField, "(atLocation agent1 ",
			"(atLocation agent1 loc_bar_0_bar_0_bar_0_bar_30) (atLocation agent1 "), problemField,
			"another location already"},
		{"an agent in no fact", change(problemField, "agent1 - agent", "agent1 agent2 - agent"),
			problemField, `"agent2"`},
		{"two agents of one name", change(problemField, "agent1 - agent", "agent1 agent2 - agent",
			"(atLocation agent1 ", "(atLocation agent2 loc_bar_0_bar_0_bar_0_bar_30) (atLocation agent1 "),
			grammarField, "2 agents share"},
		{"a goal of no receptacle", change(problemField, "(receptacleType ?r GarbageCanType)",
			"(receptacleType ?r SafeType)"), goalField, `receptacle of the type "safetype"`},
		{"a goal of no object", change(problemField, "(objectType ?o AppleType)", "(objectType ?o VaseType)"),
			goalField, `object of the type "vasetype"`},
		{"a goal out of reach", change(problemField, "(pickupable "+apple+")", "",
			"(pickupable Apple_bar__plus_02_dot_00_bar__plus_00_dot_00_bar__plus_01_dot_00)", ""), goalField,
			"no sequence of actions"},
		{"a goal that is none", change(problemField, "(inReceptacle ?o ?r)", "(smells ?o ?r)"), goalField, "smells"},
		{"a goal with a free variable", change(problemField, "(inReceptacle ?o ?r)", "(inReceptacle ?x ?r)"), goalField,
			"?x"},
		{"a goal of too many things", change(problemField, "(exists (?r - receptacle)",
			"(exists (?a ?b ?c ?d ?e ?f ?g ?h ?i - object ?r - receptacle)"), goalField, "combinations"},
		{"a grammar that is none", change(grammarField, "grammar ::", "grammar"), grammarField, "cannot read"},
		{"rules that are not JSON", change(grammarField, `"intro":`, `"intro"`), grammarField, "not JSON"},
		{"an unknown condition", change(grammarField, "holdsany(a:agent)", "sings(a:agent)"), grammarField, "sings"},
		{"an unknown gap", change(grammarField, "You close the {r.name}.", "You close the {r.colour}."),
			grammarField, "r.colour"},
		{"a gap of another action", change(grammarField, "You close the {r.name}.", "You close the {o.name}."),
			grammarField, "o.name"},
		{"an unknown list", change(grammarField, "holds(a:agent, o:object)", "holds(o:object, a:agent)"), grammarField,
			"list"},
		{"a symbol for itself", change(grammarField, "You close the {r.name}.", "#CloseObject.feedback#"),
			grammarField, "stands for itself"},
		{"a symbol without end", change(grammarField, "You close the {r.name}.",
			strings.Repeat("#x#", 9)+`"}], "x": [{"rhs": "`+strings.Repeat("#y#", 99)+`"}], "y": [{"rhs": "`+
				strings.Repeat("#help.feedback#", 99)), grammarField, "parts"},
		{"an action without a template", change(grammarField, "action help", "action assist"), grammarField,
			`"help" has no template`},
	} {
		_, err := readAndMake(c.game)
		var e *sparkd.Error
		if !errors.As(err, &e) || e.Code != sparkd.CodeInvalid || e.Field != c.field || e.Remedy == "" ||
			!strings.Contains(e.Message, c.message) {
			t.Errorf("%s: %v\nwant an error of %s that says %q, with a remedy", c.name, err, c.field, c.message)
		}
	}
	if _, err := readAndMake(good); err != nil {
		t.Errorf("the game that was changed: %v", err)
	}
}

func readAndMake(b []byte) (*world, error) {
	p, err := readGame(b)
	if err != nil {
		return nil, err
	}
	return newWorld(p)
}

func TestTooLargeAndMissingFiles(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, gameFile)
	if err := os.WriteFile(large, make([]byte, maxGame+1), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, message := range map[string]string{
		large: "larger than 4 MiB", filepath.Join(dir, "gone"+gameSuffix): "cannot read the file",
		dir: "cannot read the file",
	} {
		_, err := loadGame(path)
		if e := sparkd.AsError(err); e.Code != sparkd.CodeInvalid || e.Field == "" || e.Remedy == "" ||
			!strings.Contains(e.Message, message) {
			t.Errorf("%s: %v, want %q", path, err, message)
		}
	}
	if _, err := readState([]byte("()"), []byte(`{"task_type": "juggle"}`)); sparkd.AsError(err).Field != "task_type" {
		t.Errorf("an unknown task type: %v", err)
	}
	if _, err := readState([]byte("()"), []byte(`{"task_type"`)); sparkd.AsError(err).Field != trajectoryFile {
		t.Errorf("a trajectory that is cut off: %v", err)
	}
}

// Whatever stands in a problem, it is refused with a typed error, or it can be played.
func FuzzProblem(f *testing.F) {
	f.Add(kitchenette(LookInLight).pddl())
	f.Add("(define (problem p) (:domain alfred) (:objects a - agent l - location) (:init (atLocation a l)) (:goal " +
		"(atLocation a l)))")
	f.Add("(define (problem p) (:domain alfred) (:objects a - agent o - object) (:init (holds a o)) (:goal " +
		"(forall (?x - object) (or (holds a ?x) (not (= ?x ?x))))))")
	f.Add("(define ; cut off")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := readProblem(text, "alfred")
		if err == nil {
			p.Goal.recognise()
			_, err = newWorld(p)
		}
		if err != nil {
			mustBeTyped(t, err)
			return
		}
		e := New()
		play(t, e, p)
		for i := range 12 {
			if commands := e.menu.commands; len(commands) > 0 {
				e.step(commands[i*7%len(commands)])
			}
		}
	})
}

// The same for grammars, with the rules of 0.4.2.
func FuzzGrammar(f *testing.F) {
	f.Add(grammarText)
	f.Add(`grammar :: """{"intro": [{"rhs": "#task#"}], "task": [{"rhs": "x"}]}"""; action look { template :: ` +
		`"look"; feedback :: "[{r.name | x}]"; }`)
	f.Add(`action help { template :: "{a.name}"; feedback :: "`)
	d, err := readDomain(domainText)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := readPhrasing(text, d)
		if err != nil {
			mustBeTyped(t, err)
			return
		}
		p := kitchenette(PickAndPlace)
		p.Phrasing = w
		e := New()
		play(t, e, p)
		for i := range 12 {
			if commands := e.menu.commands; len(commands) > 0 {
				e.step(commands[i*7%len(commands)])
			}
		}
	})
}

func mustBeTyped(t *testing.T, err error) {
	t.Helper()
	if e := sparkd.AsError(err); e.Code != sparkd.CodeInvalid || e.Field == "" || e.Remedy == "" {
		t.Fatalf("an error without field or remedy: %#v", err)
	}
}
