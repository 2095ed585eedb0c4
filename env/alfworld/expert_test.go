package alfworld

import (
	"math/rand/v2"
	"testing"
)

// The expert solves every game within 30 steps, and Step agrees.
func TestExpert(t *testing.T) {
	perSplit := 500
	if testing.Short() {
		perSplit = 50
	}
	lengths := map[TaskType]map[int]int{}
	for _, task := range tasks(perSplit) {
		e := start(t, task)
		plan, err := Expert(e)
		if err != nil {
			t.Fatalf("%v: %v", task, err)
		}
		win(t, e, plan, task)
		if len(plan) > (Household{}).Info().MaxSteps {
			t.Errorf("%v takes %d steps", task, len(plan))
		}
		kind, err := TypeOf(task)
		if err != nil {
			t.Fatal(err)
		}
		if lengths[kind] == nil {
			lengths[kind] = map[int]int{}
		}
		lengths[kind][len(plan)]++
	}
	for _, kind := range TaskTypes() {
		t.Logf("%s: games by length of plan: %v", kind, lengths[kind])
	}
}

// It also finds its way from wherever an agent has strayed.
func TestExpertAfterStraying(t *testing.T) {
	for n, task := range tasks(50) {
		e := start(t, task)
		walk(t, e, rand.New(rand.NewPCG(uint64(n), 17)), 40)
		if e.done {
			continue
		}
		plan, err := Expert(e)
		if err != nil {
			t.Fatalf("%v, walk seed %d: %v", task, n, err)
		}
		win(t, e, plan, task)
	}
}

// win replays plan and checks that it wins at its last command and not before.
func win(t *testing.T, e *Env, plan []string, what any) {
	t.Helper()
	for i, command := range plan {
		o := step(t, e, command)
		last := i == len(plan)-1
		if o.Text == nothingHappens || o.Done != last || o.Success != last || (o.Reward == 1) != last {
			t.Fatalf("%v: step %d of %d, %q: %q, done %v, reward %v", what, i+1, len(plan), command,
				o.Text, o.Done, o.Reward)
		}
	}
}
