package contract_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sparkd/env/contract"
	"sparkd/env/worker"
)

// check checks a program, which is run by an interpreter, and returns the report.
func check(t *testing.T, program, code string, o contract.Options) *contract.Report {
	t.Helper()
	o.Source = opener(t, program, code)
	report, err := contract.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// opener opens a program, which is run by an interpreter; the log goes to the test's.
func opener(t *testing.T, program, code string) func(context.Context) (contract.Source, error) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("NOT RUN: there is no %s on PATH", program)
	}
	folder, err := filepath.Abs("../../python")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PYTHONPATH", folder)
	t.Setenv("PYTHONDONTWRITEBYTECODE", "1")
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context) (contract.Source, error) {
		return worker.Open(ctx, "mine", worker.Options{Command: []string{path, file}, Workers: 2,
			CallTimeout: 5 * time.Second, Log: func(line string) { t.Log(line) }})
	}
}

// The environments of the page keep the contract, as they stand there.
func TestDocumentedPrograms(t *testing.T) {
	page, err := os.ReadFile("../../docs/environments.md")
	if err != nil {
		t.Fatal(err)
	}
	for language, program := range map[string]string{"python": "python3", "js": "node", "sh": "sh"} {
		t.Run(language, func(t *testing.T) {
			_, code, _ := strings.Cut(string(page), "```"+language+"\n")
			code, _, found := strings.Cut(code, "```")
			if !found {
				t.Fatal("the page has no such program")
			}
			report := check(t, program, code, contract.Options{Seed: 1})
			states := map[string]contract.State{}
			for _, c := range report.Checks {
				states[c.Name] = c.State
				for i := range c.Faults {
					t.Errorf("%s: %v", c.Name, &c.Faults[i])
				}
			}
			for _, name := range []string{"copies its state", "replays in one call", "ends an episode once",
				"does not grow", "leaves nothing behind"} {
				if states[name] != contract.OK {
					t.Errorf("%s: %q", name, states[name])
				}
			}
		})
	}
}
