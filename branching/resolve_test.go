package branching

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"sparkd"
)

// request asks for a policy and says nothing else.
func request(p sparkd.Policy) sparkd.Spec {
	s := sparkd.RequestSpec()
	s.Policy = p
	return s
}

// asJSON writes a policy as requests and answers have it, and other things alike.
func asJSON(t *testing.T, p any) string {
	t.Helper()
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestPublishedDefaults: a request that names nothing but a policy gets the parameters and
// the N that it was published with, and what is resolved resolves to itself.
func TestPublishedDefaults(t *testing.T) {
	for want, leaves := range map[string]int{
		`{"name":"spark","roots":4,"branch":2,"tag":"explore"}`:                                                     8,
		`{"name":"best-of","roots":4,"branch":2,"tag":"explore"}`:                                                   8,
		`{"name":"linear","roots":8}`:                                                                               8,
		`{"name":"random","roots":4,"branch":2,"probability":0.1}`:                                                  8,
		`{"name":"random-k","roots":4,"branch":2,"picks":4}`:                                                        8,
		`{"name":"full","roots":4,"branch":2}`:                                                                      8,
		`{"name":"entropy","roots":8,"branch":2,"entropy_base":0.5,"entropy_weight":0.2,"entropy_aggregate":"sum"}`: 16,
		`{"name":"entropy-balanced","roots":0,"branch":2,"entropy_base":0.5,"entropy_weight":0.2,` +
			`"entropy_aggregate":"sum","penalty":0.05,"root_slope":0.5}`: 17,
		`{"name":"topk-entropy","roots":10,"penalty":0.05,"picks":6,"iterations":2}`: 22,
		`{"name":"expand-random","roots":2,"picks":2,"iterations":1}`:                6,
		`{"name":"token-fork","roots":6,"branch":2,"picks":2,"iterations":1}`:        30,
		`{"name":"width-split","roots":0,"branch":2}`:                                16,
		`{"name":"tail","roots":4}`:                                                  16,
		`{"name":"pivot","roots":4,"branch":4,"picks":1,"position_exponent":0.1}`:    20,
		`{"name":"contrast","roots":4,"picks":4}`:                                    8,
	} {
		var named sparkd.Policy
		if err := json.Unmarshal([]byte(want), &named); err != nil {
			t.Fatal(err)
		}
		s, err := Resolve(request(sparkd.Policy{Name: named.Name}))
		if err != nil {
			t.Errorf("%s: %v", named.Name, err)
			continue
		}
		if got := asJSON(t, s.Policy); got != want || s.Budget.Leaves != leaves {
			t.Errorf("%s, N %d; want %s, N %d", got, s.Budget.Leaves, want, leaves)
		}
		if again, err := Resolve(s); err != nil || !reflect.DeepEqual(again, s) {
			t.Errorf("%s: resolved twice it is another: %+v, %v", named.Name, again, err)
		}
	}
}

func TestDefaultsYieldToWhatIsGiven(t *testing.T) {
	s := request(sparkd.Policy{Name: "topk-entropy", Iterations: new(1), Penalty: new(.1)})
	s.Budget.Leaves = 5
	s, err := Resolve(s)
	want := `{"name":"topk-entropy","roots":4,"penalty":0.1,"picks":6,"iterations":1}`
	if got := asJSON(t, s.Policy); err != nil || got != want || s.Budget.Leaves != 5 {
		t.Errorf("%s, N %d, %v; want %s", got, s.Budget.Leaves, err, want)
	}
	s.Policy.Roots = new(6) // asked for, so that it is refused rather than cut
	if _, err := Resolve(s); err == nil || sparkd.AsError(err).Field != "policy.roots" {
		t.Errorf("M over N: %v", err)
	}
}

// TestResolveRefuses: what is out of range, or not the policy's, is named.
func TestResolveRefuses(t *testing.T) {
	spark := func(edit func(*sparkd.Policy)) sparkd.Policy {
		p := sparkd.Policy{Name: "spark"}
		edit(&p)
		return p
	}
	for _, c := range []struct {
		field  string
		policy sparkd.Policy
	}{
		{"name", sparkd.Policy{}},
		{"name", sparkd.Policy{Name: "mcts", Branch: new(3)}},
		{"roots", spark(func(p *sparkd.Policy) { p.Roots = new(-1) })},
		{"roots", spark(func(p *sparkd.Policy) { p.Roots = new(0) })},
		{"roots", spark(func(p *sparkd.Policy) { p.Roots = new(9) })}, // M > N
		{"branch", spark(func(p *sparkd.Policy) { p.Branch = new(-1) })},
		{"branch", spark(func(p *sparkd.Policy) { p.Branch = new(0) })},
		{"branch", spark(func(p *sparkd.Policy) { p.Branch = new(sparkd.MaxLeaves + 1) })},
		{"picks", sparkd.Policy{Name: "random-k", Picks: new(-1)}},
		{"iterations", sparkd.Policy{Name: "topk-entropy", Iterations: new(101)}},
		{"max_depth", spark(func(p *sparkd.Policy) { p.MaxDepth = new(-1) })},
		{"max_forks_node", spark(func(p *sparkd.Policy) { p.MaxForksNode = new(-1) })},
		{"max_forks_path", spark(func(p *sparkd.Policy) { p.MaxForksPath = new(-1) })},
		{"cool_down", spark(func(p *sparkd.Policy) { p.CoolDown = new(sparkd.MaxDepth + 1) })},
		{"stop_equal", spark(func(p *sparkd.Policy) { p.StopEqual = new(1) })},
		{"tag", spark(func(p *sparkd.Policy) { p.Tag = new("<explore>") })},
		{"tag", spark(func(p *sparkd.Policy) { p.Tag = new("") })},
		{"probability", sparkd.Policy{Name: "random", Probability: new(1.5)}},
		{"entropy_base", sparkd.Policy{Name: "entropy", EntropyBase: new(math.NaN())}},
		{"entropy_weight", sparkd.Policy{Name: "entropy", EntropyWeight: new(math.Inf(-1))}},
		{"entropy_threshold", sparkd.Policy{Name: "entropy", EntropyThreshold: new(-0.5)}},
		{"entropy_aggregate", sparkd.Policy{Name: "entropy", EntropyAggregate: new("max")}},
		{"penalty", sparkd.Policy{Name: "entropy-balanced", Penalty: new(-0.1)}},
		{"root_slope", sparkd.Policy{Name: "entropy-balanced", RootSlope: new(math.NaN())}},
		{"return_threshold", sparkd.Policy{Name: "pivot", ReturnThreshold: new(math.Inf(1))}},
		{"position_exponent", sparkd.Policy{Name: "pivot", PositionExponent: new(101.)}},
	} {
		_, err := Resolve(request(c.policy))
		e := sparkd.AsError(err)
		if e == nil || e.Code != sparkd.CodeInvalid || e.Field != "policy."+c.field || e.Remedy == "" {
			t.Errorf("%+v: %+v, want an error in policy.%s", c.policy, e, c.field)
		}
	}
	s := request(sparkd.Policy{Name: "token-fork", Picks: new(sparkd.MaxLeaves)}) // N beyond its limit
	if _, err := Resolve(s); err == nil || sparkd.AsError(err).Field != "budget.leaves" {
		t.Errorf("N of 1024 picks: %v", err)
	}
}

// everyParameter calls f for every policy with every parameter of a request, and with how
// trees grow by that policy where nothing is given.
func everyParameter(t *testing.T, f func(t *testing.T, d *description, q *parameter, grown string)) {
	for i := range table {
		d := &table[i]
		grown := grownBy(t, sparkd.Policy{Name: d.name})
		for j := range parameters {
			q := &parameters[j]
			t.Run(d.name+"/"+q.name, func(t *testing.T) { f(t, d, q, grown) })
		}
	}
}

// grownBy writes down how trees of some seeds grow by a policy.
func grownBy(t *testing.T, p sparkd.Policy) string {
	t.Helper()
	var trees []string
	for seed := range uint64(4) {
		s := request(p)
		s.Seed, s.MaxSteps, s.Budget.Leaves = 1+4*seed, 6, 14
		trees = append(trees, recorded(t, &s))
	}
	return strings.Join(trees, "\n\n")
}

// TestGivenAtItsDefault: a parameter that is given as it was published changes nothing.
func TestGivenAtItsDefault(t *testing.T) {
	everyParameter(t, func(t *testing.T, d *description, q *parameter, grown string) {
		if !d.takes(q) {
			return
		}
		silent := sparkd.Policy{Name: d.name}
		given, whole := silent, d.complete(&silent)
		q.of(&given).Set(q.of(&whole))
		if got := grownBy(t, given); got != grown {
			t.Errorf("not given, trees grow as\n%s\ngiven, as\n%s", grown, got)
		}
		a, errA := Resolve(request(silent))
		b, errB := Resolve(request(given))
		if errA != nil || errB != nil || !Same(a.Policy, b.Policy) || a.Budget != b.Budget {
			t.Errorf("%+v, %v\n%+v, %v", a, errA, b, errB)
		}
	})
}

// TestGivenZeroCounts: zero is asked for wherever it is in range. The trees that it makes
// are others than those of the published value; where that is zero, the same.
func TestGivenZeroCounts(t *testing.T) {
	everyParameter(t, func(t *testing.T, d *description, q *parameter, grown string) {
		given := sparkd.Policy{Name: d.name}
		if !d.takes(q) || q.form != nil {
			return
		}
		q.of(&given).Set(reflect.New(q.of(&given).Type().Elem()))
		s, err := Resolve(request(given))
		inRange := q.least <= 0 || zero(q.of(&d.published))
		if (err == nil) != inRange {
			t.Fatalf("0 is in range: %v; %v", inRange, err)
		}
		if !inRange {
			return
		}
		resolved := d.complete(&s.Policy)
		if !zero(q.of(&resolved)) && d.name != "linear" { // whose M of 0 is N
			t.Errorf("0 became %v", q.of(&resolved).Elem())
		}
		same := grownBy(t, given) == grown
		if published := zero(q.of(&d.published)); same != published {
			t.Errorf("published as 0: %v, the same trees: %v", published, same)
		}
	})
}

// TestUntakenIsRefused: every parameter that a policy does not take is refused by name, at
// all doors: in a request, and as text.
func TestUntakenIsRefused(t *testing.T) {
	everyParameter(t, func(t *testing.T, d *description, q *parameter, _ string) {
		if d.takes(q) {
			return
		}
		p := sparkd.Policy{Name: d.name}
		q.of(&p).Set(reflect.New(q.of(&p).Type().Elem()))
		_, err := Resolve(request(p))
		for _, err := range []error{err, Takes(d.name, q.name), Set(&p, q.name, "0")} {
			e := sparkd.AsError(err)
			if e == nil || e.Code != sparkd.CodeInvalid || e.Field != "policy."+q.name ||
				!strings.Contains(e.Remedy, d.name+" takes roots") {
				t.Errorf("%+v", e)
			}
		}
		if _, err := NewPolicy(p, 30); err != nil { // as it may be stored
			t.Error(err)
		}
	})
}

// TestAliases: a paper's name is the policy's, in any case.
func TestAliases(t *testing.T) {
	seen := map[string]bool{}
	for i := range table {
		d := &table[i]
		want, err := Resolve(request(sparkd.Policy{Name: d.name}))
		if err != nil {
			t.Fatal(err)
		}
		trees := grownBy(t, sparkd.Policy{Name: d.name})
		for _, name := range append([]string{d.name}, d.aliases...) {
			if seen[name] {
				t.Errorf("%s names two policies", name)
			}
			seen[name] = true
			for _, name := range []string{name, strings.ToUpper(name)} {
				got, err := Resolve(request(sparkd.Policy{Name: name}))
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%s: %+v, %v", name, got, err)
				}
				if grownBy(t, sparkd.Policy{Name: name}) != trees {
					t.Errorf("%s grows other trees than %s", name, d.name)
				}
			}
		}
	}
}

// TestSet: parameters as text.
func TestSet(t *testing.T) {
	p := sparkd.Policy{Name: "arpo"}
	shared := new(7)
	p.Branch = shared
	for _, c := range []struct{ name, value string }{
		{"branch", "3"}, {"entropy_base", ".5e0"}, {"entropy_weight", "0"}, {"entropy_aggregate", "mean"},
		{"top_up", "true"}, {"tag", "null"}, {"roots", "null"},
	} {
		err := Set(&p, c.name, c.value)
		if wrong := c.value == ".5e0"; (err != nil) != wrong {
			t.Errorf("%s=%s: %v", c.name, c.value, err)
		}
	}
	want := `{"name":"arpo","branch":3,"tag":"null","entropy_weight":0,"entropy_aggregate":"mean","top_up":true}`
	if got := asJSON(t, p); got != want || *shared != 7 {
		t.Errorf("%s, want %s; %d", got, want, *shared)
	}
}

// TestSame: what an earlier version stored is the request that it was.
func TestSame(t *testing.T) {
	for _, c := range []struct {
		stored, asked string
		same          bool
	}{
		{`{"name":"linear","roots":8,"branch":1}`, `{"name":"grpo","roots":8}`, true},
		{`{"name":"tree-grpo","roots":2,"branch":1,"picks":2,"iterations":1}`, `{"name":"expand-random"}`, true},
		{`{"name":"spark","roots":4,"branch":2,"tag":"explore"}`,
			`{"name":"spark","fold_case":false,"max_depth":0}`, true},
		{`{"name":"spark","roots":4,"branch":2,"tag":"explore"}`, `{"name":"spark","branch":3}`, false},
		{`{"name":"spark"}`, `{"name":"best-of"}`, false},
		{`{"name":"mcts"}`, `{"name":"mcts"}`, false},
	} {
		var a, b sparkd.Policy
		if json.Unmarshal([]byte(c.stored), &a) != nil || json.Unmarshal([]byte(c.asked), &b) != nil {
			t.Fatal(c)
		}
		if got := Same(a, b); got != c.same || Same(b, a) != got {
			t.Errorf("%s and %s are the same: %v", c.stored, c.asked, got)
		}
	}
}

// FuzzPolicy: whatever JSON says of a policy, it is refused with a field and a remedy or
// resolved for good, and trees grow by it in any case: it may have been stored.
func FuzzPolicy(f *testing.F) {
	for i := range table {
		p := sparkd.Policy{Name: table[i].name}
		whole, err := json.Marshal(table[i].complete(&p))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(whole)
	}
	f.Add([]byte(`{"name":"random","probability":null,"roots":0}`))
	f.Add([]byte(`{"name":"AT2PO","picks":0,"branch":1,"penalty":-1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var p sparkd.Policy
		if json.Unmarshal(text, &p) != nil {
			return
		}
		s, err := Resolve(request(p))
		if err != nil {
			e := sparkd.AsError(err)
			if e.Code != sparkd.CodeInvalid || e.Remedy == "" || !strings.Contains(e.Field, ".") {
				t.Fatalf("%s: %+v", text, e)
			}
			return
		}
		if again, err := Resolve(s); err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("%s: %+v, then %+v, %v", text, s, again, err)
		}
		s.MaxSteps, s.Budget.Leaves = 4, min(s.Budget.Leaves, 12)
		recorded(t, &s)
	})
}
