package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sparkd"
	"sparkd/export"
)

// folder lists what is in the folder of a file.
func folder(t *testing.T, path string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// A file is there whole, with its manifest, or both are as they were: after an error, a panic and an interrupt.
func TestOutputIsWhole(t *testing.T) {
	var stdout, stderr screenText
	c := &cli{stdout: &stdout, stderr: &stderr}
	path := filepath.Join(t.TempDir(), "rows.jsonl")
	manifest := func(text string, err error) func() (string, []byte, error) {
		return func() (string, []byte, error) { return export.ManifestPath(path), []byte(text), err }
	}
	write := func(text string, err error) func(io.Writer) error {
		return func(w io.Writer) error {
			if _, err := io.WriteString(w, text); err != nil {
				return err
			}
			return err
		}
	}
	broken := errors.New("broken")
	if err := c.outputWith(path, write("half", broken), manifest("m", nil)); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if got := folder(t, path); got != "" {
		t.Errorf("a file that broke leaves %s", got)
	}
	if err := c.outputWith(path, write("rows", nil), manifest("m", nil)); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		c.outputWith(path, write("half", broken), manifest("new", nil)),
		c.outputWith(path, write("new", nil), manifest("half", broken)),
		c.output(path, write("half", syscall.ENOSPC)),
	} {
		if err == nil {
			t.Error("no error")
		}
		if readFile(t, path)+readFile(t, export.ManifestPath(path)) != "rowsm" ||
			folder(t, path) != "rows.jsonl rows.jsonl.manifest.json" {
			t.Errorf("after an error there are %s: %s", folder(t, path), readFile(t, path))
		}
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan string)
	go func() {
		text, _ := os.ReadFile(fifo)
		read <- string(text)
	}()
	err := c.outputWith(fifo, write("rows", nil), manifest("m", nil))
	if got := <-read; err != nil || got != "rows" || folder(t, fifo) != "fifo" {
		t.Errorf("a pipe: %q, %v, beside it %s", got, err, folder(t, fifo))
	}
}

// An interrupted export leaves the file of an earlier one with its manifest, and says how to go on.
func TestInterruptedExport(t *testing.T) {
	s := newSession(t)
	s.job("first")
	out := filepath.Join(t.TempDir(), "rows.jsonl")
	interrupted := func(out string) result {
		signals := make(chan os.Signal, 1)
		var stdout screenText
		stderr := screenText{mark: "judge: started", found: make(chan string, 1)}
		go func() {
			<-stderr.found
			signals <- os.Interrupt
		}()
		args := []string{"export", "--out", out, "--reward-cmd", "sh -c 'echo judge: started >&2; exec sleep 60'"}
		return result{s.cli(nil, &stdout, &stderr).main(signals, args), stdout.String(), stderr.String()}
	}
	const nothing = "nothing was written; go on with\n  "
	if r := interrupted(out); r.code != exitInterrupted || !strings.Contains(r.stderr, nothing) ||
		folder(t, out) != "" {
		t.Errorf("a new file: %+v, in the folder %s", r, folder(t, out))
	}
	s.must("export", "--out", out)
	rows, manifest := readFile(t, out), readFile(t, export.ManifestPath(out))
	r := interrupted(out)
	if r.code != exitInterrupted || !strings.Contains(r.stderr, out+" is as it was before; go on with\n  ") {
		t.Errorf("an old file: %+v", r)
	}
	if readFile(t, out) != rows || readFile(t, export.ManifestPath(out)) != manifest ||
		folder(t, out) != "rows.jsonl rows.jsonl.manifest.json" {
		t.Errorf("the old pair is another, in the folder %s", folder(t, out))
	}
}

// A disk that is full has a remedy, whatever packs the lines.
func TestFullDisk(t *testing.T) {
	c := &cli{}
	for _, ending := range []string{".jsonl", ".jsonl.zst", ".parquet"} {
		err := c.output(filepath.Join(t.TempDir(), "rows"+ending), func(io.Writer) error {
			full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			if err != nil {
				t.Skip(err)
			}
			defer full.Close()
			packed, err := export.Pack(full, ending, "rows")
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.WriteString(packed, `{"tree":"t"}`+"\n")
			return errors.Join(err, packed.Close())
		})
		if e := sparkd.AsError(err); err == nil || e.Code != sparkd.CodeStore || e.Remedy == "" {
			t.Errorf("%s: %v", ending, err)
		}
	}
}
