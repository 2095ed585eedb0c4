package branching

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"sparkd"
)

// Every policy lists fields of a request, and every field is a parameter of some policy.
func TestParameters(t *testing.T) {
	var fields []string
	for i := range reflect.TypeFor[sparkd.Policy]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[sparkd.Policy]().Field(i).Tag.Get("json"), ",")
		fields = append(fields, name)
	}
	listed := append([]string{"name"}, Modifiers()...)
	for _, policy := range PolicyNames() {
		own := Parameters(policy)
		if len(own) == 0 {
			t.Errorf("%s lists no parameters", policy)
		}
		listed = append(listed, own...)
	}
	slices.Sort(fields)
	slices.Sort(listed)
	if listed = slices.Compact(listed); !slices.Equal(fields, listed) {
		t.Errorf("a policy has the fields\n%q, listed are\n%q", fields, listed)
	}
}
