package export

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sparkd"
)

// TestDocumented keeps docs/export.md equal to the code: its tables are the field comments
// of the line types and of the manifest, and it names every format and parameter.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/export.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, spec := range lineTypes(t) {
		if want := table(t, spec); !strings.Contains(string(page), want) {
			t.Errorf("docs/export.md lacks the table of %s, which is now:\n\n%s", name, want)
		}
	}
	for _, name := range append(Formats(), filterKeys...) {
		if !strings.Contains(string(page), "| `"+name+"` |") {
			t.Errorf("docs/export.md has no row of %s", name)
		}
	}
	for _, p := range Parameters() {
		if !strings.Contains(string(page), "| `"+p.Name+"` |") {
			t.Errorf("docs/export.md has no row of the parameter %s", p.Name)
		}
	}
	for _, format := range []string{"rows", "tree", "verl"} {
		example := DefaultOptions()
		example.Format = format
		lines := strings.SplitAfter(string(export(t, example, []*sparkd.Tree{toy()})), "\n")
		if !strings.Contains(string(page), lines[0]) {
			t.Errorf("docs/export.md lacks the example of %s, which is now:\n\n%s", format, lines[0])
		}
	}
}

// lineTypes returns the declarations of all types that lines and manifests are made of.
func lineTypes(t *testing.T) map[string]*ast.TypeSpec {
	wanted := map[string]bool{}
	for i := range formats {
		collect(reflect.TypeOf(formats[i].line), wanted)
	}
	wanted["Manifest"], wanted["LeftOut"] = true, true
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	specs := map[string]*ast.TypeSpec{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok && wanted[spec.Name.Name] {
				specs[spec.Name.Name] = spec
			}
			return true
		})
	}
	if len(specs) != len(wanted) {
		t.Fatalf("%d of %d types found", len(specs), len(wanted))
	}
	return specs
}

func collect(typ reflect.Type, names map[string]bool) {
	switch typ.Kind() {
	case reflect.Slice, reflect.Pointer:
		collect(typ.Elem(), names)
	case reflect.Struct:
		names[typ.Name()] = true
		for i := range typ.NumField() {
			collect(typ.Field(i).Type, names)
		}
	}
}

func table(t *testing.T, spec *ast.TypeSpec) string {
	s := "| field | type | what it is |\n|---|---|---|\n"
	for _, f := range spec.Type.(*ast.StructType).Fields.List {
		name, _, _ := strings.Cut(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json"), ",")
		if f.Comment == nil {
			t.Fatalf("%s.%s has no comment", spec.Name.Name, name)
		}
		s += fmt.Sprintf("| `%s` | %s | %s |\n", name, jsonType(f.Type), strings.TrimSpace(f.Comment.Text()))
	}
	return s
}

// jsonType says in words what JSON a Go type becomes.
func jsonType(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.StarExpr:
		return jsonType(x.X)
	case *ast.ArrayType:
		return "list of " + jsonType(x.Elt)
	case *ast.MapType:
		return "object"
	case *ast.SelectorExpr: // of another package
		switch x.Sel.Name {
		case "Token":
			return "integer"
		case "Options":
			return "object"
		}
		return "string"
	case *ast.Ident:
		switch x.Name {
		case "string":
			return "string"
		case "int", "int32", "int64", "uint64":
			return "integer"
		case "float64", "float32":
			return "number"
		case "bool":
			return "boolean"
		}
		return "object"
	}
	return "string"
}
