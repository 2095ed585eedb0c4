package contract_test

import (
	"testing"

	"sparkd/env/contract"
)

// correct are classes that keep the contract, though each looks like one that does not.
var correct = map[string]string{
	"a wrong guess is answered as no guess": `
    splits, max_steps = {"train": sparkd_env.UNBOUNDED}, 10
    def reset(self, split, index):
        self.number = random.Random(index).randint(1, 10)
        return self.see("Guess.")
    def see(self, text, won=False):
        return Observation(text, admissible=[str(i) for i in range(1, 11)], reward=float(won), done=won, success=won)
    def step(self, action):
        return self.see("Right.", True) if action == str(self.number) else self.see("No.")`,
	"any text is an answer, and the end": `
    splits, max_steps = {"test": 1000}, 1
    def reset(self, split, index):
        self.sum = index + 1
        return Observation(f"What is {index} + 1?")
    def step(self, action):
        right = action == str(self.sum)
        return Observation("Thank you.", reward=float(right), done=True, success=right)`,
	"a world by chance, by the task's seed, and a goal that moves": `
    splits, max_steps, sessions = {"train": 7}, 8, 4
    def reset(self, split, index):
        self.random, self.turn = random.Random(index), 0
        return self.step("")
    def step(self, action):
        self.turn += 1
        return Observation(f"The wind is {self.random.random()}.", goal=f"Wait until {self.random.randint(0, 9)}.",
                           reward=-self.random.random(), admissible=[f"wait {self.random.randint(0, 9)}"])
    def fork(self):
        return copy.deepcopy(self)`,
	"observations of 100 kB": `
    splits, max_steps = {"train": 2}, 3
    def reset(self, split, index):
        self.turn = index
        return Observation("x é" * 25_000)
    def step(self, action):
        self.turn += 1
        return Observation(f"{self.turn} {action} " * 10_000, done=self.turn == 5)`,
	"a choice that is wrong is the end": `
    splits, max_steps = {"train": 50}, 1
    def reset(self, split, index):
        self.right = "AB"[index % 2]
        return Observation("A or B?", admissible=["A", "B"])
    def step(self, action):
        right = action == self.right
        return Observation("Right." if right else "Wrong.", reward=float(right), done=True, success=right)`,
	"no action changes anything": `
    splits, max_steps = {"train": 1}, 5
    def reset(self, split, index):
        return Observation("You are in a dark room.", admissible=["look", "wait"])
    def step(self, action):
        return self.reset("train", 0)`,
}

func TestCorrectOnesAreNotAccused(t *testing.T) {
	for name, class := range correct {
		t.Run(name, func(t *testing.T) {
			program := "import copy, random\nimport sparkd_env\nfrom sparkd_env import Observation\n\n" +
				"class Correct(sparkd_env.Env):\n    \"\"\"It keeps the contract.\"\"\"" + class +
				"\n\nsparkd_env.serve(Correct)\n"
			report := check(t, "python3", program, contract.Options{Seed: 1, Quick: true})
			for _, c := range report.Checks {
				for i := range c.Faults {
					t.Errorf("%s: %v", c.Name, &c.Faults[i])
				}
			}
		})
	}
}
