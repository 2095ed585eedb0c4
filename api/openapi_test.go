package api_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sparkd"
	"sparkd/api"
)

// document is as much of OpenAPI 3.1 as openapi.json uses.
type document struct {
	OpenAPI    string
	Paths      map[string]map[string]operation
	Components struct {
		Schemas   map[string]schema
		Responses map[string]any
	}
}

type operation struct {
	Summary    string
	Parameters []struct{ Name, In string }
	Responses  map[string]any
	Security   *[]any
}

type schema struct {
	Ref        string `json:"$ref"`
	Type       string
	Format     string
	Enum       []string
	Items      *schema
	Properties map[string]schema
	Required   []string
}

func readDocument(t *testing.T) document {
	t.Helper()
	var d document
	if err := json.Unmarshal(api.OpenAPI, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// Every route is described and every description is a route, with the same query
// parameters, summary and need of a token.
func TestOpenAPIIsTheRouteTable(t *testing.T) {
	d := readDocument(t)
	described := 0
	for _, path := range d.Paths {
		described += len(path)
	}
	if described != len(api.Routes()) {
		t.Errorf("%d operations for %d routes", described, len(api.Routes()))
	}
	for _, r := range api.Routes() {
		op, ok := d.Paths[r.Pattern][strings.ToLower(r.Method)]
		if !ok {
			t.Errorf("%s %s is not described", r.Method, r.Pattern)
			continue
		}
		var query []string
		for _, p := range op.Parameters {
			if p.In == "query" {
				query = append(query, p.Name)
			}
		}
		slices.Sort(query)
		if !slices.Equal(query, slices.Sorted(slices.Values(r.Query))) {
			t.Errorf("%s %s: query %v, described %v", r.Method, r.Pattern, r.Query, query)
		}
		if op.Summary != r.Summary || (op.Security != nil && len(*op.Security) == 0) != r.Open {
			t.Errorf("%s %s: summary %q or security differs", r.Method, r.Pattern, op.Summary)
		}
	}
}

// Every schema has the fields of its Go type, of the same types, and requires those
// that are always written.
func TestOpenAPISchemasAreTheTypes(t *testing.T) {
	types := map[string]reflect.Type{
		"Error":   reflect.TypeFor[sparkd.Error](),
		"Rollout": reflect.TypeFor[sparkd.Rollout](), "Stats": reflect.TypeFor[sparkd.Stats](),
		"Tree": reflect.TypeFor[sparkd.Tree](), "Task": reflect.TypeFor[sparkd.Task](),
		"Node": reflect.TypeFor[sparkd.Node](), "Span": reflect.TypeFor[sparkd.Span](),
		"Turn": reflect.TypeFor[sparkd.Turn](), "Signals": reflect.TypeFor[sparkd.Signals](),
		"Decision": reflect.TypeFor[sparkd.Decision](), "Event": reflect.TypeFor[sparkd.Event](),
		"Engines": reflect.TypeFor[api.Engines](), "Replica": reflect.TypeFor[sparkd.Replica](),
		"SessionCalls": reflect.TypeFor[api.SessionCalls](), "EnvCall": reflect.TypeFor[sparkd.EnvCall](),
		"StaleAnswers": reflect.TypeFor[api.StaleAnswers](), "Info": reflect.TypeFor[api.Info](),
		"EngineInfo": reflect.TypeFor[sparkd.EngineInfo](), "EnvInfo": reflect.TypeFor[sparkd.EnvInfo](),
		"Capabilities": reflect.TypeFor[sparkd.Capabilities](),
	}
	requests := map[string]reflect.Type{ // nothing is required of them but what is tagged so
		"Spec": reflect.TypeFor[sparkd.Spec](), "Tasks": reflect.TypeFor[sparkd.Tasks](),
		"Policy": reflect.TypeFor[sparkd.Policy](), "Context": reflect.TypeFor[sparkd.Context](),
		"Sampling": reflect.TypeFor[sparkd.Sampling](), "Budget": reflect.TypeFor[sparkd.Budget](),
		"SessionSpec":    reflect.TypeFor[sparkd.SessionSpec](),
		"SessionAnswers": reflect.TypeFor[api.SessionAnswers](), "EnvAnswer": reflect.TypeFor[sparkd.EnvAnswer](),
		"Observation": reflect.TypeFor[sparkd.Observation](), "Weights": reflect.TypeFor[sparkd.Weights](),
		"Draining": reflect.TypeFor[api.Draining](),
	}
	maps.Copy(types, requests)
	d := readDocument(t)
	for name, typ := range types {
		s, ok := d.Components.Schemas[name]
		if !ok {
			t.Errorf("no schema %s", name)
			continue
		}
		properties := maps.Clone(s.Properties)
		var required []string
		for f := range typ.Fields() {
			tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if tag == "-" {
				continue
			}
			p, ok := properties[tag]
			if delete(properties, tag); !ok {
				t.Errorf("%s lacks %s", name, tag)
			} else if got, want := p.kind(), kindOf(f.Type, types); got != want {
				t.Errorf("%s.%s is %s, described as %s", name, tag, want, got)
			}
			if requests[name] == nil && options == "" || f.Tag.Get("required") == "true" {
				required = append(required, tag)
			}
		}
		if len(properties) > 0 {
			t.Errorf("%s has no %v", name, slices.Collect(maps.Keys(properties)))
		}
		if !slices.Equal(slices.Sorted(slices.Values(s.Required)), slices.Sorted(slices.Values(required))) {
			t.Errorf("%s requires %v, described %v", name, required, s.Required)
		}
	}
}

func (s schema) kind() string {
	switch {
	case s.Ref != "":
		return s.Ref[strings.LastIndex(s.Ref, "/")+1:]
	case s.Format == "date-time":
		return "time"
	case s.Type == "array":
		return "array of " + s.Items.kind()
	}
	return s.Type
}

func kindOf(t reflect.Type, named map[string]reflect.Type) string {
	if t == reflect.TypeFor[time.Time]() {
		return "time"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return kindOf(t.Elem(), named)
	case reflect.Slice:
		return "array of " + kindOf(t.Elem(), named)
	case reflect.Map:
		return "object"
	case reflect.Struct:
		for name, typ := range named {
			if typ == t {
				return name
			}
		}
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Float32, reflect.Float64:
		return "number"
	}
	return "integer"
}

func TestOpenAPIListsTheCodes(t *testing.T) {
	listed := readDocument(t).Components.Schemas["Error"].Properties["code"].Enum
	for code, status := range api.Statuses {
		if !slices.Contains(listed, string(code)) {
			t.Errorf("%s (%d) is not listed", code, status)
		}
	}
	if len(listed) != len(api.Statuses) {
		t.Errorf("%d codes are listed, %d have a status", len(listed), len(api.Statuses))
	}
}

// The document served is the one embedded.
func TestOpenAPIIsServed(t *testing.T) {
	s := serve(t, newFake(), api.Options{})
	if got := text(t, s.do("GET", "/openapi.json", "")); got != string(api.OpenAPI) {
		t.Errorf("%d bytes served, %d embedded", len(got), len(api.OpenAPI))
	}
}
