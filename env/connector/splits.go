package connector

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sparkd"
)

// Splits says which numbers (seeds, data indices) of the server are the tasks of a split.
type Splits map[string]Range

// Range is the numbers from First on, Count of them or sparkd.Unbounded.
type Range struct{ First, Count int }

// Sizes returns the number of tasks of each split.
func (s Splits) Sizes() map[string]int {
	out := make(map[string]int, len(s))
	for name, r := range s {
		out[name] = r.Count
	}
	return out
}

// Number returns the server's number of a task.
func (s Splits) Number(t sparkd.Task) (int, error) {
	r, ok := s[t.Split]
	switch {
	case !ok:
		return 0, sparkd.Invalid("tasks.split", "one of "+strings.Join(slices.Sorted(maps.Keys(s)), ", "),
			"%s has no split %q", t.Env, t.Split)
	case t.Index < 0 || r.First+t.Index < r.First:
		return 0, sparkd.Invalid("tasks.indices", "indices count from 0", "%s has no task %d", t.Env, t.Index)
	case r.Count != sparkd.Unbounded && t.Index >= r.Count:
		return 0, sparkd.Invalid("tasks.indices", fmt.Sprintf("%s/%s has the tasks 0 to %d", t.Env, t.Split, r.Count-1),
			"there is no task %d", t.Index)
	}
	return r.First + t.Index, nil
}

// Splits reads the option splits: "train=1000-, test=0-999" has in test the tasks whose number at the server is 0
// to 999, and in train all others. A name alone has every number.
func (s *Settings) Splits(otherwise Splits) Splits {
	words := s.List("splits")
	if words == nil {
		return otherwise
	}
	out := Splits{}
	for _, w := range words {
		name, r, err := parseSplit(w)
		if _, twice := out[name]; err != nil || twice {
			s.refuse(s.Field("splits"), `write it as "train=1000-, test=0-999"`, "cannot read %q", w)
			return otherwise
		}
		out[name] = r
	}
	return out
}

var splitForm = regexp.MustCompile(`^([^=/ \t]+)\s*(?:=\s*(\d+)-(\d*))?$`)

// parseSplit reads name, name=first- or name=first-last.
func parseSplit(word string) (name string, r Range, err error) {
	m := splitForm.FindStringSubmatch(word)
	if m == nil {
		return "", r, errors.New("not NAME=FIRST-LAST")
	}
	if m[2] != "" {
		r.First, err = strconv.Atoi(m[2])
	}
	if m[3] == "" {
		r.Count = sparkd.Unbounded
		return m[1], r, err
	}
	last, lastErr := strconv.Atoi(m[3])
	if r.Count = last - r.First + 1; r.Count < 1 {
		return "", r, errors.New("it ends before it begins")
	}
	return m[1], r, errors.Join(err, lastErr)
}
