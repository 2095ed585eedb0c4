package branching

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sparkd"
)

var update = flag.Bool("update", false, "write the tables of docs/policies.md anew")

// TestDocs: the tables of docs/policies.md are those of this package.
func TestDocs(t *testing.T) {
	const page = "../docs/policies.md"
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for name, lines := range map[string][]string{
		"policies":   policyTable(t),
		"parameters": parameterTable(false),
		"modifiers":  parameterTable(true),
	} {
		begin, end := "<!-- table of "+name+" -->\n\n", "\n\n<!-- end of "+name+" -->"
		before, rest, ok := strings.Cut(text, begin)
		got, after, ended := strings.Cut(rest, end)
		if !ok || !ended {
			t.Fatalf("%s has no table of %s", page, name)
		}
		want := strings.Join(lines, "\n")
		if text = before + begin + want + end + after; got != want && !*update {
			t.Errorf("%s: the table of %s differs (go test ./branching -update writes it anew); want\n%s",
				page, name, want)
		}
	}
	for i := range table {
		if strings.Count(text, "\n| `"+table[i].name+"` |") != 2 { // once with its rule
			t.Errorf("%s does not describe %s", page, table[i].name)
		}
	}
	if *update {
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func policyTable(t *testing.T) []string {
	lines := []string{"| policy | other names | parameters as published | N | needs |", "|---|---|---|---|---|"}
	for i := range table {
		d := &table[i]
		s, err := Resolve(request(sparkd.Policy{Name: d.name}))
		if err != nil {
			t.Fatal(err)
		}
		var own []string
		for i := range parameters {
			if q := &parameters[i]; !q.of(&d.published).IsNil() {
				own = append(own, fmt.Sprintf("`%s` %v", q.name, q.of(&d.published).Elem()))
			}
		}
		lines = append(lines, fmt.Sprintf("| `%s` | %s | %s | %d | %s |",
			d.name, quoted(d.aliases), strings.Join(own, ", "), s.Budget.Leaves, quoted(d.needs)))
	}
	return lines
}

// quoted lists words as code.
func quoted(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return "`" + strings.Join(words, "`, `") + "`"
}

func parameterTable(modifiers bool) []string {
	lines := []string{"| parameter | range | |", "|---|---|---|"}
	for i := range parameters {
		if q := &parameters[i]; q.modifier == modifiers {
			about := strings.ReplaceAll(q.about, "|", `\|`)
			lines = append(lines, fmt.Sprintf("| `%s` | %s | %s |", q.name, q.span(), about))
		}
	}
	return lines
}

// span writes the range of a parameter.
func (q *parameter) span() string {
	switch q.kind() {
	case "string":
		return "text"
	case "boolean":
		return "true, false"
	}
	if q.least > 1 && q.lowest() == 0 {
		return fmt.Sprintf("0, %g to %g", q.least, q.most)
	}
	return fmt.Sprintf("%g to %g", q.lowest(), q.most)
}

// kind is the type of a parameter in JSON.
func (q *parameter) kind() string {
	switch q.of(&sparkd.Policy{}).Type() {
	case reflect.TypeFor[*int]():
		return "integer"
	case reflect.TypeFor[*float64]():
		return "number"
	case reflect.TypeFor[*bool]():
		return "boolean"
	}
	return "string"
}

// lowest is the lowest number that some policy takes.
func (q *parameter) lowest() float64 {
	zeroPublished := slices.ContainsFunc(table, func(d description) bool {
		v := q.of(&d.published)
		return !v.IsNil() && v.Elem().IsZero()
	})
	if q.modifier || zeroPublished {
		return min(q.least, 0)
	}
	return q.least
}

// TestOpenAPI: the document of the API describes every parameter as this package does.
func TestOpenAPI(t *testing.T) {
	b, err := os.ReadFile("../api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	type property struct {
		Type        string
		Description string
		Enum        []string
		Pattern     string
		Minimum     *float64
		Maximum     *float64
	}
	var document struct {
		Components struct {
			Schemas struct {
				Policy struct{ Properties map[string]property }
			}
		}
	}
	if err := json.Unmarshal(b, &document); err != nil {
		t.Fatal(err)
	}
	for i := range parameters {
		q := &parameters[i]
		want := property{Type: q.kind(), Description: q.about}
		got := document.Components.Schemas.Policy.Properties[q.name]
		switch {
		case q.form != nil:
			want.Pattern, want.Enum = q.form.String(), got.Enum
			if got.Enum != nil {
				got.Pattern = "^(" + strings.Join(got.Enum, "|") + ")$"
			}
		case want.Type == "integer" || want.Type == "number":
			want.Minimum, want.Maximum = new(q.lowest()), &q.most
		}
		if a, b := asJSON(t, got), asJSON(t, want); a != b {
			t.Errorf("%s is\n%s\nwant\n%s", q.name, a, b)
		}
	}
}

// TestEveryFieldIsAParameter: the fields of a request's policy, its name aside, are the
// parameters, and every one is some policy's; all policies take M.
func TestEveryFieldIsAParameter(t *testing.T) {
	if len(parameters) != len(fields)-1 {
		t.Errorf("%d parameters for the fields %v", len(parameters), fields)
	}
	for i := range parameters {
		q := &parameters[i]
		if _, ok := fields[q.name]; !ok {
			t.Errorf("%s is no field", q.name)
		}
		taken := 0
		for j := range table {
			if table[j].takes(q) {
				taken++
			}
		}
		if taken == 0 || q.name == "roots" && taken != len(table) {
			t.Errorf("%s is taken by %d policies", q.name, taken)
		}
	}
}
