package sparkd_test

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// NOTICE names every module that the binary ships, in the version of go.mod.
func TestNoticeIsCurrent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: NOTICE is that of the binary for Linux")
	}
	notice, err := os.ReadFile("NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	shipped := map[string]bool{}
	for line := range strings.Lines(string(notice)) {
		shipped[strings.TrimSpace(line)] = true
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f",
		"{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}", "./cmd/sparkd")
	list.Env = append(os.Environ(), "CGO_ENABLED=1")
	modules, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for module := range strings.Lines(string(modules)) {
		if module = strings.TrimSpace(module); module != "" && !shipped[module] {
			t.Errorf("NOTICE lacks %s: run make notice", module)
			shipped[module] = true
		}
	}
}
