package jsonlines

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"sparkd/internal/excerpt"
	"sparkd/internal/surrogate"
)

// maxName is how many runes of a name an error shows.
const maxName = 100

// Fields reads the members of a JSON object strictly: by their exact names, of their exact types, each once. The
// first mistake is kept for End. Members that nobody reads are the worker's own affair.
type Fields struct {
	what    string // the object, in errors
	members map[string]json.RawMessage
	known   []string
	err     error
}

// FieldsOf splits a JSON object into its members; what it is, errors say.
func FieldsOf(what string, data []byte) *Fields {
	members, err := membersOf(data)
	f := &Fields{what: what, members: members}
	if err != nil {
		f.refuse("%v", err)
	}
	return f
}

func (f *Fields) refuse(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf("its %s cannot be read: %s", f.what, fmt.Sprintf(format, args...))
	}
}

// Raw returns a member as it is written, nil if it is not there.
func (f *Fields) Raw(name string) json.RawMessage {
	f.known = append(f.known, name)
	return f.members[name]
}

// Null reports whether a member is not there, or null, for readers to whom these are the same.
func (f *Fields) Null(name string) bool {
	raw := f.Raw(name)
	return raw == nil || string(raw) == "null"
}

// Read reads a member into v and reports whether it is there.
func (f *Fields) Read(name string, v any) bool {
	raw := f.Raw(name)
	if raw == nil {
		return false
	}
	if err := exact(raw); err != nil {
		f.refuse("%q is %s; write %s, or leave it out", name, err, kind(v))
	} else if json.Unmarshal(raw, v) != nil {
		f.refuse("%q is %s; write %s", name, excerpt.Line(raw), kind(v))
	}
	return true
}

// Need reads a member that must be there.
func (f *Fields) Need(name string, v any) {
	if f.Null(name) && f.err == nil {
		f.err = fmt.Errorf("its %s has no %s; write %s", f.what, name, kind(v))
	}
	f.Read(name, v)
}

// End returns the first mistake. A name in other letters is one: its value would be lost.
func (f *Fields) End() error {
	for _, name := range slices.Sorted(maps.Keys(f.members)) {
		i := slices.IndexFunc(f.known, func(k string) bool { return strings.EqualFold(k, name) })
		if i >= 0 && !slices.Contains(f.known, name) {
			f.refuse("the name of %q is written %q", excerpt.Text(name, maxName), f.known[i])
		}
	}
	return f.err
}

// kind words what v takes.
func kind(v any) string {
	switch v.(type) {
	case *string:
		return "a text"
	case *bool:
		return "true or false"
	case *float64:
		return "a finite number"
	case *[]float64:
		return "a list of finite numbers"
	case *int:
		return "a whole number"
	case *[]string:
		return "a list of texts"
	case *[]byte:
		return "bytes in base64"
	case *[]json.RawMessage:
		return "a list"
	}
	return "an object with a member for each split"
}

// membersOf splits one JSON object, and nothing after it, into its members.
func membersOf(data []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("it is no UTF-8")
	}
	if half := surrogate.Half(data); half != nil {
		return nil, fmt.Errorf("it has half of a surrogate pair, %s, which no text in UTF-8 has", data[half[0]:half[1]])
	}
	d := json.NewDecoder(bytes.NewReader(data))
	switch t, err := d.Token(); {
	case err != nil:
		return nil, notJSON(data, err)
	case t != json.Delim('{'):
		return nil, errors.New("it is no JSON object")
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		var value json.RawMessage
		name, err := d.Token()
		if err == nil {
			err = d.Decode(&value)
		}
		if err != nil {
			return nil, notJSON(data, err)
		}
		if members[name.(string)] != nil {
			return nil, fmt.Errorf("%q is there twice", excerpt.Text(name.(string), maxName))
		}
		members[name.(string)] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, notJSON(data, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the object")
	}
	return members, nil
}

// exact refuses what json.Unmarshal passes over: null, and names that are there twice.
func exact(raw []byte) error {
	switch raw[0] {
	case 'n':
		return errors.New("null")
	case '[':
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return err
		}
		for i, v := range list {
			if string(v) == "null" {
				return fmt.Errorf("a list with null at %d", i)
			}
		}
	case '{':
		members, err := membersOf(raw)
		if err != nil {
			return fmt.Errorf("an object in which %w", err)
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if err := exact(members[name]); err != nil {
				return fmt.Errorf("an object in which %q is %w", excerpt.Text(name, maxName), err)
			}
		}
	}
	return nil
}

// nonFinite finds a number that JSON does not have, behind the name of its member.
var nonFinite = regexp.MustCompile(`"(\w+)"\s*:\s*(NaN|-?Infinity)`)

// notJSON words why an object cannot be read. Numbers that are not finite are written so in Python, for one.
func notJSON(data []byte, err error) error {
	if m := nonFinite.FindSubmatch(data); m != nil {
		return fmt.Errorf("%q is %s, which JSON does not have: write a finite number", m[1], m[2])
	}
	return fmt.Errorf("it is no JSON: %w", err)
}
