package settings

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"sparkd/internal/excerpt"
)

// Setting is one field of an Options struct, under the section where users find it.
type Setting struct {
	Section, Name string // "store", "events"

	tag   reflect.StructTag
	value reflect.Value // addressable
}

// Of lists the settings among the fields of options, a pointer to a struct, in their order;
// those of an embedded struct are among them.
func Of(section string, options any) []Setting {
	var list []Setting
	for field, v := range reflect.ValueOf(options).Elem().Fields() {
		if name := field.Tag.Get("toml"); name != "" {
			list = append(list, Setting{section, name, field.Tag, v})
		} else if field.Anonymous {
			list = append(list, Of(section, v.Addr().Interface())...)
		}
	}
	return list
}

// Sections yields the Options structs of config, a pointer to a struct of them, with the names of their sections.
// A field may be a map of pointers to Options: each is a section named after the field and its key,
// "env.alfworld", in the order of the keys. Several fields may share a section.
func Sections(config any) iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for field, v := range reflect.ValueOf(config).Elem().Fields() {
			section := field.Tag.Get("toml")
			options := map[string]reflect.Value{section: v.Addr()}
			if v.Kind() == reflect.Map {
				clear(options)
				for name, o := range v.Seq2() {
					options[section+"."+name.String()] = o
				}
			}
			for _, name := range slices.Sorted(maps.Keys(options)) {
				if !yield(name, options[name].Interface()) {
					return
				}
			}
		}
	}
}

// List returns the settings of all sections of config.
func List(config any) []Setting {
	var list []Setting
	for section, options := range Sections(config) {
		list = append(list, Of(section, options)...)
	}
	return list
}

// Fill gives the settings that are zero their defaults. A default that cannot be read is a
// mistake in a tag, and panics.
func Fill(list []Setting) {
	for _, s := range list {
		text, ok := s.tag.Lookup("default")
		if !ok || !s.value.IsZero() {
			continue
		}
		if err := s.Set(text); err != nil {
			panic(fmt.Sprintf("settings: default of %s: %v", s.Key(), err))
		}
	}
}

// Default returns an Options struct in which every setting has its default.
func Default[Options any]() Options {
	var o Options
	Fill(Of("", &o))
	return o
}

// Key is the setting's full name: "store.events".
func (s Setting) Key() string { return s.Section + "." + s.Name }

// Variable is the environment variable that sets it: "SPARKD_STORE_EVENTS".
func (s Setting) Variable() string {
	return "SPARKD_" + strings.ToUpper(strings.ReplaceAll(s.Section, ".", "_")+"_"+s.Name)
}

// Set gives the setting the value that text means: an environment variable's or a flag's.
func (s Setting) Set(text string) error { return s.assign(s.form().parse(text)) }

// Assign gives the setting a value as a TOML parser decodes it: string, int64, bool, []any
// or map[string]any. The error says what was expected.
func (s Setting) Assign(v any) error { return s.assign(s.form().decode(v)) }

func (s Setting) assign(v any, err error) error {
	switch {
	case err == nil:
		s.value.Set(reflect.ValueOf(v))
	case s.tag.Get("secret") != "":
		return errors.New(addresses.ReplaceAllStringFunc(err.Error(), excerpt.Address))
	}
	return err
}

// Secret reports whether the value is never shown.
func (s Setting) Secret() bool { return s.tag.Get("secret") == "true" }

// addresses are what may hold a password in the message of an error.
var addresses = regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9+.-]*://[^\s"',]*`)

// String writes the value as TOML; a secret is masked, and what may be secret in addresses.
func (s Setting) String() string {
	switch {
	case s.Secret() && !s.value.IsZero():
		return `"********"`
	case s.tag.Get("secret") == "addresses":
		var shown []string
		for _, address := range s.value.Interface().([]string) {
			shown = append(shown, excerpt.Address(address))
		}
		return s.write(shown)
	}
	return s.write(s.value.Interface())
}

// Value is the value as a TOML parser decodes what String writes.
func (s Setting) Value() any {
	var decoded map[string]any
	if err := toml.Unmarshal([]byte("v = "+s.String()), &decoded); err != nil {
		panic(fmt.Sprintf("settings: value of %s: %v", s.Key(), err))
	}
	return decoded["v"]
}

// Default writes the default as TOML.
func (s Setting) Default() string {
	v := reflect.Zero(s.value.Type()).Interface()
	if text, ok := s.tag.Lookup("default"); ok {
		v, _ = s.form().parse(text) // Fill has read it
	}
	return s.write(v)
}

// Choices lists the values that the tag allows; nil where it does not say.
func (s Setting) Choices() []string {
	if choices := s.tag.Get("choices"); choices != "" {
		return strings.Split(choices, ",")
	}
	return nil
}

func (s Setting) write(v any) string { return s.form().write(v) }
