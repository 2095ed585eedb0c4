package api_test

import (
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sparkd/api"
)

var curlURL = regexp.MustCompile(`curl [^\n]*?http://[a-z0-9.]+:8787([^'\s]*)`)

// docs/api.md has every route, every code with its status, and no curl command that
// the server would not understand.
func TestDocs(t *testing.T) {
	b, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	docs := string(b)
	shown := map[string]bool{}
	for _, m := range curlURL.FindAllStringSubmatch(docs, -1) {
		u, err := url.Parse(m[1])
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(api.Routes(), func(r api.Route) bool {
			pattern := strings.ReplaceAll(regexp.QuoteMeta(r.Pattern), `\{id\}`, "[^/]+")
			return regexp.MustCompile("^" + pattern + "$").MatchString(u.Path)
		})
		if i < 0 {
			t.Errorf("curl %s: no such route", m[1])
			continue
		}
		shown[api.Routes()[i].Pattern] = true
		for name := range u.Query() {
			if !slices.ContainsFunc(api.Routes(), func(r api.Route) bool {
				return r.Pattern == api.Routes()[i].Pattern && slices.Contains(r.Query, name)
			}) {
				t.Errorf("curl %s: no such parameter", m[1])
			}
		}
	}
	for _, r := range api.Routes() {
		if !shown[r.Pattern] || !strings.Contains(docs, "[`"+r.Method+" "+r.Pattern+"`]") {
			t.Errorf("%s %s is not shown", r.Method, r.Pattern)
		}
	}
	for code, status := range api.Statuses {
		row := regexp.MustCompile(fmt.Sprintf("(?m)^\\|[^|]*`%s`[^|]*\\| %d \\|", code, status))
		if !row.MatchString(docs) {
			t.Errorf("the table of errors lacks %s, %d", code, status)
		}
	}
}
