package sampler

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sparkd/internal/jinja/jinjatest"
)

var update = flag.Bool("update", false, "ask Jinja2 for testdata/rendered.json anew")

// conversations are the cases of testdata/rendered.json.
var conversations = func() map[string][]message {
	s := message{"system", "Rules.\nTwo lines."}
	u := message{"user", "You see a \"box\"."}
	a := message{"assistant", "<think>a\nb</think>\n<action>open box</action>"}
	u2 := message{"user", "Open: café ☃"}
	return map[string][]message{
		"system": {s, u}, "user": {u}, "turns": {s, u, a, u2}, "turns without system": {u, a, u2},
	}
}()

// Templates in the manner of those of well-known models are rendered exactly as Jinja2 renders them.
func TestJinjaLikeJinja2(t *testing.T) {
	const golden = "testdata/rendered.json"
	if *update {
		text, _ := json.MarshalIndent(rendered(t), "", " ")
		if err := os.WriteFile(golden, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]string
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	for id, want := range want {
		t.Run(id, func(t *testing.T) {
			part := strings.Split(id, "/")
			j, err := parseJinja(templateSource(t, part[0]), "<s>", "</s>")
			if err != nil {
				t.Fatal(err)
			}
			got, err := j.render(conversations[part[1]], part[0] == "parts", part[2] == "prompt")
			if reason, raised := strings.CutPrefix(want, "error: "); raised {
				if err == nil || !strings.Contains(err.Error(), reason) {
					t.Fatalf("got %q, error %v; want the error %q", got, err, reason)
				}
				return
			}
			if err != nil || got != want {
				t.Errorf("got %q, error %v\nwant %q", got, err, want)
			}
		})
	}
}

// rendered asks Jinja2.
func rendered(t *testing.T) map[string]string {
	out, reference := map[string]string{}, jinjatest.NewReference(t)
	files, _ := filepath.Glob("testdata/templates/*.jinja")
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".jinja")
		source := templateSource(t, name)
		j, err := parseJinja(source, "<s>", "</s>")
		if err != nil {
			t.Fatal(err)
		}
		for id, messages := range conversations {
			for how, prompt := range map[string]bool{"prompt": true, "closed": false} {
				if _, err := j.render(messages, name == "parts", prompt); err != nil && len(j.empty) > 0 {
					t.Fatal(err)
				}
				text, err := reference.Render(t, source, j.vars(messages, name == "parts", prompt))
				if err != nil {
					_, reason, _ := strings.Cut(err.Error(), ": ")
					text = "error: " + reason
				}
				out[name+"/"+id+"/"+how] = text
			}
		}
	}
	return out
}

func templateSource(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata/templates", name+".jinja"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
