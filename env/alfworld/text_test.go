package alfworld

import (
	"slices"
	"strings"
	"testing"

	"sparkd"
)

// kitchenette is a game by hand: two cabinets used from one location, a countertop, and
// what cleans, heats and cools.
func kitchenette(kind TaskType) *Problem {
	p := &Problem{Fits: fits, Goal: Goal{Type: kind, Object: "Apple", Receptacle: "GarbageCan"}}
	if kind == LookInLight {
		p.Goal.Receptacle, p.Goal.Lamp = "", "DeskLamp"
	}
	p.Goal.tell(0)
	for i, kind := range []string{"Cabinet", "Cabinet", "CounterTop", "Fridge", "GarbageCan",
		"Microwave", "SinkBasin"} {
		id := kind + "|+01.00|+00.00|+0" + string(rune('0'+i)) + ".00"
		if kind == "SinkBasin" {
			id = "Sink|+01.00|+00.00|+06.00|SinkBasin"
		}
		p.Receptacles = append(p.Receptacles,
			Receptacle{ID: id, Type: kind, Location: max(0, i-1), Openable: openable[kind]})
	}
	p.finish()
	for i, o := range []struct {
		kind string
		in   int
	}{{"Apple", 2}, {"Apple", 2}, {"Knife", 2}, {"Mug", 0}, {"DeskLamp", 2}} {
		p.Objects = append(p.Objects, Object{
			ID: o.kind + "|+02.00|+00.00|+0" + string(rune('0'+i)) + ".00", Type: o.kind, In: []int{o.in},
			At: []int{p.Receptacles[o.in].Location}, Can: affordances(o.kind),
		})
	}
	return p
}

// play starts a game.
func play(t testing.TB, e *Env, p *Problem) sparkd.Observation {
	t.Helper()
	o, err := e.Play(p)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestTexts(t *testing.T) {
	e := New()
	o := play(t, e, kitchenette(PickAndPlace))
	want := "-= Welcome to TextWorld, ALFRED! =-\n\nYou are in the middle of a room. Looking quickly around you, " +
		"you see a cabinet 2, a cabinet 1, a countertop 1, a fridge 1, a garbagecan 1, a microwave 1, and a " +
		"sinkbasin 1.\n\nYour task is to: put a apple in garbagecan."
	if o.Text != want || o.Goal != "put a apple in garbagecan" {
		t.Errorf("first observation %q, goal %q", o.Text, o.Goal)
	}
	for _, c := range []struct{ command, text string }{
		{"look", "You are in the middle of a room. Looking quickly around you, you see nothing."},
		{"inventory", "You are not carrying anything."},
		{"open cabinet 1", "Nothing happens."},
		{"go to cabinet 1", "You arrive at cabinet 1. The cabinet 1 is closed."},
		{"go to cabinet 2", "Nothing happens."}, // the same location
		{"look", "You are facing the cabinet 2, and cabinet 1. Next to it, you see nothing."},
		{"open cabinet 2", "You open the cabinet 2. The cabinet 2 is open. In it, you see a mug 1."},
		{"open cabinet 2", "Nothing happens."},
		{"open cabinet 1", "You open the cabinet 1. The cabinet 1 is open. In it, you see nothing."},
		{"take mug 1 from cabinet 2", "You pick up the mug 1 from the cabinet 2."},
		{"inventory", "You are carrying: a mug 1."},
		{"examine mug 1", "This is a normal mug 1. In it, you see nothing."},
		{"move mug 1 to cabinet 1", "You move the mug 1 to the cabinet 1."},
		{"look", "You are facing the cabinet 2, and cabinet 1. Next to it, you see a mug 1."},
		{"examine mug 1", "Nothing happens."}, // not in hand
		{"close cabinet 1", "You close the cabinet 1."},
		{"take mug 1 from cabinet 1", "Nothing happens."},
		{"go to countertop 1",
			"You arrive at countertop 1. On the countertop 1, you see a apple 2, a apple 1, a desklamp 1, and a " +
				"knife 1."},
		{"examine countertop 1", "On the countertop 1, you see a apple 2, a apple 1, a desklamp 1, and a knife 1."},
		{"take desklamp 1 from countertop 1", "Nothing happens."},
		{"use desklamp 1", "You turn on the desklamp 1."},
		{"use desklamp 1", "You turn on the desklamp 1."},
		{"take knife 1 from countertop 1", "You pick up the knife 1 from the countertop 1."},
		{"examine knife 1", "There's nothing special about knife 1."},
		{"take apple 1 from countertop 1", "Nothing happens."}, // one thing at a time
		{"slice apple 1 with knife 1", "You sliced the apple 1 with the knife 1."},
		{"move knife 1 to countertop 1", "You move the knife 1 to the countertop 1."},
		{"take apple 1 from countertop 1", "You pick up the apple 1 from the countertop 1."},
		{"examine apple 1", "This is a sliced apple 1."},
		{"go to microwave 1", "You arrive at microwave 1. The microwave 1 is closed."},
		{"move apple 1 to microwave 1", "Nothing happens."},
		{"heat apple 1 with microwave 1", "You heat the apple 1 using the microwave 1."},
		{"examine apple 1", "This is a hot sliced apple 1."},
		{"go to sinkbasin 1", "You arrive at sinkbasin 1. On the sinkbasin 1, you see nothing."},
		{"clean apple 1 with sinkbasin 1", "You clean the apple 1 using the sinkbasin 1."},
		{"examine apple 1", "This is a hot and clean sliced apple 1."},
		{"go to fridge 1", "You arrive at fridge 1. The fridge 1 is closed."},
		{"cool apple 1 with fridge 1", "You cool the apple 1 using the fridge 1."},
		{"examine apple 1", "This is a cool and clean sliced apple 1."},
		{"help", "Available commands:\n  look:                             look around your current location\n" +
			"  inventory:                        check your current inventory\n  go to (receptacle):              " +
			" move to a receptacle\n" +
			"  open (receptacle):                open a receptacle\n  close (receptacle):               close a " +
			"receptacle\n" +
			"  take (object) from (receptacle):  take an object from a receptacle\n  move (object) to " +
			"(receptacle):  place an object in or on a receptacle\n" +
			"  examine (something):              examine a receptacle or an object\n  use (object):               " +
			"      use an object\n" +
			"  heat (object) with (receptacle):  heat an object using a receptacle\n  clean (object) with " +
			"(receptacle): clean an object using a receptacle\n" +
			"  cool (object) with (receptacle):  cool an object using a receptacle\n  slice (object) with " +
			"(object):     slice an object using a sharp object\n"},
		{"put apple 1 in/on fridge 1", "Nothing happens."},
		{"go to garbagecan 1", "You arrive at garbagecan 1. On the garbagecan 1, you see nothing."},
		{"move apple 1 to garbagecan 1", "You move the apple 1 to the garbagecan 1."},
	} {
		if got := step(t, e, c.command).Text; got != c.text {
			t.Errorf("%s:\n got %q\nwant %q", c.command, got, c.text)
		}
	}
	if !e.done {
		t.Error("the goal is reached, the game goes on")
	}
}

func TestExamineWithoutSlicing(t *testing.T) {
	for _, c := range []struct {
		is   Change
		want string
	}{
		{0, "There's nothing special about apple 2."},
		{Clean, "This is a clean apple 2."},
		{Hot, "This is a hot apple 2."},
		{Cool, "This is a cold apple 2."},
		{Clean | Hot, "This is a hot and clean apple 2."},
		{Clean | Cool, "This is a cool and clean apple 2."},
		{Clean | Sliced, "This is a clean sliced apple 2."},
		{Cool | Sliced, "This is a cool sliced apple 2."},
	} {
		p := kitchenette(PickAndPlace)
		p.Objects[0].Is = c.is
		p.Objects[0].In, p.Objects[0].At = nil, nil
		p.Agents[0].Holds, p.Agents[0].Busy = []int{0}, true
		e := New()
		play(t, e, p)
		if got := step(t, e, "examine apple 2").Text; got != c.want {
			t.Errorf("%b: %q, want %q", c.is, got, c.want)
		}
	}
}

func TestAdmissible(t *testing.T) {
	e := New()
	play(t, e, kitchenette(PickAndPlace))
	step(t, e, "go to countertop 1")
	step(t, e, "take apple 1 from countertop 1")
	got := step(t, e, "go to fridge 1").Admissible
	want := []string{
		"cool apple 1 with fridge 1", "examine apple 1", "examine fridge 1",
		"go to cabinet 1", "go to cabinet 2", "go to countertop 1", "go to garbagecan 1",
		"go to microwave 1", "go to sinkbasin 1",
		"help", "inventory", "look", "open fridge 1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("at the fridge:\n got %q\nwant %q", got, want)
	}
	got = step(t, e, "open fridge 1").Admissible
	want = append([]string{"close fridge 1"}, want[:12]...)
	want = append(want, "move apple 1 to fridge 1")
	if !slices.Equal(got, want) {
		t.Errorf("with the fridge open:\n got %q\nwant %q", got, want)
	}
}

// Each goal is reached by its own means and by nothing less.
func TestGoals(t *testing.T) {
	const fetch = "go to countertop 1|take apple 1 from countertop 1|"
	const place = "go to garbagecan 1|move apple 1 to garbagecan 1"
	for _, c := range []struct {
		kind     TaskType
		commands string
		won      bool
	}{
		{PickAndPlace, fetch + place, true},
		{PickClean, fetch + place, false},
		{PickClean, fetch + "go to sinkbasin 1|clean apple 1 with sinkbasin 1|" + place, true},
		{PickHeat, fetch + "go to microwave 1|heat apple 1 with microwave 1|" + place, true},
		{PickHeat, fetch + "go to microwave 1|heat apple 1 with microwave 1|go to fridge 1|cool apple 1 with " +
			"fridge 1|" + place, false},
		{PickCool, fetch + "go to fridge 1|cool apple 1 with fridge 1|" + place, true},
		{PickCool, fetch + "go to fridge 1|open fridge 1|move apple 1 to fridge 1|take apple 1 from fridge 1|" + place,
			false},
		{PickTwo, fetch + place, false},
		{PickTwo, fetch + place + "|" + strings.ReplaceAll(fetch+place, "apple 1", "apple 2"), true},
		{LookInLight, "go to countertop 1|use desklamp 1", false},
		{LookInLight, fetch + "use desklamp 1", true},
		{LookInLight, "go to countertop 1|use desklamp 1|take apple 1 from countertop 1", true},
	} {
		e := New()
		play(t, e, kitchenette(c.kind))
		for _, command := range strings.Split(c.commands, "|") {
			if o := step(t, e, command); o.Text == nothingHappens {
				t.Fatalf("%s: %s: %s", c.kind, command, o.Text)
			}
		}
		if e.done != c.won {
			t.Errorf("%s: %s: won %v, want %v", c.kind, c.commands, e.done, c.won)
		}
	}
}
