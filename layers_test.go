package sparkd_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rooms says which packages of this module the non-test files of a folder import, neither
// more nor less, a folder a line. The most specific folder counts; what lies inside one room
// may import each other. Arrows point down: nothing here may ever form a circle.
var rooms = readRooms(`
.:
branching: .
branching/advantage: .
branching/measure: .
bundled: .
prefixcache: .
sampler: . branching internal/excerpt internal/jinja internal/settings prefixcache
coldstart: . env env/alfworld internal/httpclient internal/oneline sampler

engine: . engine/generic engine/llamaserver engine/ollama engine/pool engine/remote engine/sglang engine/vllm
	internal/httpclient internal/settings
engine/embedded: . internal/settings prefixcache
engine/embedded/gguftest:
engine/remote: . internal/httpclient internal/loopback prefixcache
engine/generic: . engine/remote internal/httpclient
engine/llamaserver: . engine/remote prefixcache
engine/sglang: . engine/remote internal/httpclient
engine/vllm: . engine/remote
engine/pool: . internal/excerpt internal/httpclient prefixcache
engine/ollama: . engine/remote internal/httpclient
engine/enginetest: . prefixcache

env: . env/agentgym env/alfworld env/mcp env/openenv env/session env/worker internal/settings
env/alfworld: . internal/suggest
env/worker: . internal/excerpt internal/jsonlines internal/suggest
env/openenv: . env/connector
env/agentgym: . env/connector internal/httpclient
env/mcp: . env/connector internal/excerpt internal/jsonlines
env/session: . env/connector
env/connector: . internal/excerpt internal/httpclient
env/contract: . internal/supervisor
env/envtest: . env/contract

internal/excerpt:
internal/httpclient: . internal/excerpt
internal/gguf:
internal/jinja:
internal/jinja/jinjatest: internal/jinja
internal/jsonlines: internal/excerpt internal/supervisor internal/surrogate
internal/loopback:
internal/oneline:
internal/settings: . internal/excerpt
internal/sparse:
internal/suggest:
internal/supervisor:
internal/surrogate:
internal/wholefile:

store: . internal/settings internal/sparse
store/storetest: internal/sparse
export: . branching/advantage internal/oneline
export/fixture: export export/exporttest
export/exporttest: .
export/reward: . internal/excerpt internal/jsonlines internal/oneline

api: . export internal/loopback internal/oneline internal/settings internal/surrogate
api/client: . api
daemon: . api branching branching/advantage bundled daemon/schedule engine engine/embedded engine/remote
	env env/session export internal/gguf internal/settings internal/suggest sampler store
daemon/schedule:
daemon/daemontest: .
bench:
cmd/sparkd: . api api/client branching branching/advantage branching/measure cmd/sparkd/report coldstart daemon
	env env/contract export export/reward internal/oneline internal/suggest internal/wholefile sampler store
cmd/sparkd/report: . branching/measure
`)

func readRooms(table string) map[string][]string {
	rooms, folder := map[string][]string{}, ""
	for line := range strings.Lines(table) {
		list := line
		if name, after, ok := strings.Cut(line, ":"); ok {
			folder, list = name, after
			rooms[folder] = nil
		}
		rooms[folder] = append(rooms[folder], strings.Fields(list)...)
	}
	delete(rooms, "")
	return rooms
}

// room returns the entry of rooms that rules folder.
func room(folder string) (string, bool) {
	for d := folder; ; d = filepath.ToSlash(filepath.Dir(d)) {
		if _, ok := rooms[d]; ok && (d != "." || folder == ".") {
			return d, true
		}
		if d == "." {
			return "", false
		}
	}
}

type goFile struct {
	folder, name string
	imports      []string
	pkg          string
	doc          bool
}

func goFiles(t *testing.T) []goFile {
	t.Helper()
	var files []goFile
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") ||
			d.Name() == "testdata" || d.Name() == "out") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		g := goFile{folder: filepath.ToSlash(filepath.Dir(path)), name: path, pkg: f.Name.Name, doc: f.Doc != nil}
		for _, i := range f.Imports {
			p, _ := strconv.Unquote(i.Path.Value)
			g.imports = append(g.imports, p)
		}
		files = append(files, g)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestImportsKeepTheDirectionOfTheRooms(t *testing.T) {
	made := map[[2]string]bool{} // from a room, of a package
	for _, f := range goFiles(t) {
		r, ok := room(f.folder)
		if !ok {
			t.Errorf("%s lies in no room: add its folder to rooms", f.name)
			continue
		}
		for _, p := range f.imports {
			if r == "." && strings.Contains(strings.Split(p, "/")[0], ".") {
				t.Errorf("%s imports %s: the domain uses the standard library only", f.name, p)
			}
			inside, mine := strings.CutPrefix(p, "sparkd/")
			if p == "sparkd" {
				inside, mine = ".", true
			}
			if !mine {
				continue
			}
			made[[2]string{r, inside}] = true
			if to, _ := room(inside); slices.Contains(rooms[r], inside) || to == r && inside != f.folder {
				continue
			}
			t.Errorf("%s imports %s; %s may import %v", f.name, p, r, rooms[r])
		}
		if slices.Contains(f.imports, "C") && f.folder != "engine/embedded" {
			t.Errorf("%s uses cgo, which stays inside engine/embedded", f.name)
		}
	}
	for r, may := range rooms {
		for _, p := range may {
			if !made[[2]string{r, p}] {
				t.Errorf("%s may import %s and does not: take it out of rooms", r, p)
			}
		}
	}
}

// A package's name says which one it is, wherever it is imported.
func TestPackageNamesAreDistinct(t *testing.T) {
	folders := map[string]string{}
	for _, f := range goFiles(t) {
		if other, ok := folders[f.pkg]; ok && other != f.folder && f.pkg != "main" {
			t.Errorf("%s and %s are both named %s", other, f.folder, f.pkg)
		}
		folders[f.pkg] = f.folder
	}
	std, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Name}}", "std").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(string(std)) {
		if folder, ok := folders[name]; ok && name != "main" {
			t.Errorf("%s is named like the standard library's %s", folder, name)
		}
	}
}

func TestEveryPackageHasADocComment(t *testing.T) {
	docs := map[string]bool{}
	for _, f := range goFiles(t) {
		docs[f.folder] = docs[f.folder] || f.doc
	}
	for folder, ok := range docs {
		if !ok {
			t.Errorf("package %s has no doc comment", folder)
		}
	}
}
