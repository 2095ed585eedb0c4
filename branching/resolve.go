package branching

import (
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"sparkd"
)

// PolicyNames lists the policies.
func PolicyNames() []string {
	names := make([]string, len(table))
	for i := range table {
		names[i] = table[i].name
	}
	return names
}

// describe finds a policy by its name or one of its papers', in any case.
func describe(name string) (*description, error) {
	lower := strings.ToLower(name)
	for i := range table {
		if d := &table[i]; d.name == lower || slices.Contains(d.aliases, lower) {
			return d, nil
		}
	}
	return nil, sparkd.Invalid("policy.name", "one of "+strings.Join(PolicyNames(), ", "), "unknown policy %q", name)
}

// Takes refuses a parameter that the named policy does not take, and a name that is no policy's.
func Takes(policy, name string) error {
	d, err := describe(policy)
	if err != nil {
		return err
	}
	_, err = d.parameter(name)
	return err
}

// Set gives a policy one of its parameters, as text.
func Set(p *sparkd.Policy, name, value string) error {
	d, err := describe(p.Name)
	if err != nil {
		return err
	}
	q, err := d.parameter(name)
	if err != nil {
		return err
	}
	field, text := q.of(p), []byte(value)
	if field.Type() == reflect.TypeFor[*string]() {
		text = strconv.AppendQuote(nil, value)
	}
	field.SetZero() // what it points to may be another's
	if err := json.Unmarshal(text, field.Addr().Interface()); err != nil {
		return sparkd.Invalid("policy."+name, d.usage(), "%q does not fit", value)
	}
	return nil
}

// Restrict takes from a policy the parameters that it does not take, and returns their names.
func Restrict(p *sparkd.Policy) (untaken []string, err error) {
	d, err := describe(p.Name)
	if err != nil {
		return nil, err
	}
	for i := range parameters {
		if q := &parameters[i]; !d.takes(q) && !q.of(p).IsNil() {
			q.of(p).SetZero()
			untaken = append(untaken, q.name)
		}
	}
	return untaken, nil
}

// parameter finds a parameter that the policy takes.
func (d *description) parameter(name string) (*parameter, error) {
	for i := range parameters {
		if q := &parameters[i]; q.name == name && d.takes(q) {
			return q, nil
		}
	}
	return nil, sparkd.Invalid("policy."+name, d.usage(), "%q is no parameter of %s", name, d.name)
}

func (d *description) takes(q *parameter) bool { return q.modifier || !q.of(&d.published).IsNil() }

// usage lists what the policy takes.
func (d *description) usage() string {
	var own, every []string
	for i := range parameters {
		switch q := &parameters[i]; {
		case q.modifier:
			every = append(every, q.name)
		case d.takes(q):
			own = append(own, q.name)
		}
	}
	return d.name + " takes " + strings.Join(own, ", ") + "; every policy " + strings.Join(every, ", ")
}

// Resolve returns the request with everything that its policy decides, and refuses one that cannot be run: the
// policy under the name used here, its parameters where they are not given, N where Budget.Leaves is 0. A default
// M shrinks with an N below the published one, so that places are left to branch into. Parameters that the policy
// does not take are refused. What is resolved resolves to itself.
func Resolve(s sparkd.Spec) (sparkd.Spec, error) {
	d, err := describe(s.Policy.Name)
	if err == nil {
		err = d.check(&s.Policy)
	}
	if err != nil {
		return s, err
	}
	p := d.complete(&s.Policy)
	published := d.leaves(&p)
	n := cmp.Or(s.Budget.Leaves, published)
	switch given := s.Policy.Roots; {
	case *p.Roots == 0 && d.first == nil:
		*p.Roots = n
	case given == nil && n > 0 && n < published:
		*p.Roots = (*p.Roots*n + published - 1) / published
	}
	s.Policy, s.Budget.Leaves = d.concise(p), n
	if err := s.Validate(); err != nil {
		return s, err
	}
	if m := *p.Roots; m > n {
		return s, sparkd.Invalid("policy.roots", "use at most budget.leaves roots, or raise budget.leaves",
			"M = %d roots do not fit in N = %d leaves", m, n)
	}
	return s, nil
}

// DefaultSpec is SPARK as published for ALFWorld (M 4, N 8, B 2, 30 steps).
func DefaultSpec() sparkd.Spec {
	s, err := Resolve(sparkd.RequestSpec())
	if err != nil {
		panic(err) // the table's fault
	}
	return s
}

// Same reports whether two policies grow the same trees, however much of them is written
// out: with what earlier versions stored, a request is compared by it.
func Same(a, b sparkd.Policy) bool {
	d, err := describe(a.Name)
	if err != nil {
		return false
	}
	e, err := describe(b.Name)
	return err == nil && d == e && reflect.DeepEqual(d.complete(&a), d.complete(&b))
}

// check refuses a parameter that the policy does not take, or that is out of range.
func (d *description) check(p *sparkd.Policy) error {
	for i := range parameters {
		q := &parameters[i]
		given := q.of(p)
		if given.IsNil() {
			continue
		}
		if !d.takes(q) {
			_, err := d.parameter(q.name)
			return err
		}
		if err := q.check(given, q.of(&d.published)); err != nil {
			return err
		}
	}
	return nil
}

// complete returns the policy with all parameters that it takes and with no others. It
// refuses nothing: earlier versions stored parameters that a policy does not take.
func (d *description) complete(p *sparkd.Policy) sparkd.Policy {
	out := sparkd.Policy{Name: d.name}
	for i := range parameters {
		q := &parameters[i]
		if !d.takes(q) {
			continue
		}
		value := reflect.New(q.of(&out).Type().Elem())
		for _, from := range []*sparkd.Policy{p, &d.published} {
			if given := q.of(from); !given.IsNil() {
				value.Elem().Set(given.Elem())
				break
			}
		}
		q.of(&out).Set(value)
	}
	return out
}

// concise leaves out of a complete policy what is off because it was published so; M is always shown.
func (d *description) concise(p sparkd.Policy) sparkd.Policy {
	for i := range parameters {
		q := &parameters[i]
		if q.name != "roots" && zero(q.of(&p)) && zero(q.of(&d.published)) {
			q.of(&p).SetZero()
		}
	}
	return p
}
