package contract_test

import (
	"slices"
	"strings"
	"testing"

	"sparkd"
	"sparkd/env/contract"
)

// vault keeps the contract.
const vault = `
import json, random, socket, subprocess, sys, threading, time
import sparkd_env
from sparkd_env import Observation

class Vault(sparkd_env.Env):
    """A dial that opens at a number; the guard comes after twelve turns."""
    splits = {"train": 20, "dev": 5}
    max_steps = 12
    sessions = 8
    kept = []

    def reset(self, split, index):
        rng = random.Random(f"{split} {index}")
        self.number, self.at, self.turns = rng.randint(4, 6), 0, 0
        return self.see("You stand before a dial.")

    def step(self, action):
        if action not in ("left", "right"):
            return self.see("It has no such mark.")
        self.turns += 1
        self.at += 1 if action == "right" else -1
        return self.see(f"The dial is at {self.at}.")

    def see(self, text):
        won, late = self.at == self.number, self.turns >= 12
        return Observation(text, goal=f"Turn the dial to {self.number}.", admissible=["left", "right"],
                           reward=1.0 if won else 0.0, done=won or late, success=won)

    def snapshot(self):
        return json.dumps([self.number, self.at, self.turns]).encode()

    def restore(self, split, index, state):
        self.number, self.at, self.turns = json.loads(state)

sparkd_env.serve(Vault)
`

// defects are changes of vault, each of which breaks the contract in one way, and where the report says so and how.
var defects = map[string]struct {
	old, new string
	check    string
	field    string // "": another fault, with these words
	words    string
}{
	"a snapshot forgets a counter": {"self.number, self.at, self.turns = json.loads(state)",
		"self.number, self.at, _ = json.loads(state); self.turns = 0", "copies its state", "done", "snapshot"},
	"a snapshot forgets the number": {"self.number, self.at, self.turns = json.loads(state)",
		"_, self.at, self.turns = json.loads(state); self.number = 9", "copies its state", "goal", "snapshot"},
	"a fork shares its state": {"    def snapshot(self):", `    def fork(self):
        copy = Vault()
        copy.__dict__ = self.__dict__
        return copy

    def snapshot(self):`, "copies its state", "", "a fork made at step"},
	"a fork forgets a counter": {"    def snapshot(self):", `    def fork(self):
        copy = Vault()
        copy.number, copy.at, copy.turns = self.number, self.at, 0
        return copy

    def snapshot(self):`, "copies its state", "done", "fork"},
	"state in the class": {`        self.at += 1 if action == "right" else -1
        return self.see(f"The dial is at {self.at}.")`, `        self.at += 1 if action == "right" else -1
        Vault.shared = getattr(Vault, "shared", 0) + 1
        return self.see(f"The dial is at {self.at}, turned {Vault.shared} times.")`, "repeats itself", "text", ""},
	"state in the class, reset": {"return self.see(\"You stand before a dial.\")",
		"Vault.turns = property(lambda s: Vault.n, lambda s, n: setattr(Vault, 'n', n)); Vault.n = 0; " +
			"return self.see(\"You stand before a dial.\")", "keeps copies apart", "done", "beside"},
	"a goal by chance": {`goal=f"Turn the dial to {self.number}."`,
		`goal=f"Turn the dial to {self.number} ({random.random()})."`, "repeats itself", "goal", ""},
	"a reward by chance": {"reward=1.0 if won else 0.0", "reward=random.random()", "repeats itself", "reward", ""},
	"another list by chance": {`admissible=["left", "right"]`,
		`admissible=["left", "right", f"push {random.random()}"]`, "repeats itself", "admissible", ""},
	"the time in a text": {`f"The dial is at {self.at}."`, `f"The dial is at {self.at}, at {time.time_ns()}."`,
		"repeats itself", "text", ""},
	"what a process draws for itself": {`f"The dial is at {self.at}."`, `f"The dial is at {self.at}, {hash('x')}."`,
		"copies its state", "text", ""},
	"a reward that is no number": {"reward=1.0 if won else 0.0", `reward=float("nan")`, "walks", "", "reward"},
	"done in words":              {"done=won or late", `done="False"`, "walks", "", "done"},
	"done in a list":             {"done=won or late", `done=[won]`, "walks", "", "done"},
	"a text that is none":        {"Observation(text,", "Observation(None,", "walks", "", "text"},
	"a list that is none": {`admissible=["left", "right"]`, `admissible="left right"`, "walks", "",
		"admissible"},
	"a listed action that is none": {`admissible=["left", "right"]`, `admissible=["left", "right", "up"]`,
		"accepts the actions that it lists", "", `"up" is listed and answered as`},
	"a list in other letters": {`admissible=["left", "right"]`, `admissible=["Left", "Right"]`,
		"accepts the actions that it lists", "", `is listed and answered as`},
	"text that is no action breaks it": {`return self.see("It has no such mark.")`, `raise KeyError(action)`,
		"answers text that is no action", "", "frobnicate"},
	"tasks that are not there": {`rng = random.Random(f"{split} {index}")`,
		`rng = random.Random(["a", "b", "c", "d", "e"][index])`, "has the tasks that it lists", "", "train/19"},
	"over at the reset": {"self.turns >= 12", "self.turns == 0", "walks", "", "nothing to do"},
	"a replay beyond the end": {"    def snapshot(self):", `    def replay(self, split, index, actions):
        return [self.reset(split, index)] + [self.step(a) for a in actions]

    def snapshot(self):`, "replays in one call", "", "beyond the end"},
	"a replay that forgets": {"    def snapshot(self):", `    def replay(self, split, index, actions):
        seen = [self.reset(split, index)] + [self.step(a) for a in actions]
        self.turns = 0
        return seen

    def snapshot(self):`, "replays in one call", "done", "after a replay"},
	"a process an episode": {`rng = random.Random(f"{split} {index}")`,
		`rng = random.Random(f"{split} {index}"); Vault.kept.append(subprocess.Popen(["sleep", "1000"]))`,
		"does not grow", "", "processes"},
	"a thread an episode": {`rng = random.Random(f"{split} {index}")`,
		`rng = random.Random(f"{split} {index}"); threading.Thread(target=time.sleep, args=(99,), daemon=True).start()`,
		"does not grow", "", "threads"},
	"a socket an episode": {`rng = random.Random(f"{split} {index}")`,
		`rng = random.Random(f"{split} {index}"); Vault.kept.append(socket.socket())`, "does not grow", "", "sockets"},
	"a file an episode": {`rng = random.Random(f"{split} {index}")`,
		`rng = random.Random(f"{split} {index}"); Vault.kept.append(open("/etc/hosts"))`,
		"does not grow", "", "/etc/hosts"},
	"a step that hangs": {"self.turns += 1", "self.turns += 1; self.turns == 3 and time.sleep(1000)", "walks", "",
		"no answer to step within"},
	"a worker that ends": {"self.turns += 1", "self.turns += 1; self.turns == 9 and sys.exit(3)", "walks", "",
		"status 3"},
}

func TestDefectsArePlaced(t *testing.T) {
	two := contract.Options{Seed: 1, Steps: 14,
		Tasks: func(info sparkd.EnvInfo) []sparkd.Task { return contract.Draw(info, 2, 1) }}
	report := check(t, "python3", vault, two)
	for _, c := range report.Checks {
		for i := range c.Faults {
			t.Errorf("without a defect: %s: %v", c.Name, &c.Faults[i])
		}
	}
	for name, d := range defects {
		t.Run(name, func(t *testing.T) {
			if strings.Count(vault, d.old) != 1 {
				t.Fatalf("%q is not one part of the program", d.old)
			}
			report := check(t, "python3", strings.Replace(vault, d.old, d.new, 1), two)
			var found []string
			for _, c := range report.Checks {
				for i := range c.Faults {
					f := &c.Faults[i]
					found = append(found, c.Name+": "+f.Error())
					if f.Remedy == "" {
						t.Errorf("no remedy: %v", f)
					}
				}
			}
			if !slices.ContainsFunc(found, func(f string) bool {
				return strings.HasPrefix(f, d.check+": ") && strings.Contains(f, d.words) &&
					(d.field == "" || strings.Contains(f, ": "+d.field+" is "))
			}) {
				t.Errorf("want %q with the field %q and %q; found\n%s", d.check, d.field, d.words,
					strings.Join(found, "\n"))
			}
		})
	}
}

// stairs is a program without the Python class; REWARD is what it says its reward is.
const stairs = `
import json, sys
at = {}
def answer(r):
    if r["op"] == "hello":
        return {"protocol": 1, "name": "stairs", "splits": {"train": 3}, "max_steps": 9, "fork": "replay"}
    if r["op"] == "close":
        return {}
    at[r["session"]] = 0 if r["op"] == "reset" else at[r["session"]] + (r["action"] == "up")
    return {"text": "Floor %d." % at[r["session"]], "admissible": ["up"], REWARD"done": at[r["session"]] == 5}
for line in sys.stdin:
    r = json.loads(line)
    print(json.dumps({"id": r["id"], "ok": answer(r)}), flush=True)
`

// What a program may not say of a reward, which is JSON's null where JavaScript's is NaN.
func TestRewardsOfPrograms(t *testing.T) {
	for reward, words := range map[string]string{"": "", `"reward": 0.5, `: "", `"reward": None, `: "reward",
		`"reward": "1", `: "reward", `"reward": float("nan"), `: "NaN", `"reward": float("inf"), `: "Infinity",
		`"REWARD": 1, `: "REWARD"} {
		report := check(t, "python3", strings.Replace(stairs, "REWARD", reward, 1), contract.Options{Seed: 1,
			Tasks: func(info sparkd.EnvInfo) []sparkd.Task { return contract.Draw(info, 1, 1) }})
		var found strings.Builder
		for _, c := range report.Checks {
			for i := range c.Faults {
				found.WriteString(c.Name + ": " + c.Faults[i].Error() + "\n")
			}
		}
		if (words == "") != (found.Len() == 0) || !strings.Contains(found.String(), words) {
			t.Errorf("%s: want %q, found\n%s", reward, words, found.String())
		}
	}
}
