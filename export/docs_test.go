package export

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"

	"sparkd"
)

// TestDocumented keeps docs/export.md and docs/formats.md equal to the code: its tables are the fields of the
// formats and those of the manifest with their comments, and it names every format and
// parameter.
func TestDocumented(t *testing.T) {
	page := ""
	for _, name := range []string{"export", "formats"} {
		text, err := os.ReadFile("../docs/" + name + ".md")
		if err != nil {
			t.Fatal(err)
		}
		page += string(text) + "\n" // a blank line ends every table
	}
	tables := map[string]bool{}
	for i := range formats {
		f := &formats[i]
		fieldTables(f.lines.typ(), tables)
		if row := fmt.Sprintf("\n| `%s` | %s |", f.name, f.about); !strings.Contains(page, row) {
			t.Errorf("docs/export.md has no row of %s, which is %s", f.name, f.about)
		}
	}
	tables[tableHead+commentRows(t, "Recipe")+commentRows(t, "Manifest")] = true
	tables[tableHead+commentRows(t, "LeftOut")] = true
	for table := range tables {
		if !strings.Contains(page, table+"\n") {
			t.Errorf("docs/formats.md lacks this table, or it has other rows:\n\n%s", table)
		}
	}
	for _, name := range filterKeys() {
		if !strings.Contains(page, "| `"+name+"` |") {
			t.Errorf("docs/export.md has no row of %s", name)
		}
	}
	for _, p := range Parameters() {
		row := fmt.Sprintf("| `%s` | %s |", p.Name, strings.ReplaceAll(p.About, "`", ""))
		if !strings.Contains(page, row) {
			t.Errorf("docs/export.md has no row of the parameter %s, which is: %s", p.Name, row)
		}
	}
	for _, format := range []string{"rows", "tree", "verl"} {
		example := DefaultOptions()
		example.Format = format
		line, _, _ := strings.Cut(string(export(t, example, []*sparkd.Tree{toy()})), "\n")
		if want := "```json\n" + wrapped(line) + "```\n"; !strings.Contains(page, want) {
			t.Errorf("docs/formats.md lacks the example of %s, which is now:\n\n%s", format, want)
		}
	}
}

// wrapped breaks a line of JSON behind commas, for a page.
func wrapped(line string) string {
	const width = 120
	var page strings.Builder
	column := 0
	for item := range strings.SplitAfterSeq(line, ",") {
		if column > 0 && column+len(item) > width {
			page.WriteByte('\n')
			column = 0
		}
		page.WriteString(item)
		column += len(item)
	}
	return page.String() + "\n"
}

const tableHead = "| field | type | what it is |\n|---|---|---|\n"

// fieldTables adds the table of an object, and those of the objects inside it.
func fieldTables(t reflect.Type, tables map[string]bool) {
	switch t.Kind() {
	case reflect.Slice, reflect.Pointer:
		fieldTables(t.Elem(), tables)
	case reflect.Struct:
		table := tableHead
		for f := range t.Fields() {
			table += fmt.Sprintf("| `%s` | %s | %s |\n", jsonName(f.Tag), jsonType(f.Type), f.Tag.Get("about"))
			fieldTables(f.Type, tables)
		}
		tables[table] = true
	}
}

func jsonName(tag reflect.StructTag) string {
	name, _, _ := strings.Cut(tag.Get("json"), ",")
	return name
}

// jsonType says in words what JSON a Go type becomes.
func jsonType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return jsonType(t.Elem())
	case reflect.Slice:
		return "list of " + jsonType(t.Elem())
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Struct, reflect.Map:
		return "object"
	}
	return "integer"
}

// commentRows is the table of a struct type of manifest.go, whose fields' comments say what
// they mean.
func commentRows(t *testing.T, name string) string {
	file, err := parser.ParseFile(token.NewFileSet(), "manifest.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]reflect.Type{"Recipe": reflect.TypeFor[Recipe](),
		"Manifest": reflect.TypeFor[Manifest](), "LeftOut": reflect.TypeFor[LeftOut]()}
	rows := ""
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != name {
			return true
		}
		for _, f := range spec.Type.(*ast.StructType).Fields.List {
			if len(f.Names) == 0 { // the fields of Recipe
				continue
			}
			field, _ := types[name].FieldByName(f.Names[0].Name)
			about := strings.TrimSpace(f.Comment.Text())
			if about == "" {
				t.Errorf("%s.%s has no comment", name, field.Name)
			}
			rows += fmt.Sprintf("| `%s` | %s | %s |\n", jsonName(field.Tag), jsonType(field.Type), about)
		}
		return false
	})
	return rows
}
