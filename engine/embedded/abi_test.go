package embedded

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// moduleDir is where the pinned ollama module lies.
func moduleDir(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/ollama/ollama").Output()
	if err != nil || len(strings.TrimSpace(string(out))) == 0 {
		t.Fatalf("go list -m: %v", err)
	}
	return strings.TrimSpace(string(out))
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The headers in include/ must be those of the module that is linked.
func TestHeadersAreTheModules(t *testing.T) {
	dir := moduleDir(t)
	ggml := filepath.Join(dir, "ml/backend/ggml/ggml/include")
	for name, from := range map[string]string{
		"llama.h": filepath.Join(dir, "llama/llama.cpp/include"), "ggml.h": ggml, "ggml-cpu.h": ggml,
		"ggml-backend.h": ggml, "ggml-alloc.h": ggml, "ggml-opt.h": ggml, "ggml-cpp.h": ggml, "gguf.h": ggml,
		"llama-cpp.h": filepath.Join(dir, "llama/llama.cpp/include"),
	} {
		if read(t, "include", name) != read(t, from, name) {
			t.Errorf("include/%s is not the module's; copy it from %s", name, from)
		}
	}
}

var (
	comments = regexp.MustCompile(`//[^\n]*`)
	spaces   = regexp.MustCompile(`\s+`)
)

func plain(s string) string {
	return strings.TrimSpace(spaces.ReplaceAllString(comments.ReplaceAllString(s, ""), " "))
}

// section is the text of a declaration, from its head to the first "};" behind it.
func section(t *testing.T, source, head string) string {
	t.Helper()
	i := strings.Index(source, head)
	if i < 0 {
		t.Fatalf("no %q", head)
	}
	j := strings.Index(source[i:], "};")
	return plain(source[i : i+j])
}

// What ggml_internal.h declares for itself must be what the module was compiled with.
func TestInternalDeclarationsAreTheModules(t *testing.T) {
	src := filepath.Join(moduleDir(t), "ml/backend/ggml/ggml/src")
	ours := read(t, "ggml_internal.h")
	for head, file := range map[string]string{
		"struct ggml_compute_params {":        "ggml-cpu/ggml-cpu-impl.h",
		"struct ggml_backend_buffer_type_i {": "ggml-backend-impl.h",
		"struct ggml_backend_buffer_type {":   "ggml-backend-impl.h",
		"class tensor_traits {":               "ggml-cpu/traits.h",
		"class extra_buffer_type {":           "ggml-cpu/traits.h",
	} {
		theirs := read(t, src, file)
		if a, b := section(t, ours, head), section(t, theirs, head); a != b {
			t.Errorf("%s differs from %s:\n%s\n%s", head, file, a, b)
		}
	}
}
