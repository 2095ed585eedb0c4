package branching

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"sparkd"
)

// How the entropies of a step's first tokens are summed up, in units of ln|V|.
const (
	aggregateSum  = "sum"  // the released code of ARPO and AEPO
	aggregateMean = "mean" // between 0 and 1 for every step
)

// parameter describes a field of sparkd.Policy. Its published value is each policy's, see
// table; a modifier is not set where it is not given. Zero is in range wherever it is the
// published value or that of a modifier, which it switches off.
type parameter struct {
	name        string
	about       string
	least, most float64        // of a number
	form        *regexp.Regexp // of a text
	modifier    bool           // every policy takes it
}

const most = float64(sparkd.MaxLeaves)

// parameters are in the order in which they are listed.
var parameters = []parameter{
	{name: "roots", about: "M: trajectories begun", least: 1, most: most},
	{name: "branch", about: "B: continuations at a fork", least: 1, most: most},
	{name: "probability", about: "of a fork, per live leaf and round", most: 1},
	{name: "picks", about: "how many leaves (random-k), steps (topk-entropy), nodes of every tree (expand-random), " +
		"tokens of every tree (token-fork), pivots of every chain (pivot) or continuations (contrast) are picked at a time",
		most: most},
	{name: "iterations", about: "L: rounds of expansions after the chains have ended", most: 100},
	{name: "entropy_base", about: "p of clamp(p + w ΔH), α of the paper's form", least: -1e6, most: 1e6},
	{name: "entropy_weight", about: "w of clamp(p + w ΔH), β of the paper's form", least: -1e6, most: 1e6},
	{name: "entropy_threshold", about: "τ: above 0 a leaf forks where α + β ΔH > τ, without a draw", most: 1e6},
	{name: "entropy_aggregate", about: "sum or mean of the entropies of a step's first 20 tokens, in units of ln|V|",
		form: regexp.MustCompile("^(" + aggregateSum + "|" + aggregateMean + ")$")},
	{name: "penalty", about: "of every consecutive round with a fork (entropy-balanced), of every sibling (topk-entropy)",
		most: 1e6},
	{name: "root_slope", about: "β of the pre-monitor", least: -1e6, most: 1e6},
	{name: "position_exponent", about: "γ of position^γ", most: 100},
	{name: "return_threshold", about: "chains with at most this return failed", least: -1e12, most: 1e12},

	{name: "max_depth", about: "no forks at or beyond this depth", least: 1, most: sparkd.MaxDepth, modifier: true},
	{name: "max_forks_node", about: "most continuations of a node beyond its first", least: 1, most: most, modifier: true},
	{name: "max_forks_path", about: "most forks between the opening and a leaf", least: 1, most: sparkd.MaxDepth,
		modifier: true},
	{name: "cool_down", about: "steps of a path after a fork that do not fork", least: 1, most: sparkd.MaxDepth,
		modifier: true},
	{name: "top_up", about: "where no leaf is live and places are left: a fresh root", modifier: true},
	{name: "fallback", about: "where no leaf is live and places are left: finished paths are cut and grown anew",
		modifier: true},
	{name: "stop_equal", about: "no new leaves once so many have ended, all with one return", least: 2, most: most,
		modifier: true},
	{name: "tag", about: "name, without brackets, of the tag that marks doubt in prompts and answers; " +
		"spark and best-of fork at it", form: regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,31}$`), modifier: true},
	{name: "fold_case", about: "ignore case in tags", modifier: true},
}

// of returns the field of p that holds the parameter: a pointer, nil where it is not given.
func (q *parameter) of(p *sparkd.Policy) reflect.Value {
	return reflect.ValueOf(p).Elem().Field(fields[q.name])
}

// fields are the indices of the fields of sparkd.Policy by their names in JSON.
var fields = func() map[string]int {
	index := map[string]int{}
	for f := range reflect.TypeFor[sparkd.Policy]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		index[name] = f.Index[0]
	}
	return index
}()

// zero reports whether a parameter is nil or zero.
func zero(v reflect.Value) bool { return v.IsNil() || v.Elem().IsZero() }

// check refuses a value that is out of range.
func (q *parameter) check(given, published reflect.Value) error {
	value := given.Elem()
	if value.IsZero() && zero(published) {
		return nil
	}
	switch value.Kind() {
	case reflect.Int:
		return q.checkNumber(float64(value.Int()), published)
	case reflect.Float64:
		return q.checkNumber(value.Float(), published)
	case reflect.String:
		if !q.form.MatchString(value.String()) {
			return sparkd.Invalid("policy."+q.name, "use the "+q.about, "%q is none", value)
		}
	}
	return nil
}

func (q *parameter) checkNumber(x float64, published reflect.Value) error {
	if x >= q.least && x <= q.most { // NaN is not
		return nil
	}
	remedy := fmt.Sprintf("use %g to %g, ", q.least, q.most)
	if published.IsNil() {
		remedy += "or 0 to switch it off"
	} else {
		remedy += fmt.Sprintf("or leave it out for the published %v", published.Elem())
	}
	return sparkd.Invalid("policy."+q.name, remedy+": "+q.about, "%v is out of range", x)
}
