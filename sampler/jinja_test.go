package sampler

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// conversations are the cases of testdata/render.py.
var conversations = func() map[string][]message {
	s := message{"system", "Rules.\nTwo lines."}
	u := message{"user", "You see a \"box\"."}
	a := message{"assistant", "<think>a\nb</think>\n<action>open box</action>"}
	u2 := message{"user", "Open: café ☃"}
	return map[string][]message{
		"system": {s, u}, "user": {u}, "turns": {s, u, a, u2}, "turns without system": {u, a, u2},
	}
}()

// The library renders real-world templates exactly as Jinja2 does (testdata/render.py).
func TestJinjaLikeJinja2(t *testing.T) {
	data, err := os.ReadFile("testdata/rendered.json")
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
			got, err := j.render(conversations[part[1]], part[2] == "prompt")
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

func templateSource(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata/templates", name+".jinja"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
