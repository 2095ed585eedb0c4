package sampler

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sparkd/internal/jinja/jinjatest"
)

// SPARKD_TEMPLATES names a folder of chat templates: files *.jinja, and JSON with a chat_template. Each is cut into
// pieces and compared, piece by piece, with what Jinja2 renders; the result is printed as a line of JSON.
func TestTemplatesOfAFolder(t *testing.T) {
	folder := os.Getenv("SPARKD_TEMPLATES")
	if folder == "" {
		t.Skip("SKIPPED: SPARKD_TEMPLATES names no folder")
	}
	reference := jinjatest.NewReference(t)
	templates := readTemplates(t, folder)
	own, refused := 0, []string{}
	for _, name := range slices.Sorted(maps.Keys(templates)) {
		source := templates[name]
		got := NewTemplate(source, "<s>", "</s>", false)
		if got.Name != "model" {
			refused = append(refused, name+": "+got.Warning)
			continue
		}
		if t.Run(name, func(t *testing.T) { besideJinja2(t, reference, source) }) {
			own++
			continue
		}
		refused = append(refused, name+": differs from Jinja2")
	}
	jinjatest.PrintFigure("templates", own, map[string]any{"tried": len(templates), "refused": refused})
}

func readTemplates(t *testing.T, folder string) map[string]string {
	t.Helper()
	templates := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(folder, path)
		data, err := os.ReadFile(path)
		switch filepath.Ext(path) {
		case ".jinja":
			templates[name] = string(data)
		case ".json":
			var file struct {
				Template any `json:"chat_template"`
			}
			if json.Unmarshal(data, &file) != nil {
				break
			}
			if source, ok := file.Template.(string); ok {
				templates[name] = source
			}
		}
		return err
	})
	if err != nil || len(templates) == 0 {
		t.Fatalf("no templates in %s (%v)", folder, err)
	}
	return templates
}

// said is a conversation of a household: system text, user texts with answers between.
var said = []string{"You act in a text world.\n\n1. Say <think>why</think>.\n2. Act: <action>…</action>",
	"You are in a room; you see a desk 1 & a shelf 1.\n\n\nYour task: put a {book} in bed.",
	"It's on the shelf, I think.\n<action>go to shelf 1</action>", "On the shelf 1, you see a book 2 (red).",
	"Found it: 100%!\n<action>take book 2</action>", "You pick up the book 2.\n- bed 1\n- desk 1"}

// besideJinja2 holds the pieces against Jinja2's rendering of whole conversations of one, two and three user messages,
// with and without a system text. Only what stands before earlier answers may be something else than what stood there
// when they were new.
func besideJinja2(t *testing.T, reference *jinjatest.Reference, source string) {
	j, err := parseJinja(source, "<s>", "</s>")
	if err != nil {
		t.Fatal(err)
	}
	got, f, err := j.pieces(source)
	if err != nil {
		t.Fatal(err)
	}
	for _, system := range []string{said[0], ""} {
		for turns := 1; turns <= 3; turns++ {
			want, err := reference.Render(t, source, j.vars(conversation(system, turns, f.system), f.parts, true))
			if err != nil {
				if system != "" || !f.system {
					t.Errorf("Jinja2 refuses what the pieces are made of: %v", err)
				}
				continue // a template that demands a system message
			}
			if text := appended(got, system, turns); text != want {
				t.Errorf("%d turns, system text %q\nappended %q\nrendered %q", turns, system, text, want)
			}
		}
	}
}

func conversation(system string, turns int, systemMessage bool) (messages []message) {
	first := said[1]
	switch {
	case system == "":
	case systemMessage:
		messages = append(messages, message{"system", system})
	default:
		first = system + "\n\n" + first
	}
	messages = append(messages, message{"user", first})
	for i := 1; i < turns; i++ {
		messages = append(messages, message{"assistant", said[2*i]}, message{"user", said[2*i+1]})
	}
	return messages
}

// appended is the conversation of pieces, with what the template writes before earlier answers.
func appended(t *Template, system string, turns int) string {
	var examples []Exchange
	for i := 1; i < turns; i++ {
		examples = append(examples, Exchange{said[2*i-1], said[2*i]})
	}
	return spell(t.Opening(system, said[2*turns-1], examples...))
}
