package sparkd_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rooms says which packages of this module the non-test files of a folder may import.
// The most specific folder counts; what lies inside one room may import each other where
// the room says so. Arrows point down: nothing here may ever form a circle.
var rooms = map[string][]string{
	".":                                {},
	"branching":                        {"."},
	"branching/advantage":              {"."},
	"branching/measure":                {".", "branching"},
	"bundled":                          {"."},
	"prefixcache":                      {"."},
	"procgroup":                        {},
	"sampler":                          {".", "branching", "prefixcache"},
	"sampler/coldstart":                {".", "sampler", "sampler/engine/remote", "sampler/env/alfworld"},
	"sampler/engine":                   {".", "sampler/engine/ollama", "sampler/engine/openai", "sampler/engine/pool", "sampler/engine/remote"},
	"sampler/engine/embedded":          {".", "prefixcache"},
	"sampler/engine/embedded/gguftest": {},
	"sampler/engine/remote":            {"."},
	"sampler/engine/pool":              {".", "prefixcache", "sampler/engine/remote"},
	"sampler/engine/openai":            {".", "sampler/engine/remote"},
	"sampler/engine/ollama":            {".", "sampler/engine/remote"},
	"sampler/engine/enginetest":        {"."},
	"sampler/env":                      {".", "sampler/env/alfworld", "sampler/env/exec", "sampler/env/openenv", "sampler/env/agentgym", "sampler/env/mcp", "sampler/env/client"},
	"sampler/env/alfworld":             {".", "sampler/env/near"},
	"sampler/env/exec":                 {".", "procgroup", "sampler/env/near"},
	"sampler/env/openenv":              {".", "sampler/env/remote"},
	"sampler/env/agentgym":             {".", "sampler/env/remote"},
	"sampler/env/mcp":                  {".", "procgroup", "sampler/env/remote"},
	"sampler/env/client":               {".", "sampler/env/remote"},
	"sampler/env/remote":               {"."},
	"sampler/env/near":                 {},
	"sampler/env/envtest":              {"."},
	"store":                            {"."},
	"store/export":                     {".", "branching", "branching/advantage", "store"},
	"store/export/reward":              {".", "procgroup"},
	"api":                              {".", "store/export"},
	"api/client":                       {".", "api"},
	"daemon":                           {".", "branching", "branching/advantage", "bundled", "prefixcache", "sampler", "sampler/engine", "sampler/engine/embedded", "sampler/env", "sampler/env/client", "sampler/env/near", "store", "store/export", "api"},
	"daemon/daemontest":                {".", "daemon"},
	"bench":                            {},
	"cmd/sparkd":                       {".", "branching", "branching/measure", "daemon", "api", "api/client", "store", "store/export", "store/export/reward", "sampler", "sampler/coldstart", "sampler/env", "sampler/env/alfworld", "sampler/env/near", "sampler/engine/embedded"},
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
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "out") {
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
			if !mine || slices.Contains(rooms[r], inside) {
				continue
			}
			if to, _ := room(inside); to == r && inside != f.folder {
				continue // packages of one room
			}
			t.Errorf("%s imports %s; %s may import %v", f.name, p, r, rooms[r])
		}
		if slices.Contains(f.imports, "C") && f.folder != "sampler/engine/embedded" {
			t.Errorf("%s uses cgo, which stays inside sampler/engine/embedded", f.name)
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
