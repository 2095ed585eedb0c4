package daemon

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"sparkd"
)

// file is a configuration file: its tables, and where each key of them stands.
type file struct {
	path   string
	text   []byte
	tables map[string]any
	places map[string]unstable.Position // by the dotted key
}

// readFile reads a configuration file; without a path it is empty.
func readFile(path string) (file, *sparkd.Error) {
	f := file{path: path, places: map[string]unstable.Position{}}
	if path == "" {
		return f, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return f, sparkd.Invalid("config", "name an existing file with -c, or leave -c out for the defaults",
			"%v", err).Because(err)
	}
	f.text = bytes.TrimPrefix(text, []byte("\ufeff")) // some editors begin a file with it
	if err := toml.Unmarshal(f.text, &f.tables); err != nil {
		f.tables = nil // as far as they were read
		return f, f.syntaxError(err)
	}
	p := &unstable.Parser{}
	p.Reset(f.text)
	table := ""
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = f.locate(p, "", e)
		case unstable.KeyValue:
			f.locate(p, table, e)
		}
	}
	return f, nil
}

func (f *file) syntaxError(err error) *sparkd.Error {
	place, text := f.path+": ", err.Error()
	var at *toml.DecodeError
	if errors.As(err, &at) {
		place, text = f.place(at.Position()), strings.TrimPrefix(text, "toml: ")
	}
	return sparkd.Invalid("config", "write TOML: [section] lines, and key = value lines below them",
		"%s%s", place, text).Because(err)
}

// place writes a place, whose column counts bytes, as the begin of a message: "sparkd.toml:3:1: ", in characters.
func (f *file) place(line, column int) string {
	text := bytes.Split(f.text, []byte("\n"))[line-1]
	return fmt.Sprintf("%s:%d:%d: ", f.path, line, utf8.RuneCount(text[:min(column-1, len(text))])+1)
}

// locate notes where the parts of the key of an expression stand, and those in an inline
// table. It returns the key, which is below table.
func (f *file) locate(p *unstable.Parser, table string, e *unstable.Node) string {
	key := table
	for it := e.Key(); it.Next(); {
		key = dotted(key, string(it.Node().Data))
		if _, ok := f.places[key]; !ok {
			f.places[key] = p.Shape(it.Node().Raw).Start
		}
	}
	if e.Kind == unstable.KeyValue && e.Value().Kind == unstable.InlineTable {
		for it := e.Value().Children(); it.Next(); {
			f.locate(p, key, it.Node())
		}
	}
	return key
}

func dotted(table, name string) string {
	if table == "" {
		return name
	}
	return table + "." + name
}

// where says where a key stands, as place does; "" where it does not.
func (f *file) where(key string) string {
	at, ok := f.places[key]
	if !ok {
		return ""
	}
	return f.place(at.Line, at.Column)
}

// names lists the names in a table in the order of the file.
func (f *file) names(table string, content map[string]any) []string {
	return slices.SortedFunc(maps.Keys(content), func(a, b string) int {
		first, second := f.places[dotted(table, a)].Offset, f.places[dotted(table, b)].Offset
		return cmp.Or(cmp.Compare(first, second), cmp.Compare(a, b))
	})
}
