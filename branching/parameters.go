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
// table; a modifier, which every policy takes, is off where it is not given. Zero is in range
// wherever it is the published value, and switches a modifier off.
type parameter struct {
	name        string
	about       string
	least, most float64        // of a number
	form        *regexp.Regexp // of a text
	modifier    bool
}

const (
	mostLeaves = float64(sparkd.MaxLeaves)
	mostSteps  = float64(sparkd.MaxDepth)
)

// parameters are in the order in which they are listed. docs/policies.md and
// api/openapi.json repeat what is said here; a test compares them.
var parameters = []parameter{
	{name: "roots", least: 1, most: mostLeaves,
		about: "M: trajectories begun; 0, where it is published so, for the policy's own number"},
	{name: "branch", least: 1, most: mostLeaves, about: "B: continuations at a fork"},
	{name: "probability", most: 1, about: "p: chance of a fork, per live leaf and round"},
	{name: "picks", most: mostLeaves,
		about: "how many are picked at a time: live leaves (random-k), steps (topk-entropy), nodes or tokens of each " +
			"chain's tree (expand-random, token-fork), pivots of a chain (pivot), continuations (contrast)"},
	{name: "iterations", most: 100, about: "L: rounds of expansions after the chains have ended"},
	{name: "entropy_base", least: -1e6, most: 1e6, about: "p of clamp(p + w·ΔH), α of α + β·ΔH > τ"},
	{name: "entropy_weight", least: -1e6, most: 1e6, about: "w of clamp(p + w·ΔH), β of α + β·ΔH > τ"},
	{name: "entropy_threshold", most: 1e6, about: "τ: above 0 a leaf forks where α + β·ΔH > τ, without a draw"},
	{name: "entropy_aggregate", form: regexp.MustCompile("^(" + aggregateSum + "|" + aggregateMean + ")$"),
		about: "sum or mean of the entropies of a step's first 20 tokens, in units of ln|V|"},
	{name: "penalty", most: 1e6,
		about: "of each consecutive round with a fork (entropy-balanced), of each sibling (topk-entropy)"},
	{name: "root_slope", least: -1e6, most: 1e6, about: "β of the pre-monitor"},
	{name: "position_exponent", most: 100, about: "γ of position^γ"},
	{name: "return_threshold", least: -1e12, most: 1e12, about: "chains with at most this return failed"},

	{name: "max_depth", modifier: true, least: 1, most: mostSteps, about: "no forks at or beyond this depth"},
	{name: "max_forks_node", modifier: true, least: 1, most: mostLeaves,
		about: "at most so many continuations of a node beyond its first"},
	{name: "max_forks_path", modifier: true, least: 1, most: mostSteps,
		about: "at most so many forks between the opening and a leaf"},
	{name: "cool_down", modifier: true, least: 1, most: mostSteps,
		about: "after a fork, so many steps of the path do not fork; what is expanded later keeps the distance too"},
	{name: "top_up", modifier: true, about: "where no leaf is live and places are left: one fresh root (ARPO)"},
	{name: "fallback", modifier: true,
		about: "where no leaf is live and places are left: finished paths, drawn, are cut at a drawn step and " +
			"continued from there, as many as there are places (TreePO)"},
	{name: "stop_equal", modifier: true, least: 2, most: mostLeaves,
		about: "once so many leaves have ended, all with one return, nothing new is begun; " +
			"live leaves grow to their end"},
	{name: "tag", modifier: true, form: regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,31}$`),
		about: "name, without brackets, of the tag that marks doubt in prompts and answers; " +
			"spark and best-of fork at it"},
	{name: "fold_case", modifier: true, about: "ignore case in tags"},
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
