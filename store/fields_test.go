package store

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestFieldsAreNamed: the tables name every field of the domain as its JSON does.
func TestFieldsAreNamed(t *testing.T) {
	named(t, nodeFields, "id") // it follows from the block's key
	named(t, spanFields)
	named(t, turnFields)
	named(t, errorFields)
	named(t, signalsFields)
	named(t, decisionFields)
}

func named[T any](t *testing.T, m message[T], without ...string) {
	have := map[string]bool{}
	for _, f := range m {
		if have[f.name] {
			t.Errorf("%s is listed twice", f.name)
		}
		have[f.name] = true
	}
	for _, name := range without {
		have[name] = true
	}
	want := map[string]bool{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" {
			want[name] = true
		}
	}
	if !reflect.DeepEqual(have, want) {
		t.Errorf("%s: the table has %v, the type %v", reflect.TypeFor[T](), have, want)
	}
}

// TestFieldsAreDocumented: docs/store.md has the tables as the code has them.
func TestFieldsAreDocumented(t *testing.T) {
	var want strings.Builder
	want.WriteString("| message | number | field | kind |\n|---|---|---|---|\n")
	document(&want, "Block", blockFields)
	document(&want, "Node", nodeFields)
	document(&want, "Span", spanFields)
	document(&want, "Turn", turnFields)
	document(&want, "Signals", signalsFields)
	document(&want, "Decision", decisionFields)
	document(&want, "Error", errorFields)
	document(&want, "Timestamp", timestampFields)
	page, err := os.ReadFile("../docs/store.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "\n"+want.String()+"\n") {
		t.Errorf("docs/store.md must have this table:\n%s", want.String())
	}
}

func document[T any](b *strings.Builder, name string, m message[T]) {
	name += " "
	for i, f := range m {
		fmt.Fprintf(b, "| %s| %d | `%s` | %s |\n", name, i+1, f.name, f.about)
		name = ""
	}
}
