package sparkd_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	unslug  = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`)
)

// headings are the anchors of a page, as a forge makes them.
func headings(page string) map[string]bool {
	out := map[string]bool{}
	for _, h := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		out[strings.ReplaceAll(unslug.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")] = true
	}
	return out
}

// Every link of a page to another, and to a heading, leads somewhere.
func TestLinks(t *testing.T) {
	for _, name := range tracked(t, ".md") {
		page, err := os.ReadFile(name)
		if err != nil {
			continue // removed and not yet committed
		}
		for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(string(page), ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			path, anchor, _ := strings.Cut(m[1], "#")
			to := name
			if path != "" {
				to = filepath.Join(filepath.Dir(name), path)
			}
			target, err := os.ReadFile(to)
			if info, e := os.Stat(to); e == nil && info.IsDir() {
				err = nil
			}
			if err != nil {
				t.Errorf("%s links to %s, which is not there", name, m[1])
			} else if anchor != "" && !headings(string(target))[anchor] {
				t.Errorf("%s links to %s, where there is no such heading", name, m[1])
			}
		}
	}
}
