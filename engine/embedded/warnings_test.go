//go:build cgo

package embedded

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// scripts/cgoflags switches all warnings off for the sake of llama.cpp, so our own C++ is
// compiled once more, with warnings as errors.
func TestOurCodeHasNoWarnings(t *testing.T) {
	env, err := exec.Command("go", "env", "CXX", "CGO_CXXFLAGS").Output()
	if err != nil {
		t.Fatal(err)
	}
	compiler, flags, _ := strings.Cut(strings.TrimSpace(string(env)), "\n")
	args := strings.Fields(compiler)
	for _, flag := range strings.Fields(flags) {
		if flag != "-w" {
			args = append(args, flag)
		}
	}
	args = append(args, "-fsyntax-only", "-std=c++17", "-DNDEBUG", "-isystem", "include",
		"-Wall", "-Wextra", "-Wno-psabi", "-Werror")
	files, err := filepath.Glob("*.cpp")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		cmd := exec.CommandContext(t.Context(), args[0], append(args[1:len(args):len(args)], file)...)
		cmd.Env = append(os.Environ(), "LC_ALL=C")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%.3000s", file, err, out)
		}
	}
}
