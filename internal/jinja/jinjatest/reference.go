// Package jinjatest runs Jinja2 beside the tests of package jinja and of those who use it.
package jinjatest

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"sparkd/internal/jinja"
)

//go:embed reference.py
var script string

// Reference is a Python process that renders with Jinja2, set up as transformers does.
type Reference struct {
	in  *json.Encoder
	out *bufio.Reader
}

// NewReference starts the process; it ends with the test. The test fails where python3 or its package jinja2 is
// missing: whoever asks for the comparison wants it.
func NewReference(t testing.TB) *Reference {
	t.Helper()
	if err := exec.CommandContext(t.Context(), "python3", "-c", "import jinja2").Run(); err != nil {
		t.Fatalf("the comparison needs python3 with Jinja2: python3 -m pip install jinja2 (%v)", err)
	}
	c := exec.Command("python3", "-c", script)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = c.Wait() // it ends with its input
	})
	return &Reference{json.NewEncoder(in), bufio.NewReader(out)}
}

// Render returns what Jinja2 makes of a template, or its error.
func (r *Reference) Render(t testing.TB, source string, vars jinja.Object) (string, error) {
	t.Helper()
	if vars == nil {
		vars = jinja.Object{}
	}
	err := r.in.Encode(struct {
		Source string       `json:"source"`
		Vars   jinja.Object `json:"vars"`
	}{source, vars})
	if err != nil {
		t.Fatal(err)
	}
	line, err := r.out.ReadBytes('\n')
	if err != nil {
		t.Fatal("Jinja2 does not answer: ", err)
	}
	var answer struct{ Text, Error string }
	if err := json.Unmarshal(line, &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Error != "" {
		return "", errors.New(answer.Error)
	}
	return answer.Text, nil
}

// PrintFigure prints a result as a line of JSON of the form that the benchmarks have.
func PrintFigure(name string, value int, detail any) {
	line, _ := json.Marshal(struct {
		Name   string `json:"figure"`
		Value  int    `json:"value"`
		Detail any    `json:"detail"`
	}{name, value, detail})
	fmt.Println(string(line))
}
